"""A training run as it happens: code, data, parameters, metrics, machine, and what came out of it."""
from __future__ import annotations

import os
import sys
import uuid
from types import TracebackType
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Type, Union

from . import environment as seen
from .data import digests_of, hash_data
from .datasets import Dataset, _given, emit
from .errors import MltrailError
from .hashing import DirectoryDigest, hash_directory
from .values import now

if TYPE_CHECKING:
    from .client import Trail

ROLES = ("train", "validation", "test")


class TrainingRun:
    """A training run; made by `Trail.training_run`.

        with trail.training_run() as run:
            run.use_dataset("train", "loans", "2026-10", data=frame)
            run.log_params(max_depth=6)
            run.log_metrics(auc=0.78)
            run.save_model("model/", model="credit-default", model_version="3")

    The record is appended when the block ends, with `status` finished; by an exception, failed (killed by Ctrl-C or
    SIGTERM's SystemExit). The command line goes in as payload, because it may hold what is no fact for everybody's eyes.
    """

    def __init__(self, trail: "Trail", training_job_id: Optional[str] = None, *, path: "Union[str, os.PathLike[str]]" = ".",
                 capture: bool = True, **members: Any) -> None:
        self._trail = trail
        self.training_job_id = training_job_id or f"run-{uuid.uuid4().hex}"
        self.receipt: Any = None
        self.model_receipt: Any = None
        self.artifact: Optional[DirectoryDigest] = None
        self._path = path
        self._capture = capture
        self._members = members
        self._params: Dict[str, Any] = {}
        self._metrics: Dict[str, Any] = {}
        self._datasets: List[Dict[str, Any]] = []
        self._base_models: List[Dict[str, Any]] = []
        self._model: Optional[Dict[str, Any]] = None
        self._record: Optional[Dict[str, Any]] = None
        self._model_record: Optional[Dict[str, Any]] = None
        self._started_at = now()
        # The code as it was loaded, not as somebody edited it while the run went on.
        self._code = seen.code_members(path) if capture else {}
        self._who = seen.who_and_why() if capture else {}

    def log_params(self, params: Optional[Mapping[str, Any]] = None, **more: Any) -> None:
        """Hyper-parameters. A name that was logged with another value before is an error: which one was it?"""
        for name, value in {**(params or {}), **more}.items():
            if name in self._params and self._params[name] != value:
                raise ValueError(f"the parameter {name} was logged as {self._params[name]!r} before, now {value!r}")
            self._params[name] = value

    def log_metrics(self, metrics: Optional[Mapping[str, Any]] = None, **more: Any) -> None:
        """Evaluation results. The last value of a name counts."""
        self._metrics.update({**(metrics or {}), **more})

    def use_dataset(self, role: str, dataset: Union[str, Dataset], version: Optional[str] = None, *, hash: Any = None,
                    data: Any = None) -> None:
        """What the run read: by its name and version, with the digest of what was read, given or taken from `data`."""
        if role not in ROLES:
            raise ValueError(f"role {role!r}: want one of {', '.join(ROLES)}")
        if hash is not None and data is not None:
            raise ValueError("hash and data are both given: want one of them")
        digests = hash_data(data).digests if data is not None else digests_of(hash) if hash is not None else None
        if isinstance(dataset, Dataset):
            version, digests, dataset = version or dataset.version, digests or dataset.digests, dataset.dataset
        self._datasets.append(_given(role=role, dataset=dataset, version=version, hash=digests))

    def use_base_model(self, model: str, model_version: Optional[str] = None, *, hash: Any = None) -> None:
        """A model that training started from."""
        self._base_models.append(_given(model=model, model_version=model_version,
                                        hash=digests_of(hash) if hash is not None else None))

    def save_model(self, path: "Union[str, os.PathLike[str]]", *, model: Optional[str] = None,
                   model_version: Optional[str] = None, registered_by: Optional[str] = None,
                   **members: Any) -> DirectoryDigest:
        """Takes the digests of the model that was written to `path`, a file or a folder.

        With `model` and `model_version`, a `model.version` record with the digests and the manifest follows that of the
        run, when it ends well.
        """
        if (model is None) != (model_version is None):
            raise ValueError("model and model_version belong together: give both or neither")
        self.artifact = hash_directory(path)
        if model is not None:
            self._model = _given(model=model, model_version=model_version, registered_by=registered_by, **members)
        return self.artifact

    def end(self, status: str = "finished", error: Optional[str] = None) -> Any:
        """Appends the records. The end of a `with` block does it."""
        if self._record is None:  # once: a second attempt sends the same bytes, which the server recognises
            self._record = self.members(status, error)
            self._model_record = self._model_members() if self._model is not None and status == "finished" else None
        if self.receipt is None:
            self.receipt = emit(self._trail, "training.run", self._record)
        if self.model_receipt is None and self._model_record is not None:
            self.model_receipt = emit(self._trail, "model.version", self._model_record)
        return self.receipt

    def members(self, status: str = "finished", error: Optional[str] = None) -> Dict[str, Any]:
        """The record as it stands."""
        ended_at = now()
        found = {"environment": seen.environment(self._path), "argv": list(sys.argv)} if self._capture else {}
        # What the caller gave goes before what was found out.
        return {**self._code, **self._who, **found,
                **_given(training_job_id=self.training_job_id, timestamp=ended_at, status=status, error=error,
                         datasets=self._datasets or None, hyperparameters=self._params or None,
                         metrics=self._metrics or None, base_models=self._base_models or None,
                         started_at=self._started_at, ended_at=ended_at,
                         artifact_hash=self.artifact.digests if self.artifact else None),
                **self._members}

    def _model_members(self) -> Dict[str, Any]:
        assert self._model is not None and self.artifact is not None
        by = self._model.get("registered_by") or self._members.get("triggered_by") or self._who.get("triggered_by")
        return {**_given(timestamp=now(), model_artifact_hash=self.artifact.digests, manifest=self.artifact.manifest,
                         training_job_id=self.training_job_id, registered_by=by,
                         origin="fine-tuned" if self._base_models else "trained"),
                **self._model}

    def __enter__(self) -> "TrainingRun":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 _: Optional[TracebackType]) -> None:
        if kind is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            self.end()
            return
        status = "failed" if issubclass(kind, Exception) else "killed"
        try:
            self.end(status, f"{kind.__name__}: {error}")
        except MltrailError as lost:
            # The exception of the run is what the caller must see; that its record is missing must not go unsaid either.
            print(f"mltrail: the record of the training run {self.training_job_id} is lost: {lost}", file=sys.stderr)
