"""The trail as an object: a method for each kind of record, and the questions one asks it."""
from __future__ import annotations

import os
import ssl
import urllib.parse
import uuid
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Union

from .capturing import Capturing
from .errors import BatchRejected
from .receipts import BatchReceipt, Receipt, batch_receipt_of, joined, receipt_of
from .transport import Transport
from .values import encode_json, now

Record = Mapping[str, Any]
Digest = Union[str, Mapping[str, str]]
BATCH_RECORDS_MAX = 1000
BATCH_BYTES_MAX = 4 * 1024 * 1024

# These are recognised again by what they name. All others get an event_id here, so that a retry is the same record.
_NAMED_BY_CONTENT = frozenset({"prediction", "dataset.version", "training.run", "model.version", "approval"})


class Trail(Capturing):
    """A trail behind a URL (http://, https://) or a local socket (unix:///path/to/trail/sock).

    Every `log_…` returns when the record is durable, with a receipt, or raises. A call that raises TransportError can be
    repeated with the same members. Members that are None are left out; what a method does not name goes in as a keyword
    (`deployment=…`, `subject=…`). One object may be used by many threads.
    """

    def __init__(self, url: str, token: Optional[str] = None, token_file: Union[str, "os.PathLike[str]", None] = None,
                 *, timeout: float = 30.0, attempts: int = 6, tls: Optional[ssl.SSLContext] = None) -> None:
        if token is not None and token_file is not None:
            raise ValueError("token and token_file are both given: want one of them")
        if token_file is not None:
            token = Path(token_file).read_text(encoding="utf-8").strip()
        self._transport = Transport(url, token, timeout, attempts, tls)

    def close(self) -> None:
        """Closes idle connections."""
        self._transport.close()

    def __enter__(self) -> "Trail":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Appending ------------------------------------------------------------------------------------------------

    def log(self, kind: str, **members: Any) -> Receipt:
        """Appends one record of any kind."""
        answer = self._transport.request("POST", "/v1/records", body=encode_json(_record(kind, members)))
        return receipt_of(answer.json())

    def log_batch(self, records: Iterable[Record], check: bool = True) -> BatchReceipt:
        """Appends many records, each with its `kind`, in requests of at most 1,000.

        Good records are kept even when others are rejected. With `check`, a rejected one raises BatchRejected, which
        carries the receipt of the whole batch; without, look at `problems`.
        """
        parts: List[BatchReceipt] = []
        sent = 0
        for lines in _chunks(records):
            answer = self._transport.request("POST", "/v1/records", {"receipts": "all"}, b"\n".join(lines) + b"\n",
                                             "application/x-ndjson", also_good=422)
            parts.append(batch_receipt_of(answer.json(), sent))
            sent += len(lines)
        receipt = joined(parts)
        if check and receipt.rejected:
            raise BatchRejected(receipt)
        return receipt

    def log_prediction(self, request_id: str, *, model: Optional[str] = None, model_version: Optional[str] = None,
                       model_artifact_hash: Optional[Digest] = None, feature_values: Any = None, prediction: Any = None,
                       serving_node: Optional[str] = None, timestamp: Optional[str] = None,
                       **members: Any) -> Receipt:
        """A prediction that was made. `request_id` must be opaque: it stands in the log in the clear."""
        return self.log("prediction", request_id=request_id, timestamp=timestamp or now(), model=model,
                        model_version=model_version, model_artifact_hash=model_artifact_hash,
                        feature_values=feature_values, prediction=prediction, serving_node=serving_node, **members)

    def log_dataset_version(self, dataset: str, version: str, *, hash: Optional[Digest] = None,
                            sources: Optional[Sequence[Record]] = None,
                            transformations: Optional[Sequence[Record]] = None,
                            exclusions: Optional[Sequence[Record]] = None, created_by: Optional[str] = None,
                            timestamp: Optional[str] = None, **members: Any) -> Receipt:
        """A version of a data set. An empty list of exclusions says that nothing was excluded; None says nothing."""
        return self.log("dataset.version", dataset=dataset, version=version, timestamp=timestamp or now(), hash=hash,
                        sources=sources, transformations=transformations, exclusions=exclusions, created_by=created_by,
                        **members)

    def log_training_run(self, training_job_id: str, *, datasets: Optional[Sequence[Record]] = None,
                         git_commit: Optional[str] = None, hyperparameters: Optional[Mapping[str, Any]] = None,
                         metrics: Optional[Mapping[str, Any]] = None, triggered_by: Optional[str] = None,
                         timestamp: Optional[str] = None, **members: Any) -> Receipt:
        """A training run that ended."""
        return self.log("training.run", training_job_id=training_job_id, timestamp=timestamp or now(),
                        datasets=datasets, git_commit=git_commit, hyperparameters=hyperparameters, metrics=metrics,
                        triggered_by=triggered_by, **members)

    def log_model_version(self, model: str, model_version: str, *, model_artifact_hash: Optional[Digest] = None,
                          training_job_id: Optional[str] = None, registered_by: Optional[str] = None,
                          timestamp: Optional[str] = None, **members: Any) -> Receipt:
        """A model version that was registered."""
        return self.log("model.version", model=model, model_version=model_version, timestamp=timestamp or now(),
                        model_artifact_hash=model_artifact_hash, training_job_id=training_job_id,
                        registered_by=registered_by, **members)

    def log_approval(self, approval_reference: str, model: str, model_version: str, verdict: str, approver: str, *,
                     model_artifact_hash: Optional[Digest] = None, reason: Optional[str] = None,
                     timestamp: Optional[str] = None, **members: Any) -> Receipt:
        """A verdict on a model version: approved, rejected or revoked."""
        return self.log("approval", approval_reference=approval_reference, model=model, model_version=model_version,
                        verdict=verdict, approver=approver, timestamp=timestamp or now(),
                        model_artifact_hash=model_artifact_hash, reason=reason, **members)

    def log_transition(self, model: str, model_version: str, to_stage: str, *, from_stage: Optional[str] = None,
                       performed_by: Optional[str] = None, reason: Optional[str] = None,
                       approval_reference: Optional[str] = None, timestamp: Optional[str] = None,
                       **members: Any) -> Receipt:
        """A model version that moved from one stage to another."""
        return self.log("transition", model=model, model_version=model_version, from_stage=from_stage,
                        to_stage=to_stage, timestamp=timestamp or now(), performed_by=performed_by, reason=reason,
                        approval_reference=approval_reference, **members)

    def log_access(self, action: str, resource_type: str, resource_id: str, *, principal: Optional[str] = None,
                   source: Optional[Mapping[str, Any]] = None, outcome: Optional[str] = None,
                   timestamp: Optional[str] = None, **members: Any) -> Receipt:
        """Somebody touched the registry, the prediction log, the training data or another resource."""
        return self.log("access", action=action, resource={"type": resource_type, "id": resource_id},
                        timestamp=timestamp or now(), principal=principal, source=source, outcome=outcome, **members)

    # Asking. The server records each of these reads. -----------------------------------------------------------

    def report(self, request_id: str, *, at_size: Optional[int] = None) -> Dict[str, Any]:
        """The dossier of one prediction."""
        return _object(self._transport.request("GET", f"/v1/predictions/{_segment(request_id)}/dossier",
                                               {"format": "json", "at_size": at_size}).json())

    def report_as(self, request_id: str, format: str, *, at_size: Optional[int] = None) -> bytes:
        """The dossier of one prediction as `text`, `html`, `json`, or as an evidence `bundle` (a ZIP that verifies offline)."""
        return self._transport.request("GET", f"/v1/predictions/{_segment(request_id)}/dossier",
                                       {"format": format, "at_size": at_size}).body

    def predictions(self, request_id: str) -> Dict[str, Any]:
        """The predictions of one request."""
        return _object(self._transport.request("GET", f"/v1/predictions/{_segment(request_id)}").json())

    def model_version(self, model: str, model_version: str) -> Dict[str, Any]:
        """A model version with its history."""
        return _object(self._transport.request(
            "GET", f"/v1/models/{_segment(model)}/versions/{_segment(model_version)}").json())

    def record(self, index: int) -> Dict[str, Any]:
        """One entry with its payload."""
        return _object(self._transport.request("GET", f"/v1/records/{index}").json())

    def proof(self, index: int) -> Dict[str, Any]:
        """The inclusion proof of one entry."""
        return _object(self._transport.request("GET", f"/v1/records/{index}/proof").json())

    def search(self, **filters: Any) -> Iterator[Dict[str, Any]]:
        """Records by kind, model, model_version, node, principal, producer, subject, from_, to; page by page."""
        return self._pages("/v1/records", filters)

    def access(self, **filters: Any) -> Iterator[Dict[str, Any]]:
        """Access records by resource_type, resource_id, principal, from_, to; newest first."""
        return self._pages("/v1/access", filters)

    def ask(self, question: str, **parameters: Any) -> Dict[str, Any]:
        """The answer to a catalogued question, e.g. ask("PRD-01", request_id="r-1")."""
        return _object(self._transport.request("GET", f"/v1/questions/{_segment(question)}", parameters).json())

    def checkpoint(self) -> str:
        """The latest published checkpoint, a signed note."""
        return self._transport.request("GET", "/checkpoint").body.decode("utf-8")

    def _pages(self, path: str, filters: Mapping[str, Any]) -> Iterator[Dict[str, Any]]:
        query = {name.rstrip("_"): value for name, value in filters.items()}
        while True:
            page = _object(self._transport.request("GET", path, query).json())
            yield from page["items"]
            if page.get("next") is None:
                return
            query["cursor"] = page["next"]


def _segment(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _object(document: Any) -> Dict[str, Any]:
    if not isinstance(document, dict):
        raise ValueError(f"the server answered a {type(document).__name__} where an object was due")
    return document


def _record(kind: str, members: Mapping[str, Any]) -> Dict[str, Any]:
    record: Dict[str, Any] = {"kind": kind}
    record.update((name, value) for name, value in members.items() if value is not None)
    if kind not in _NAMED_BY_CONTENT:
        record.setdefault("event_id", str(uuid.uuid4()))
    return record


def _chunks(records: Iterable[Record]) -> Iterator[List[bytes]]:
    lines: List[bytes] = []
    size = 0
    for given in records:
        members = dict(given)
        kind = members.pop("kind", None)
        if not isinstance(kind, str):
            raise ValueError(f"record {given!r:.80} has no kind")
        line = encode_json(_record(kind, members))
        if lines and (len(lines) == BATCH_RECORDS_MAX or size + len(line) > BATCH_BYTES_MAX):
            yield lines
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield lines
