"""A dataset version as it comes to be: where the rows came from, what was done to them, which were left out and why."""
from __future__ import annotations

import functools
import inspect
import os
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Type, TypeVar, Union

from .data import digests_of, hash_data
from .environment import ci_job, process_user
from .errors import TransportError, Unavailable
from .git import GitError, git_state, top_level
from .values import now

if TYPE_CHECKING:
    from .client import Trail

Function = TypeVar("Function", bound=Callable[..., Any])
DateRange = Union[Mapping[str, Any], Sequence[Any]]
_NOT_GIVEN: Any = object()


class Dataset:
    """A version of a data set in the making; made by `Trail.dataset`.

        with trail.dataset("loans", "2026-10") as d:
            d.source("core-banking", "loans", date_range=("2020-01-01", "2026-10-01"), column="opened", rows=len(raw))
            d.exclude("age < 18", "no contract possible", rows=500, approved_by="dpo")
            d.hash(frame)

    The record is appended when the block ends; when it ends by an exception, there is no such version and no record. What
    was not said stays absent: the dossier reports it as missing.
    """

    def __init__(self, trail: "Trail", dataset: str, version: str, **members: Any) -> None:
        self._trail = trail
        self.dataset = dataset
        self.version = version
        self.digests: Optional[Dict[str, str]] = None
        self.receipt: Any = None
        self._members = members
        self._sources: List[Dict[str, Any]] = []
        self._transformations: List[Dict[str, Any]] = []
        self._exclusions: List[Dict[str, Any]] = []
        self._inputs: List[Dict[str, Any]] = []
        self._nothing_excluded = False
        self._record: Optional[Dict[str, Any]] = None
        self._rows: Optional[int] = None

    def source(self, system: str, table: Optional[str] = None, *, date_range: Optional[DateRange] = _NOT_GIVEN,
               column: Optional[str] = None, zone: Optional[str] = None, query: Optional[str] = None,
               snapshot: Any = None, rows: Optional[int] = None, **members: Any) -> "Dataset":
        """Where rows came from. `date_range` is (from, to), `to` being the first date no longer taken; None says that the
        range was not restricted; leaving it out says nothing."""
        source: Dict[str, Any] = _given(system=system, table=table, query=query, snapshot=snapshot, rows=rows, **members)
        if date_range is None:
            source["date_range"] = {"from": None, "to": None}
        elif date_range is not _NOT_GIVEN:
            source["date_range"] = _range(date_range, column, zone)
        self._sources.append(source)
        return self

    def transform(self, description: str, rows_in: Optional[int] = None, rows_out: Optional[int] = None,
                  **members: Any) -> "Transformation":
        """What was done to the rows; as a call, or as a decorator of the function that does it.

        The record names the file and line of the call (of the function, as a decorator) and the commit. A decorated
        function adds a step for each call, with the lengths of its first argument and of its result.
        """
        return Transformation(self, description, _given(rows_in=rows_in, rows_out=rows_out, **members),
                              inspect.currentframe())

    def exclude(self, condition: str, reason: str, rows: Optional[int] = None, approved_by: Optional[str] = None,
                **members: Any) -> "Dataset":
        """Which rows were left out, and why."""
        if self._nothing_excluded:
            raise ValueError("no_exclusions() was said before: it is one or the other")
        self._exclusions.append(_given(condition=condition, reason=reason, rows=rows, approved_by=approved_by, **members))
        return self

    def no_exclusions(self) -> "Dataset":
        """Says that nothing was left out. Without this, an empty list of exclusions is not claimed."""
        if self._exclusions:
            raise ValueError(f"{len(self._exclusions)} exclusions were recorded before: it is one or the other")
        self._nothing_excluded = True
        return self

    def input(self, dataset: "Union[str, Dataset]", version: Optional[str] = None, hash: Any = None) -> "Dataset":
        """A dataset version that this one was made from."""
        if isinstance(dataset, Dataset):
            self._inputs.append(_given(dataset=dataset.dataset, version=version or dataset.version,
                                       hash=digests_of(hash) if hash is not None else dataset.digests))
        else:
            self._inputs.append(_given(dataset=dataset, version=version,
                                       hash=digests_of(hash) if hash is not None else None))
        return self

    def hash(self, data: Any, **how: Any) -> Any:
        """Takes the digest of the whole data (see `hash_data`), and the number of rows where it has rows."""
        digest = hash_data(data, **how)
        self.digests = dict(digest.digests)
        self._rows = getattr(digest, "rows", None)
        return digest

    def log(self) -> Any:
        """Appends the record. The end of a `with` block does it."""
        if self._record is None:  # once: a second attempt sends the same bytes, which the server recognises
            self._record = self.members()
        if self.receipt is None:
            self.receipt = emit(self._trail, "dataset.version", self._record)
        return self.receipt

    def members(self) -> Dict[str, Any]:
        """The record as it stands."""
        made_by = self._members.get("created_by") or ci_job().get("triggered_by") or process_user()
        exclusions = self._exclusions or ([] if self._nothing_excluded else None)
        # What the caller gave goes before what was found out.
        return {**_given(dataset=self.dataset, version=self.version, timestamp=now(), hash=self.digests,
                         rows=self._rows, sources=self._sources or None, exclusions=exclusions,
                         transformations=self._transformations or None, inputs=self._inputs or None),
                **self._members, **_given(created_by=made_by)}

    def __enter__(self) -> "Dataset":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], _: Optional[BaseException],
                 __: Optional[TracebackType]) -> None:
        if kind is None:
            self.log()

    def _add_step(self, step: Dict[str, Any]) -> Dict[str, Any]:
        step = {"step": len(self._transformations) + 1, **step}
        self._transformations.append(step)
        return step


