"""Capture of predictions: as a decorator, as a `with` block, or one by one.

    @trail.predictions(model="credit", version="7")
    def score(age, income): ...

    with trail.prediction(model="credit", version="7") as p:
        p.features({"age": 61})
        p.output(0.2)

In the modes `spool` and `fire` a failure of the audit never becomes one of the inference: it is logged and counted. In
`sync` the answer of the server comes first, and without it there is no prediction.
"""
from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import hashlib
import inspect
import itertools
import json
import logging
import os
import time
from typing import (Any, AsyncIterator, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Type,
                    TypeVar, Union, cast)

from .errors import SpoolBusy
from .sink import Logged, Sink
from .values import json_string, json_text, now_fast

log = logging.getLogger("mltrail")

F = TypeVar("F", bound=Callable[..., Any])

VALUE_BYTES_MAX = 1024 * 1024  # features or output of one prediction; the payload of a record has at most 4 MiB
_SURELY_SMALL = VALUE_BYTES_MAX // 4  # characters: UTF-8 has four bytes for one at most
CHUNKS_MAX = 10_000            # of a generator; further ones are counted
REDACTED = "[redacted]"
_COMPLAIN_EACH = 1000          # failures of the audit between two lines about it

# Requests -----------------------------------------------------------------------------------------------------


class _Request:
    """A request being served: predictions of one recorder in it are rows 0, 1, … of it."""

    __slots__ = ("id", "_rows")

    def __init__(self, id: str) -> None:
        self.id = id
        self._rows: Dict[int, "itertools.count[int]"] = {}

    def row(self, recorder: object) -> int:
        return next(self._rows.setdefault(id(recorder), itertools.count()))


_request: "contextvars.ContextVar[Optional[_Request]]" = contextvars.ContextVar("mltrail_request", default=None)


def new_request_id() -> str:
    """An identifier that says nothing."""
    return os.urandom(16).hex()


@contextlib.contextmanager
def request(request_id: Optional[str] = None) -> Iterator[str]:
    """The request that is served within: what is predicted in it carries its identifier. Follows tasks and `await`."""
    scope = _Request(request_id or new_request_id())
    token = _request.set(scope)
    try:
        yield scope.id
    finally:
        _request.reset(token)


def current_request_id() -> Optional[str]:
    """The identifier of the request that is being served."""
    scope = _request.get()
    return None if scope is None else scope.id


# Values -------------------------------------------------------------------------------------------------------


def captured(value: Any) -> str:
    """The value as JSON; what has no JSON form, or is too large, as an object that says so."""
    try:
        text = json_text(value)
        if len(text) <= _SURELY_SMALL or len(text.encode("utf-8")) <= VALUE_BYTES_MAX:
            return text
    except Exception as error:  # whatever a stranger's type does when it is converted
        return json.dumps({"unencodable": f"{type(error).__name__}: {error}"[:500]})
    content = text.encode("utf-8", "backslashreplace")
    return json.dumps({"omitted": "too large", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})


def _is_frame(value: Any) -> bool:
    return hasattr(value, "columns") and hasattr(value, "itertuples")


def rows_of(value: Any, forced: bool = False) -> Optional[Sequence[Any]]:
    """The rows of a batch: of a data frame, of an array of two dimensions or more, of a list of lists, tuples or objects.

    None: it is the input of one prediction. `forced`: whatever can be counted is a batch.
    """
    if _is_frame(value):
        names = [str(name) for name in value.columns]
        return [dict(zip(names, row)) for row in value.itertuples(index=False, name=None)]
    dimensions = getattr(value, "ndim", None)
    if isinstance(dimensions, int) and hasattr(value, "tolist"):
        return cast(Sequence[Any], value.tolist()) if dimensions >= (1 if forced else 2) else None
    if isinstance(value, (list, tuple)):
        if forced or value and all(hasattr(row, "__len__") and not isinstance(row, (str, bytes)) for row in value):
            return value
    return None


def outputs_of(value: Any, count: int) -> Optional[Sequence[Any]]:
    """One output for each of `count` rows; None where there is another number of them."""
    if _is_frame(value):
        rows = rows_of(value)
    elif hasattr(value, "ndim") and value.ndim > 0 and hasattr(value, "tolist"):
        rows = value.tolist()
    else:
        rows = value if isinstance(value, (list, tuple)) else None
    return rows if rows is not None and len(rows) == count else None


