"""The trail as an object: a method for each kind of record, and the questions one asks it."""
from __future__ import annotations

import hashlib
import os
import socket
import ssl
import threading
import urllib.parse
import uuid
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union, overload

from .batch import load_key
from .capturing import Capturing
from .errors import BatchRejected
from .predictions import Prediction, Recorder
from .receipts import NO_RECEIPT, BatchReceipt, Receipt, batch_receipt_of, joined, receipt_of
from .sender import BATCH_BYTES_MAX, BATCH_RECORDS_MAX
from .sink import EXIT_S, FIRE_RECORDS_MAX, FireSink, Logged, NoSink, Sink, SpoolSink, SyncSink
from .spool import BLOCK_S, ON_FULL, SPOOL_MAX
from .transport import Transport
from .values import encode_json, now

Record = Mapping[str, Any]
Digest = Union[str, Mapping[str, str]]
MODES = ("spool", "sync", "fire", "disabled")
RECORDERS_MAX = 1000                           # models and versions that `prediction` remembers
DISABLED_URL = "http://mltrail.invalid"        # never asked for anything but a question in disabled mode

# These are recognised again by what they name. All others get an event_id here, so that a retry is the same record.
_NAMED_BY_CONTENT = frozenset({"prediction", "dataset.version", "training.run", "model.version", "approval"})


