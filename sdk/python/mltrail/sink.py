"""Where the predictions of a process go: the spool, memory, the server itself, or nowhere.

Each sink numbers them in a stream of its own, which begins with the first record: a process that only loads the code, or
is forked before it serves, has none. `lead` members stand first in a record and are the same for every prediction of a
recorder, so that a sink puts its own in front of them once.
"""
from __future__ import annotations

import atexit
import collections
import json
import logging
import os
import sys
import threading
import weakref
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Union

from . import spool
from .batch import BatchSigner, Key
from .errors import SpoolClosed
from .receipts import NO_RECEIPT, Receipt, receipt_of
from .sender import (BATCH_BYTES_MAX, BATCH_RECORDS_MAX, LINGER_S, Background, Backoff, Courier, NotDelivered,
                     Uplink)
from .spool import SpoolWriter, encode_record, new_stream_name, tally_record
from .transport import Transport
from .values import now

log = logging.getLogger("mltrail")

COLLECTED_S = 1.0              # a sink that is collected without `close` holds its thread up so long at most
EXIT_S = 5.0                   # a process that ends gives its sender so long; the rest stays in the spool
HEADS_MAX = 1000               # beginnings of records that are remembered: one for each recorder
FIRE_RECORDS_MAX = 10_000
FIRE_BYTES_MAX = 64 * 1024 * 1024


class Pending:
    """A record that is on its way. `stream` and `sequence` say where to look for it; a dropped one has sequence 0."""

    __slots__ = ("stream", "sequence", "_sink")

    def __init__(self, sink: "Sink", stream: str, sequence: int) -> None:
        self._sink = sink
        self.stream = stream
        self.sequence = sequence

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until the server has it, and all before it; whether it does."""
        return self.sequence > 0 and self._sink.flush(timeout)

    def __repr__(self) -> str:
        return f"Pending(stream={self.stream!r}, sequence={self.sequence})"


Logged = Union[Receipt, Pending]


class Sink:
    """Takes predictions and other records. Safe for threads and across fork."""

    blocking = False  # a prediction waits for the network
    strict = False    # failures are the caller's: in sync mode, and where on_full="error" asks for it
    serving_node = ""

    @property
    def stream(self) -> str:
        """The stream of this process; "" before its first record."""
        return ""

    def predict(self, lead: bytes, tail: bytes, wait: bool = True) -> Logged:
        """Takes a prediction whose record is own members, `lead` (each member with a comma), its number, `tail`."""
        raise NotImplementedError

    def predict_many(self, lead: bytes, tails: Sequence[bytes], wait: bool = True) -> Logged:
        """Takes several; gives what became of the last."""
        logged: Optional[Logged] = None
        for tail in tails:
            logged = self.predict(lead, tail, wait)
        assert logged is not None
        return logged

    def enqueue(self, record: bytes) -> Logged:
        """Takes another record."""
        raise NotImplementedError

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Waits until the server has everything that was taken before; whether it does."""
        return True

    def close(self, timeout: float = EXIT_S) -> bool:
        """Records the final count and ends the stream; the next record begins another. Whether the server has it all."""
        return True

    def after_fork(self) -> None:
        """In the child: the stream and its files are the parent's."""


class NoSink(Sink):
    """MLTRAIL_MODE=disabled: nothing is recorded."""

    def predict(self, lead: bytes, tail: bytes, wait: bool = True) -> Logged:
        return Pending(self, "", 0)

    def enqueue(self, record: bytes) -> Logged:
        return Pending(self, "", 0)


# Forks --------------------------------------------------------------------------------------------------------

_sinks: "weakref.WeakSet[Sink]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for sink in list(_sinks):
        sink.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