def _named(value: Any) -> Any:
    """A pandas series by the names of its values."""
    if hasattr(value, "index") and hasattr(value, "to_dict") and hasattr(value, "ndim") and value.ndim == 1:
        return {str(name): member for name, member in value.to_dict().items()}
    return value


Redaction = Union[Iterable[str], Mapping[str, Callable[[Any], Any]]]


class _Choice:
    """Which features are kept, and which are not shown."""

    def __init__(self, select: Optional[Iterable[str]], redact: Redaction) -> None:
        self._select = None if select is None else frozenset(_names(select))
        self._redact: Dict[str, Optional[Callable[[Any], Any]]] = \
            dict(redact) if isinstance(redact, Mapping) else dict.fromkeys(_names(redact))
        self.is_all = self._select is None and not self._redact

    def of(self, features: Any) -> Any:
        """The features that are kept; positions without names are kept only when nothing is chosen by name."""
        features = _named(features)
        if self.is_all:
            return features
        if not isinstance(features, Mapping):
            return {"omitted": "features without names, of which some are not to be shown"}
        kept: Dict[str, Any] = {}
        for key, value in features.items():
            name = str(key)
            if name in self._redact:
                change = self._redact[name]
                kept[name] = REDACTED if change is None else change(value)
            elif self._select is None or name in self._select:
                kept[name] = value
        return kept


def _names(given: Iterable[str]) -> Iterable[str]:
    return (given,) if isinstance(given, str) else given


# Arguments ----------------------------------------------------------------------------------------------------