class Trail(Capturing):
    """A trail behind a URL (http://, https://) or a local socket (unix:///path/to/trail/sock).

    Every `log_…` returns when the record is durable, with a receipt, or raises. A call that raises TransportError can be
    repeated with the same members. Members that are None are left out; what a method does not name goes in as a keyword
    (`deployment=…`, `subject=…`). One object may be used by many threads, and in the children of a fork.

    What goes on while others wait (`predictions`, `prediction`, `enqueue`) follows `mode`:

    spool      on disk before the call returns, at the server a moment later; survives kill -9 and a server that is away
    sync       at the server before the call returns, or an error
    fire       in memory; what does not fit is dropped, counted, and shows as a gap
    disabled   nowhere, and `log_…` give empty receipts: for tests

    What is not given comes from the environment: MLTRAIL_URL, MLTRAIL_TOKEN or MLTRAIL_TOKEN_FILE, MLTRAIL_MODE,
    MLTRAIL_SPOOL_DIR, MLTRAIL_ON_FULL, MLTRAIL_SERVING_NODE, MLTRAIL_SIGNING_KEY. MLTRAIL_MODE=disabled wins over `mode`.
    """

    def __init__(self, url: Optional[str] = None, token: Optional[str] = None,
                 token_file: Union[str, "os.PathLike[str]", None] = None, *, timeout: float = 30.0, attempts: int = 6,
                 tls: Optional[ssl.SSLContext] = None, mode: Optional[str] = None,
                 spool_dir: Union[str, "os.PathLike[str]", None] = None, serving_node: Optional[str] = None,
                 signing_key: Union[str, "os.PathLike[str]", None] = None, on_full: Optional[str] = None,
                 spool_max: int = SPOOL_MAX, block_timeout: float = BLOCK_S, sync_ms: int = 100,
                 exit_timeout: float = EXIT_S, fire_max: int = FIRE_RECORDS_MAX) -> None:
        """`spool_dir` is for one trail: what one process leaves there, another sends to its own `url`. `signing_key` is a
        private SSH key: the stream then signs its predictions. `on_full`, when the spool has `spool_max` bytes or its disk
        is full: "block" (for `block_timeout` seconds, then it fails), "error", or "drop". `sync_ms`: how soon a prediction
        survives a power loss (0: at once). `exit_timeout`: how long the end of the process waits for the server.
        """
        if token is not None and token_file is not None:
            raise ValueError("token and token_file are both given: want one of them")
        if token is None and token_file is None:
            token, token_file = os.environ.get("MLTRAIL_TOKEN"), os.environ.get("MLTRAIL_TOKEN_FILE")
            if token_file:
                token = None
        url = url or os.environ.get("MLTRAIL_URL")
        self.mode = _mode(mode)
        self.serving_node = serving_node or os.environ.get("MLTRAIL_SERVING_NODE") or socket.gethostname()
        if url is None and self.mode != "disabled":
            raise ValueError("no url: want Trail(\"http://HOST:PORT\") or MLTRAIL_URL (or MLTRAIL_MODE=disabled)")
        self._url = url or DISABLED_URL
        self._transport = Transport(self._url, token, timeout, attempts, tls,
                                    (token_file or None) if self.mode != "disabled" else None)
        self._spool_dir = spool_dir or os.environ.get("MLTRAIL_SPOOL_DIR") or None
        self._signing_key = signing_key or os.environ.get("MLTRAIL_SIGNING_KEY") or None
        self._spool_how: Dict[str, Any] = {
            "limit": spool_max, "on_full": on_full or os.environ.get("MLTRAIL_ON_FULL") or "block",
            "block_s": block_timeout, "sync_ms": sync_ms, "exit_s": exit_timeout}
        self._fire_max = fire_max
        if self._spool_how["on_full"] not in ON_FULL:
            raise ValueError(f"on_full={self._spool_how['on_full']!r}: want one of {', '.join(ON_FULL)}")
        self._sink: Optional[Sink] = None
        self._sink_lock = threading.Lock()
        self._recorders: Dict[Tuple[Optional[str], Optional[str]], Tuple[Sink, Recorder]] = {}

    def close(self) -> None:
        """Ends the stream of predictions, if there is one, and closes idle connections. A later one begins another."""
        with self._sink_lock:
            sink = self._sink
        if sink is not None:
            sink.close(self._spool_how["exit_s"])
        self._transport.close()

    def __enter__(self) -> "Trail":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Predictions as they happen -------------------------------------------------------------------------------

    @property
    def sink(self) -> Sink:
        """Where predictions go, by the mode of this trail."""
        with self._sink_lock:
            if self._sink is None:
                self._sink = self._make_sink()
            return self._sink

    def _make_sink(self) -> Sink:
        if self.mode == "disabled":
            return NoSink()
        if self.mode == "sync":
            return SyncSink(self.serving_node, self._transport)
        if self.mode == "fire":
            return FireSink(self.serving_node, self._transport, records_max=self._fire_max, exit_s=self._spool_how["exit_s"])
        folder = self._spool_dir or default_spool_dir(self._url)
        key = None if self._signing_key is None else load_key(self._signing_key)
        return SpoolSink(folder, self.serving_node, self._transport, key=key, **self._spool_how)

    @overload
    def predictions(self, request_id: str) -> Dict[str, Any]: ...  # type: ignore[misc]  # options may have any name

    @overload
    def predictions(self, *, model: Optional[str] = None, version: Optional[str] = None, **options: Any) -> Recorder: ...

    def predictions(self, request_id: Optional[str] = None, *, model: Optional[str] = None, version: Optional[str] = None,
                    **options: Any) -> Union[Dict[str, Any], Recorder]:
        """With `model=`, `version=`: records predictions; decorate the function that makes them, or call `log` of it.

        The options are those of `Recorder`: select, redact, features, output, extra, rows, request_id_from, subject_from,
        artifact_hash, deployment; any other goes into every record.

        With a request_id alone: asks for the predictions of that request.
        """
        if request_id is None:
            return Recorder(self.sink, model=model, version=version, **options)
        if model is not None or version is not None or options:
            raise ValueError("predictions(request_id) asks, predictions(model=…, version=…) records: want one of them")
        return _object(self._transport.request("GET", f"/v1/predictions/{_segment(request_id)}").json())

    def prediction(self, request_id: Optional[str] = None, *, model: Optional[str] = None,
                   version: Optional[str] = None, **members: Any) -> Prediction:
        """A prediction that is made within a `with` block. `members` go into the record."""
        known = self._recorders.get((model, version))
        if known is None or known[0] is not self._sink:
            if len(self._recorders) >= RECORDERS_MAX:
                self._recorders.clear()
            sink = self.sink
            known = self._recorders[(model, version)] = sink, Recorder(sink, model=model, version=version)
        return known[1].prediction(request_id, **members)

    def enqueue(self, kind: str, **members: Any) -> Logged:
        """Appends one record of any kind the way predictions go: without waiting for the server, unless in sync mode."""
        return self.sink.enqueue(encode_json(_record(kind, members)))

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Waits until the server has everything that was taken before; whether it does."""
        with self._sink_lock:
            sink = self._sink
        return sink is None or sink.flush(timeout)

    # Appending ------------------------------------------------------------------------------------------------

    def log(self, kind: str, **members: Any) -> Receipt:
        """Appends one record of any kind."""
        body = encode_json(_record(kind, members))
        if self.mode == "disabled":
            return NO_RECEIPT
        return receipt_of(self._transport.request("POST", "/v1/records", body=body).json())

    def log_batch(self, records: Iterable[Record], check: bool = True) -> BatchReceipt:
        """Appends many records, each with its `kind`, in requests of at most 1,000.

        Good records are kept even when others are rejected. With `check`, a rejected one raises BatchRejected, which
        carries the receipt of the whole batch; without, look at `problems`.
        """
        parts: List[BatchReceipt] = []
        sent = 0
        for lines in _chunks(records):
            if self.mode == "disabled":
                continue
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


def _mode(given: Optional[str]) -> str:
    set_outside = os.environ.get("MLTRAIL_MODE") or None
    for mode in (given, set_outside):
        if mode is not None and mode not in MODES:
            raise ValueError(f"mode {mode!r}: want one of {', '.join(MODES)}")
    return "disabled" if set_outside == "disabled" else given or set_outside or "spool"


def default_spool_dir(url: str) -> str:
    """Where predictions for this trail wait when nobody says where: one directory for each trail."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    host = urllib.parse.urlsplit(url).hostname or "local"
    return os.path.join(state, "mltrail", "spool", f"{host}-{hashlib.sha256(url.rstrip('/').encode()).hexdigest()[:12]}")


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