class _Ending:
    """What is to be done for a sink when it is collected or the process ends, without holding the sink.

    Children of multiprocessing end without atexit: they have an ending of their own.
    """

    def __init__(self, sink: Sink, exit_s: float) -> None:
        self.close: Optional[Callable[[float], object]] = None
        self._exit_s = exit_s
        self._pid = os.getpid()
        weakref.finalize(sink, self.run, min(exit_s, COLLECTED_S)).atexit = False

    def begin(self, close: Callable[[float], object]) -> None:
        """The stream has begun: `close(seconds)` will end it."""
        self.close, self._pid = close, os.getpid()
        atexit.register(self.run)
        util = sys.modules.get("multiprocessing.util")
        process = sys.modules.get("multiprocessing.process")
        if util is not None and process is not None and process.parent_process() is not None:
            util.Finalize(None, self.run, exitpriority=10)

    def cancel(self) -> None:
        """The stream was ended otherwise, or is another process's."""
        self.close = None
        atexit.unregister(self.run)

    def run(self, seconds: Optional[float] = None) -> None:
        """Ends the stream, if nobody did."""
        close = self.close
        self.cancel()
        if close is None or self._pid != os.getpid():
            return
        try:
            close(self._exit_s if seconds is None else seconds)
        except Exception as error:  # the process is ending, and what is in the spool stays there
            log.error("the end of a stream: %s", error)


def _lead_of(serving_node: str, stream: str) -> bytes:
    return b'{"kind":"prediction","serving_node":%b,"stream":%b,' % (
        json.dumps(serving_node, ensure_ascii=False).encode("utf-8"), json.dumps(stream).encode("ascii"))


# The spool ----------------------------------------------------------------------------------------------------


class _SpoolStream:
    """One stream on disk: its writer, the threads behind it, and how its predictions begin."""

    def __init__(self, writer: SpoolWriter, courier: Optional[Courier], key: Optional[Key]) -> None:
        self.writer = writer
        self.courier = courier
        self.background = Background(writer, courier, BatchSigner(writer, key) if key is not None else None)
        self._lead = _lead_of(writer.serving_node, writer.stream)
        self._heads: Dict[bytes, bytes] = {}

    def head(self, lead: bytes) -> bytes:
        """What stands before the number of a prediction."""
        head = self._heads.get(lead)
        if head is None:
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            head = self._heads[lead] = self._lead + lead + b'"sequence":'
        return head