class Transformation:
    """A step that was recorded; as a decorator, it records the calls of a function instead."""

    def __init__(self, dataset: Dataset, description: str, members: Dict[str, Any], frame: Optional[FrameType]) -> None:
        self._dataset = dataset
        self._step = {"description": description, **members}
        caller = frame.f_back if frame is not None else None
        place = _code(caller.f_code.co_filename, caller.f_lineno) if caller is not None else {}
        self._recorded = dataset._add_step({**self._step, **place})

    def __call__(self, function: Function) -> Function:
        """Decorates the function."""
        steps = self._dataset._transformations
        steps[:] = [step for step in steps if step is not self._recorded]
        for number, step in enumerate(steps, 1):
            step["step"] = number
        code = inspect.unwrap(function).__code__
        place = _code(code.co_filename, code.co_firstlineno)

        @functools.wraps(function)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            before = _length(args[0] if args else next(iter(kwargs.values()), None))
            result = function(*args, **kwargs)
            self._dataset._add_step({**_given(rows_in=before, rows_out=_length(result)), **self._step, **place})
            return result
        return recorded  # type: ignore[return-value]


def emit(trail: Any, kind: str, members: Mapping[str, Any]) -> Any:
    """Appends a record, or leaves it in the spool when the server is away: it cannot be made again tomorrow.

    Should the server have it after all, it recognises it: the bytes are the same.
    """
    try:
        return trail.log(kind, **members)
    except (TransportError, Unavailable):
        if getattr(trail, "mode", None) != "spool":
            raise
        return trail.enqueue(kind, **members)


def _given(**members: Any) -> Dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _range(value: DateRange, column: Optional[str], zone: Optional[str]) -> Dict[str, Any]:
    if isinstance(value, Mapping):
        ends = dict(value)
    else:
        if isinstance(value, str) or len(value) != 2:
            raise ValueError(f"date_range={value!r}: want (from, to), either of them None where it is open")
        ends = {"from": value[0], "to": value[1]}
    ends.update(_given(column=column, zone=zone))
    return ends


def _length(value: Any) -> Optional[int]:
    if isinstance(value, (str, bytes)):
        return None
    try:
        return len(value)
    except TypeError:
        return None


def _code(file: str, line: int) -> Dict[str, Any]:
    """The member `code`: path within the repository, line, commit. In a notebook or at a prompt there is none."""
    if not os.path.isfile(file):
        return {}
    folder = os.path.dirname(os.path.abspath(file))
    try:
        top, state = top_level(folder), git_state(folder)
    except GitError:
        return {"code": {"path": os.path.basename(file), "line": line}}
    code: Dict[str, Any] = {"git_commit": state.commit, "path": os.path.relpath(os.path.realpath(file), os.path.realpath(top)),
                            "line": line}
    if state.dirty:
        code["git_dirty"] = True
    return {"code": code}