class _Arguments:
    """The arguments of a function by their names."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._signature = inspect.signature(function)
        parameters = list(self._signature.parameters.values())
        self.names = [parameter.name for parameter in parameters]
        self.first = 1 if self.names[:1] in (["self"], ["cls"]) else 0
        plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        self._is_plain = all(parameter.kind in plain for parameter in parameters)
        self._defaults = {parameter.name: parameter.default for parameter in parameters[self.first:]
                          if parameter.default is not inspect.Parameter.empty}

    def of(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Dict[str, Any]:
        """What a call gives, in the order of the signature; without `self`."""
        if self._is_plain:
            values = dict(zip(self.names[self.first:], args[self.first:]))
            values.update(kwargs)
            for name, default in self._defaults.items():
                if name not in values:
                    values[name] = default
            return values
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        values = {}
        for name in self.names[self.first:]:
            kind, value = self._signature.parameters[name].kind, bound.arguments[name]
            if kind is inspect.Parameter.VAR_KEYWORD:
                values.update(value)
            elif kind is not inspect.Parameter.VAR_POSITIONAL or value:
                values[name] = list(value) if kind is inspect.Parameter.VAR_POSITIONAL else value
        return values


# Recording ----------------------------------------------------------------------------------------------------


class Recorder:
    """Records the predictions of one model: decorates functions, opens `with` blocks, or takes them one by one."""

    def __init__(self, sink: Sink, *, model: Optional[str] = None, version: Optional[str] = None,
                 artifact_hash: Any = None, deployment: Optional[Mapping[str, Any]] = None,
                 select: Optional[Iterable[str]] = None, redact: Redaction = (),
                 features: Optional[Callable[[Dict[str, Any]], Any]] = None,
                 output: Optional[Callable[[Any], Any]] = None,
                 extra: Optional[Callable[[Any], Mapping[str, Any]]] = None,
                 rows: Union[bool, str, None] = None, request_id_from: str = "request_id",
                 subject_from: Optional[str] = None, **members: Any) -> None:
        """`members` go into every record. The rest says how a decorated function is read:

        select, redact   names of features to keep; names to show as "[redacted]", or to pass through a function
        features         makes the features of the arguments by name (default: all; a single one stands for itself)
        output, extra    make the prediction, and further members such as `confidence`, of the result
        rows             the argument whose rows are predictions of their own; True: the only one; False: none is
        request_id_from  the argument with the identifier; else that of `mltrail.request`, else a new one
        subject_from     the argument that says whom it is about
        """
        self._sink = sink
        self._choice = _Choice(select, redact)
        self._features, self._output, self._extra = features, output, extra
        self._rows, self._request_id, self._subject = rows, request_id_from, subject_from
        self.failures = 0  # of the audit, that the inference did not notice
        fixed = {"model": model, "model_version": version, "model_artifact_hash": artifact_hash, "deployment": deployment,
                 **members}
        self._lead = "".join(f"{json.dumps(name)}:{json_text(value)}," for name, value in fixed.items()
                             if value is not None).encode("utf-8")

    # One by one ---------------------------------------------------------------------------------------------

    def log(self, request_id: Optional[str] = None, *, features: Any = None, prediction: Any = None,
            **members: Any) -> Optional[Logged]:
        """Records a prediction. Gives a Receipt in sync mode, else what is pending; None when the audit failed."""
        id, row = self._identify(request_id)
        if row:
            members.setdefault("row", row)
        return self._guarded(lambda: self._put([self._tail(id, self._choice.of(features), prediction, members)], True))

    def prediction(self, request_id: Optional[str] = None, **members: Any) -> "Prediction":
        """A prediction that is made within a `with` block (or `async with`)."""
        return Prediction(self, request_id, members)

    def _identify(self, given: Optional[str]) -> Tuple[str, int]:
        if given is not None:
            return str(given), 0
        scope = _request.get()
        return (new_request_id(), 0) if scope is None else (scope.id, scope.row(self))

    def _tail(self, request_id: str, features: Any, prediction: Any, members: Mapping[str, Any], begin: float = 0.0) -> bytes:
        text = ',"request_id":%s,"timestamp":"%s"' % (json_string(request_id), now_fast())
        if features is not None:
            text += ',"feature_values":' + captured(features)
        if prediction is not None:
            text += ',"prediction":' + captured(prediction)
        for name, value in members.items():
            if value is not None:
                text += ",%s:%s" % (json_string(name), json_string(value) if type(value) is str else captured(value))
        if begin:
            text += ',"latency_ms":%.3f' % ((time.perf_counter() - begin) * 1000)
        return (text + "}").encode("utf-8", "backslashreplace")

    def _put(self, tails: List[bytes], wait: bool) -> Logged:
        if len(tails) == 1:
            return self._sink.predict(self._lead, tails[0], wait)
        return self._sink.predict_many(self._lead, tails, wait)

    def _guarded(self, act: Callable[[], Logged]) -> Optional[Logged]:
        try:
            return act()
        except SpoolBusy:
            raise
        except Exception as error:
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        if self._sink.strict:
            raise error
        self.failures += 1
        if self.failures % _COMPLAIN_EACH == 1:
            log.error("a prediction was not recorded (%d so far): %s: %s", self.failures, type(error).__name__, error)

    async def _put_async(self, tails: List[bytes]) -> None:
        """Without making the event loop wait."""
        try:
            if not self._sink.blocking:
                try:
                    self._put(tails, False)
                    return
                except SpoolBusy:
                    pass
            await asyncio.get_running_loop().run_in_executor(None, self._put, tails, True)
        except Exception as error:
            self._failed(error)

    # Decorated functions --------------------------------------------------------------------------------------

    def __call__(self, function: F) -> F:
        """The function, whose calls are recorded from now on."""
        arguments = _Arguments(function)
        for name, option in ((self._rows, "rows"), (self._subject, "subject_from")):
            if isinstance(name, str) and name not in arguments.names:
                raise ValueError(f"{option}={name!r}: {getattr(function, '__qualname__', function)} has no such argument")
        if inspect.isasyncgenfunction(function):
            return cast(F, self._around_async_generator(function, arguments))
        if inspect.iscoroutinefunction(function):
            return cast(F, self._around_coroutine(function, arguments))
        if inspect.isgeneratorfunction(function):
            return cast(F, self._around_generator(function, arguments))
        return cast(F, self._around_function(function, arguments))

    def _around_function(self, function: Callable[..., Any], arguments: _Arguments) -> Callable[..., Any]:
        @functools.wraps(function)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self._record_error(arguments, args, kwargs, error, begin)
                raise
            try:
                tails = self._tails(arguments, args, kwargs, result, begin)
                self._put(tails, True)
            except Exception as error:
                self._failed(error)
            return result
        return recorded

    def _around_coroutine(self, function: Callable[..., Any], arguments: _Arguments) -> Callable[..., Any]:
        @functools.wraps(function)
        async def recorded(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                tails = self._error_tails(arguments, args, kwargs, error, begin)
                if isinstance(error, Exception):
                    await self._put_async(tails)
                else:
                    self._put_at_once(tails)  # cancelled: there is no more waiting
                raise
            await self._put_async(self._guarded_tails(arguments, args, kwargs, result, begin))
            return result
        return recorded

    def _around_generator(self, function: Callable[..., Any], arguments: _Arguments) -> Callable[..., Any]:
        @functools.wraps(function)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            chunks = _Chunks()
            inner = function(*args, **kwargs)
            try:
                result = yield from chunks.passing(inner)
            except GeneratorExit:
                self._record_end(arguments, args, kwargs, chunks.ended_early(), begin)
                raise
            except BaseException as error:
                self._record_error(arguments, args, kwargs, error, begin)
                raise
            self._record_end(arguments, args, kwargs, chunks, begin)
            return result
        return recorded

    def _around_async_generator(self, function: Callable[..., Any], arguments: _Arguments) -> Callable[..., Any]:
        @functools.wraps(function)
        async def recorded(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            begin = time.perf_counter()
            chunks = _Chunks()
            inner = function(*args, **kwargs)
            try:
                async for chunk in inner:
                    chunks.add(chunk)
                    try:
                        yield chunk
                    except (GeneratorExit, asyncio.CancelledError):
                        chunks.ended_early()  # by its consumer, or by a loop that ends
                        raise
            except BaseException as error:
                self._put_at_once(self._guarded_tails(arguments, args, kwargs, chunks, begin) if chunks.early else
                                  self._error_tails(arguments, args, kwargs, error, begin))
                raise
            finally:
                await inner.aclose()
            await self._put_async(self._guarded_tails(arguments, args, kwargs, chunks, begin))
        return recorded

    def _put_at_once(self, tails: List[bytes]) -> None:
        try:
            self._put(tails, False)
        except Exception as error:
            if self._sink.strict:
                log.error("the end of a prediction was not recorded: %s", error)
            else:
                self._failed(error)

    def _record_end(self, arguments: _Arguments, args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any,
                    begin: float) -> None:
        try:
            self._put(self._tails(arguments, args, kwargs, result, begin), True)
        except Exception as error:
            self._failed(error)

    def _record_error(self, arguments: _Arguments, args: Tuple[Any, ...], kwargs: Dict[str, Any], error: BaseException,
                      begin: float) -> None:
        try:
            self._put(self._error_tails(arguments, args, kwargs, error, begin), True)
        except Exception as failure:
            # The caller shall get the error of the model, not ours.
            self.failures += 1
            log.error("a failed prediction was not recorded: %s: %s", type(failure).__name__, failure)

    def _guarded_tails(self, arguments: _Arguments, args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any,
                       begin: float) -> List[bytes]:
        try:
            return self._tails(arguments, args, kwargs, result, begin)
        except Exception as error:
            self._failed(error)
            return [self._tail(new_request_id(), None, None, {"status": "ok", "unrecorded": str(error)[:500]}, begin)]

    def _tails(self, arguments: _Arguments, args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any,
               begin: float) -> List[bytes]:
        """What is recorded of a call that gave `result`."""
        values = arguments.of(args, kwargs)
        members: Dict[str, Any] = {}
        id, features = self._read(values, members)
        chunks = result if isinstance(result, _Chunks) else None
        given = chunks.value() if chunks is not None else result
        if self._extra is not None:
            members.update(self._extra(given))
        members.setdefault("status", "ok")
        if chunks is not None:
            members.update(chunks.members())
        output = given if self._output is None else self._output(given)
        batch = None if chunks is not None else self._batch(values, features)
        outputs = None if batch is None else outputs_of(output, len(batch))
        if batch is None or outputs is None:
            return [self._tail(id, self._choice.of(features), output, members, begin)]
        members.pop("row", None)
        members["batch_id"] = members.get("batch_id") or new_request_id()
        return [self._tail(id, self._choice.of(row), outputs[i], {"row": i, **members}, begin)
                for i, row in enumerate(batch)]

    def _error_tails(self, arguments: _Arguments, args: Tuple[Any, ...], kwargs: Dict[str, Any], error: BaseException,
                     begin: float) -> List[bytes]:
        members = _error_members(error)
        try:
            id, features = self._read(arguments.of(args, kwargs), members)
            return [self._tail(id, self._choice.of(features), None, members, begin)]
        except Exception:  # such as a call with the wrong arguments
            return [self._tail(new_request_id(), None, None, members, begin)]

    def _read(self, values: Dict[str, Any], members: Dict[str, Any]) -> Tuple[str, Any]:
        """Identifier and features of the arguments; the rest goes into `members`."""
        id, row = self._identify(values.pop(self._request_id, None))
        if row:
            members["row"] = row
        if self._subject is not None:
            subject = values.pop(self._subject, None)
            members["subject"] = None if subject is None else str(subject)
        if self._features is not None:
            return id, self._features(values)
        if isinstance(self._rows, str):
            return id, values.get(self._rows)
        if len(values) == 1:
            (name, value), = values.items()
            if isinstance(_named(value), Mapping) or self._rows is not False and rows_of(value) is not None:
                return id, value
        return id, values

    def _batch(self, values: Dict[str, Any], features: Any) -> Optional[Sequence[Any]]:
        if self._rows is False:
            return None
        if self._rows is True and isinstance(features, dict) and len(features) == 1 and features is values:
            features = next(iter(features.values()))
        return rows_of(features, forced=self._rows is True or isinstance(self._rows, str))


def _error_members(error: BaseException) -> Dict[str, Any]:
    late = isinstance(error, (TimeoutError, asyncio.TimeoutError))
    return {"status": "timeout" if late else "error", "error": {"type": type(error).__name__, "message": str(error)[:1000]}}


class _Chunks:
    """What a generator gave, piece by piece."""

    def __init__(self) -> None:
        self._kept: List[Any] = []
        self._count = 0
        self.early = False

    def add(self, chunk: Any) -> None:
        """One more."""
        self._count += 1
        if self._count <= CHUNKS_MAX:
            self._kept.append(chunk)

    def passing(self, inner: Any) -> Iterator[Any]:
        """The generator itself, with its send, throw and close; its result is its own."""
        try:
            chunk = next(inner)
            while True:
                self.add(chunk)
                try:
                    sent = yield chunk
                except GeneratorExit:
                    inner.close()
                    raise
                except BaseException as error:
                    chunk = inner.throw(error)
                else:
                    chunk = next(inner) if sent is None else inner.send(sent)
        except StopIteration as end:
            return cast(Iterator[Any], end.value)

    def ended_early(self) -> "_Chunks":
        """It was closed before its end."""
        self.early = True
        return self

    def value(self) -> Any:
        """Text as one text, anything else as the list of pieces."""
        return "".join(self._kept) if self._kept and all(isinstance(c, str) for c in self._kept) else self._kept

    def members(self) -> Dict[str, Any]:
        """What the record says about how it came."""
        members: Dict[str, Any] = {"chunks": self._count}
        if self.early:
            members["ended_early"] = True
        return members


class Prediction:
    """One prediction in a `with` block. Recorded at its end, also when it ends by an exception."""

    def __init__(self, recorder: Recorder, request_id: Optional[str], members: Dict[str, Any]) -> None:
        self._recorder = recorder
        self._members = members
        self._features: Any = None
        self._output: Any = None
        self._begin = 0.0
        self.request_id, row = recorder._identify(request_id)
        if row:
            members.setdefault("row", row)
        self.logged: Optional[Logged] = None  # what became of it, after the block

    def features(self, values: Any = None, **named: Any) -> None:
        """What the model is given. Names add to names that were given before."""
        if named or isinstance(values, Mapping) and isinstance(self._features, dict):
            merged = dict(self._features or {}) if isinstance(self._features, (dict, type(None))) else {}
            merged.update(values or {})
            merged.update(named)
            self._features = merged
        else:
            self._features = dict(values) if isinstance(values, Mapping) else values

    def output(self, value: Any) -> None:
        """What the model gave."""
        self._output = value

    def set(self, **members: Any) -> None:
        """Further members, such as `confidence`, `subject`, `explanation`."""
        self._members.update(members)

    def _tails(self, error: Optional[BaseException]) -> List[bytes]:
        members = self._members
        if error is not None:
            members.update(_error_members(error))
        members.setdefault("status", "ok")
        recorder = self._recorder
        return [recorder._tail(self.request_id, recorder._choice.of(self._features), self._output, members, self._begin)]

    def __enter__(self) -> "Prediction":
        self._begin = time.perf_counter()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], _: object) -> None:
        try:
            self.logged = self._recorder._put(self._tails(error), True)
        except Exception as failure:
            if error is None:
                self._recorder._failed(failure)
            else:
                log.error("a failed prediction was not recorded: %s", failure)

    async def __aenter__(self) -> "Prediction":
        return self.__enter__()

    async def __aexit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], _: object) -> None:
        tails = self._tails(error)
        if error is None:
            await self._recorder._put_async(tails)
        else:
            self._recorder._put_at_once(tails)