class SpoolSink(Sink):
    """On disk first: a prediction that was taken survives this process, and the server may be away."""

    def __init__(self, folder: spool.Folder, serving_node: str, transport: Optional[Transport], *,
                 limit: int = spool.SPOOL_MAX, on_full: str = "block", block_s: float = spool.BLOCK_S, sync_ms: int = 100,
                 key: Optional[Key] = None, exit_s: float = EXIT_S) -> None:
        if on_full not in spool.ON_FULL:
            raise ValueError(f"on_full={on_full!r}: want one of {', '.join(spool.ON_FULL)}")
        spool.make_folder(folder)  # a directory that cannot be made is found out at the start
        self.serving_node = serving_node
        self.strict = on_full == "error"
        self.folder = folder
        self._transport = transport
        self._how: Dict[str, Any] = {"limit": limit, "on_full": on_full, "block_s": block_s, "sync_ms": sync_ms}
        self._key = key
        self._opening = threading.Lock()
        self._current: Optional[_SpoolStream] = None
        self._pid = 0
        self._ending = _Ending(self, exit_s)
        _sinks.add(self)

    @property
    def stream(self) -> str:
        """The stream of this process."""
        current = self._current
        return "" if current is None else current.writer.stream

    @property
    def writer(self) -> Optional[SpoolWriter]:
        """The writer of this process's stream."""
        current = self._current
        return None if current is None else current.writer

    @property
    def courier(self) -> Optional[Courier]:
        """Who carries to the server, with its counts."""
        current = self._current
        return None if current is None else current.courier

    def predict(self, lead: bytes, tail: bytes, wait: bool = True) -> Logged:
        """Appends a prediction. SpoolBusy, with `wait` false: the spool is full, try where you may wait."""
        current = self._current
        if current is None or self._pid != os.getpid():
            current = self._open()
        writer = current.writer
        try:
            return Pending(self, writer.stream, writer.predict(current.head(lead), tail, wait))
        except SpoolClosed:
            self._leave(current)
            return self.predict(lead, tail, wait)

    def predict_many(self, lead: bytes, tails: Sequence[bytes], wait: bool = True) -> Logged:
        """Appends several in one go."""
        current = self._open()
        try:
            return Pending(self, current.writer.stream, current.writer.predict_many(current.head(lead), tails, wait))
        except SpoolClosed:
            self._leave(current)
            return self.predict_many(lead, tails, wait)

    def enqueue(self, record: bytes) -> Logged:
        """Appends a record of any kind."""
        current = self._open()
        try:
            return Pending(self, current.writer.stream, current.writer.append(record))
        except SpoolClosed:
            self._leave(current)
            return self.enqueue(record)

    def _leave(self, ended: _SpoolStream) -> None:
        """It was closed by another thread a moment ago, or since the process ends: the next stream takes what comes."""
        with self._opening:
            if self._current is ended:
                self._current = None

    def _open(self) -> _SpoolStream:
        with self._opening:
            current = self._current
            if current is not None and self._pid == os.getpid():
                return current
            if current is not None:
                current.writer.forget()  # a fork that told nobody
            writer = SpoolWriter(self.folder, self.serving_node, **self._how)
            courier = None if self._transport is None else Courier(Uplink(self._transport), self.folder)
            current = _SpoolStream(writer, courier, self._key)
            self._ending.begin(current.background.close)
            self._pid = os.getpid()
            self._current = current
            return current

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Waits until the server has everything that was appended before; whether it does."""
        current = self._current
        return current is None or current.background.flush(timeout)

    def close(self, timeout: float = EXIT_S) -> bool:
        """Appends the final count and gives the sender so long. What is left stays in the spool."""
        with self._opening:
            current, self._current = self._current, None
            self._ending.cancel()
        return current is None or current.background.close(timeout)

    def after_fork(self) -> None:
        """In the child: closes what it inherited; its first record begins a stream of its own."""
        if self._current is not None:
            self._current.writer.forget()
        self._opening = threading.Lock()
        self._current = None
        self._ending.cancel()


# Memory -------------------------------------------------------------------------------------------------------


class FireSink(Sink):
    """In memory only, and never in the way: what does not fit is dropped, and every drop is counted and recorded."""

    def __init__(self, serving_node: str, transport: Transport, *, records_max: int = FIRE_RECORDS_MAX,
                 bytes_max: int = FIRE_BYTES_MAX, exit_s: float = EXIT_S) -> None:
        self.serving_node = serving_node
        self._uplink = Uplink(transport)
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._ending = _Ending(self, exit_s)
        self._queue: Optional[_FireQueue] = None
        self._opening = threading.Lock()
        self._pid = 0
        _sinks.add(self)

    @property
    def stream(self) -> str:
        """The stream of this process."""
        queue = self._queue
        return "" if queue is None else queue.stream

    @property
    def lost(self) -> int:
        """How many predictions were dropped."""
        queue = self._queue
        return 0 if queue is None else queue.lost

    def predict(self, lead: bytes, tail: bytes, wait: bool = True) -> Logged:
        """Takes a prediction, or drops it; its number is used in either case."""
        queue = self._open()
        return Pending(self, queue.stream, queue.predict(lead, tail))

    def enqueue(self, record: bytes) -> Logged:
        """Takes another record, or drops it."""
        queue = self._open()
        return Pending(self, queue.stream, 1 if queue.put(record) else 0)

    def _open(self) -> "_FireQueue":
        queue = self._queue
        if queue is not None and self._pid == os.getpid():
            return queue
        with self._opening:
            if self._queue is not None and self._pid == os.getpid():
                return self._queue
            queue = _FireQueue(self.serving_node, self._uplink, self._records_max, self._bytes_max)
            self._ending.begin(queue.close)
            self._pid = os.getpid()
            self._queue = queue
            return queue

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Waits until the queue is empty; whether it is."""
        queue = self._queue
        return queue is None or queue.flush(timeout)

    def close(self, timeout: float = EXIT_S) -> bool:
        """Records the final count and gives the sender so long. What is left then is lost."""
        with self._opening:
            queue, self._queue = self._queue, None
            self._ending.cancel()
        return queue is None or queue.close(timeout)

    def after_fork(self) -> None:
        """In the child: the queue is the parent's to send."""
        self._opening = threading.Lock()
        self._queue = None
        self._ending.cancel()


class _FireQueue:
    """A stream in memory with the thread that sends it. `_lock` guards all but the batch in hand."""

    def __init__(self, serving_node: str, uplink: Uplink, records_max: int, bytes_max: int) -> None:
        self.stream = new_stream_name()
        self.lost = 0
        self._serving_node = serving_node
        self._lead = _lead_of(serving_node, self.stream)
        self._uplink = uplink
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._started = now()
        self._lock = threading.Condition()
        self._waiting: Deque[bytes] = collections.deque()
        self._bytes = 0
        self._in_hand = 0
        self._sequence = 0
        self._told = 0        # losses that a tally has told
        self._hurry = 0
        self._closed = self._stop = False
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="mltrail-fire", daemon=True)
        self._thread.start()

    def predict(self, lead: bytes, tail: bytes) -> int:
        with self._lock:
            self._sequence += 1
            body = b'%b%b"sequence":%d%b' % (self._lead, lead, self._sequence, tail)
            if self._put(body):
                return self._sequence
            self.lost += 1
            return 0

    def put(self, record: bytes) -> bool:
        with self._lock:
            return self._put(record)

    def _put(self, body: bytes) -> bool:
        if self._closed or len(self._waiting) >= self._records_max or self._bytes + len(body) > self._bytes_max:
            return False
        if not self._waiting:
            self._lock.notify_all()
        self._waiting.append(body)
        self._bytes += len(body)
        return True

    def _tally(self, final: bool) -> bytes:
        self._told = self.lost
        return encode_record(tally_record(self.stream, self._serving_node, self._started, now(), self._sequence, self.lost,
                                          final=final))

    def _run(self) -> None:
        backoff = Backoff()
        while True:
            batch = self._next_batch()
            if not batch:
                return
            while not self._deliver(batch, backoff):
                if self._stop:
                    return
            with self._lock:
                self._in_hand = 0
                self._lock.notify_all()

    def _next_batch(self) -> List[bytes]:
        with self._lock:
            self._lock.wait_for(lambda: self._waiting or self._stop)
            if not self._hurry and not self._stop:
                self._lock.wait_for(lambda: self._stop or self._hurry, LINGER_S)
            batch: List[bytes] = []
            size = 0
            while self._waiting and len(batch) < BATCH_RECORDS_MAX and size < BATCH_BYTES_MAX:
                batch.append(self._waiting.popleft())
                size += len(batch[-1])
            self._bytes -= size
            if batch and self.lost != self._told and not self._closed:
                batch.append(self._tally(final=False))
            self._in_hand = len(batch)
            return batch

    def _deliver(self, batch: List[bytes], backoff: Backoff) -> bool:
        try:
            rejected = self._uplink.records(batch)
        except NotDelivered as error:
            if not self._trouble:
                log.warning("predictions wait in memory and will be dropped when it is full: %s", error)
            self._trouble = str(error)
            pause = backoff.failed(error)
            with self._lock:
                self._lock.wait_for(lambda: self._stop, pause)
            return False
        backoff.succeeded()
        if self._trouble:
            log.warning("the server takes records again; %d predictions were dropped so far", self.lost)
            self._trouble = ""
        for item in rejected:
            log.error("a record was refused for good: %s %s", item.status, item.problem.get("detail") or item.problem)
        return True

    def flush(self, timeout: Optional[float]) -> bool:
        with self._lock:
            self._hurry += 1
            self._lock.notify_all()
            done = self._lock.wait_for(lambda: not self._waiting and not self._in_hand, timeout)
            self._hurry -= 1
            return done

    def close(self, timeout: float) -> bool:
        with self._lock:
            if self._sequence and not self._closed:
                # Beyond the limits: the count of what was lost must not be lost.
                self._waiting.append(self._tally(final=True))
            self._closed = True
        done = self.flush(timeout)
        with self._lock:
            self._stop = True
            self._lock.notify_all()
        self._thread.join(1.0)
        if not done:
            log.error("%d predictions were not sent and are lost with this process", len(self._waiting) + self._in_hand)
        return done


# The server ---------------------------------------------------------------------------------------------------


class SyncSink(Sink):
    """At the server before the call returns: no prediction leaves without a receipt."""

    blocking = True
    strict = True

    def __init__(self, serving_node: str, transport: Optional[Transport]) -> None:
        """Without a transport receipts are empty."""
        self.serving_node = serving_node
        self._transport = transport
        self._opening = threading.Lock()
        self._current: Optional[SyncStream] = None
        self._pid = 0
        self._ending = _Ending(self, 0.0)
        _sinks.add(self)

    @property
    def stream(self) -> str:
        """The stream of this process."""
        current = self._current
        return "" if current is None else current.name

    def predict(self, lead: bytes, tail: bytes, wait: bool = True) -> Receipt:
        """Sends a prediction. Raises when it is not durable: it must not be released then."""
        current = self.open()
        try:
            return current.predict(lead, tail)
        except SpoolClosed:  # by another thread a moment ago, or since the process ends: the next stream takes it
            with self._opening:
                if self._current is current:
                    self._current = None
            return self.predict(lead, tail, wait)

    def enqueue(self, record: bytes) -> Receipt:
        """Sends another record."""
        return _append(self._transport, record)

    def open(self) -> "SyncStream":
        """The stream of this process, begun if there is none."""
        with self._opening:
            if self._current is None or self._pid != os.getpid():
                self._current, self._pid = SyncStream(self.serving_node, self._transport), os.getpid()
                self._ending.begin(self._current.close)
            return self._current

    def close(self, timeout: float = EXIT_S) -> bool:
        """Records the final count."""
        with self._opening:
            current, self._current = self._current, None
            self._ending.cancel()
        return current is None or self._pid != os.getpid() or current.close(timeout)

    def after_fork(self) -> None:
        """In the child: a stream of its own."""
        self._opening = threading.Lock()
        self._current = None
        self._ending.cancel()


class SyncStream:
    """A stream whose predictions are at the server before anybody gets them. `_lock` guards the counts."""

    def __init__(self, serving_node: str, transport: Optional[Transport]) -> None:
        self.name = new_stream_name()
        self.sequence = 0
        self.lost = 0
        self._serving_node = serving_node
        self._transport = transport
        self._lead = _lead_of(serving_node, self.name)
        self._started = now()
        self._lock = threading.Lock()
        self._closed = False

    def predict(self, lead: bytes, tail: bytes) -> Receipt:
        """Sends a prediction. When that fails its number stays taken, and is counted as lost."""
        with self._lock:
            if self._closed:
                raise SpoolClosed(f"the stream {self.name} is closed: its final count is recorded")
            self.sequence += 1
            body = b'%b%b"sequence":%d%b' % (self._lead, lead, self.sequence, tail)
        try:
            return _append(self._transport, body)
        except BaseException:
            with self._lock:
                self.lost += 1
            raise

    def tally(self, final: bool) -> Receipt:
        """Records how many predictions there were so far; a final count ends the stream."""
        with self._lock:
            self._closed = self._closed or final
            record = tally_record(self.name, self._serving_node, self._started, now(), self.sequence, self.lost, final=final)
        return _append(self._transport, encode_record(record))

    def close(self, timeout: float = EXIT_S) -> bool:
        """Records the final count. Nothing can be logged afterwards."""
        with self._lock:
            closed, self._closed = self._closed, True
        if not closed:
            self.tally(final=True)
        return True


def _append(transport: Optional[Transport], body: bytes) -> Receipt:
    return NO_RECEIPT if transport is None else receipt_of(transport.request("POST", "/v1/records", body=body).json())
