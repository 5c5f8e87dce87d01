"""From the spool, or from memory, to the server: batches, retries, and what becomes of records that are refused.

A `Courier` carries one batch a step and says how long to wait before the next. `Background` is the pair of threads of a
stream on disk: one sends, one makes what was appended survive a power loss and signs it. `drain` empties a directory.
"""
from __future__ import annotations

import gzip
import http.client
import json
import logging
import random
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Protocol, Sequence, Tuple

from . import spool
from .errors import MltrailError, SpoolError
from .spool import Batch, Damage, DeadStream, Frame, Position, SpoolWriter
from .transport import Exchange, Transport
from .values import now

log = logging.getLogger("mltrail")

BATCH_RECORDS_MAX = 1000
BATCH_BYTES_MAX = 4 * 1024 * 1024
GZIP_LEAST = 1024              # less does not get smaller
BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 15.0
REFUSED_S = 30.0               # between attempts while the server refuses us: somebody has to do something first
LINGER_S = 0.05                # for more records to come along
OWN_TURNS = 16                 # batches of our own, while there are more, between those of dead writers
LOOK_AROUND_S = 30.0           # for streams of writers that died
KEEP_LEAST_MS = 10             # sync_ms=0 syncs at each append: the keeper only signs then
# What a server says about itself, a proxy before it, or our token; whatever else is 4xx is about what was sent.
NOT_ABOUT_IT = frozenset((401, 403, 407, 408, 409, 421, 425, 429))
# POST /v1/records is on every trail: where it is not, the URL is wrong. A request of another path may be unknown to it.
NOT_ABOUT_RECORDS = NOT_ABOUT_IT | {402, 404, 405, 426, 451}
REFUSED = frozenset((401, 402, 403, 404, 405, 407, 426, 451))


class NotDelivered(Exception):
    """The server did not take it; it is to be sent again. `refused`: not before somebody does something."""

    def __init__(self, why: str, wait_s: Optional[float] = None, refused: bool = False) -> None:
        super().__init__(why)
        self.wait_s = wait_s
        self.refused = refused


@dataclass(frozen=True)
class Rejected:
    """What the server refused for good: which of the bodies, and why."""

    index: int
    status: int
    problem: Dict[str, Any]


class Uplink:
    """The way to one server. NotDelivered: what was to be sent is still to be sent."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._gzip = not transport.is_local

    def records(self, bodies: Sequence[bytes]) -> List[Rejected]:
        """Sends records in one batch. All that are not in the answer are in the trail."""
        answer = self._post("POST", "/v1/records", {"Content-Type": "application/x-ndjson"}, b"\n".join(bodies) + b"\n",
                            NOT_ABOUT_RECORDS)
        document = answer.document()
        if answer.status in (200, 201, 422) and "rejected" in document:
            return [Rejected(int(problem.get("line", 1)) - 1, answer.status, problem)
                    for problem in document.get("problems") or ()]
        if answer.status < 300:
            # Something that answers 200 to everything is no trail: nothing of it counts as delivered.
            raise NotDelivered(f"{answer.status} without a receipt: is this a trail?", refused=True)
        if len(bodies) == 1:
            return [Rejected(0, answer.status, document)]
        # One of them spoils the request as a whole: the others shall not suffer for it.
        half = len(bodies) // 2
        first, second = self.records(bodies[:half]), self.records(bodies[half:])
        return first + [Rejected(half + item.index, item.status, item.problem) for item in second]

    def request(self, body: bytes) -> List[Rejected]:
        """Sends a request as it came."""
        try:
            method, path, content_type, headers, content = spool.decode_request(body)
        except ValueError as error:
            return [Rejected(0, 0, {"code": "no-request", "detail": str(error)})]
        if content_type:
            headers = {**headers, "Content-Type": content_type}
        answer = self._post(method, path, headers, content, NOT_ABOUT_IT)
        return [] if answer.status < 300 else [Rejected(0, answer.status, answer.document())]

    def _post(self, method: str, path: str, headers: Dict[str, str], body: bytes,
              not_about_it: FrozenSet[int]) -> Exchange:
        """The answer, when it is one about what was sent."""
        answer = self._exchange(method, path, headers, body)
        if answer.status == 415 and self._gzip:
            self._gzip = False
            answer = self._exchange(method, path, headers, body)
        if answer.status >= 500 or 300 <= answer.status < 400 or answer.status in not_about_it:
            detail = answer.document().get("detail")
            raise NotDelivered(f"the server answers {answer.status}: {detail or 'no detail given'}", answer.retry_after,
                               answer.status in REFUSED)
        return answer

    def _exchange(self, method: str, path: str, headers: Dict[str, str], body: bytes) -> Exchange:
        if self._gzip and len(body) >= GZIP_LEAST and "Content-Encoding" not in headers:
            body = gzip.compress(body, 5)
            headers = {**headers, "Content-Encoding": "gzip"}
        try:
            return self._transport.exchange(method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            raise NotDelivered(f"no answer: {error or type(error).__name__}") from error


class Backoff:
    """How long to wait after a failure: twice as long after each, with jitter so that a fleet does not march in step."""

    def __init__(self, refused_s: float = REFUSED_S) -> None:
        self._refused_s = refused_s
        self._next = BACKOFF_FIRST_S

    def failed(self, why: NotDelivered) -> float:
        """The seconds to wait."""
        if why.refused:
            return self._refused_s * random.uniform(0.75, 1.25)
        wait, self._next = self._next, min(self._next * 2, BACKOFF_MOST_S)
        if why.wait_s is not None:
            return min(max(why.wait_s, BACKOFF_FIRST_S), BACKOFF_MOST_S) * random.uniform(1.0, 1.25)
        return wait * random.uniform(0.5, 1.0)

    def succeeded(self) -> None:
        """Begins from the shortest wait again."""
        self._next = BACKOFF_FIRST_S


class Source(Protocol):
    """Frames of one stream, from the first that the server does not have."""

    stream: str
    acked: Position

    def batch(self, records_max: int, bytes_max: int) -> Batch:
        """The next frames."""

    def acknowledge(self, position: Position, damage: Optional[Damage] = None) -> None:
        """The server has what is before."""


class Courier:
    """Carries batches; keeps count; says once what is wrong, and once that it is well again."""

    def __init__(self, uplink: Uplink, folder: "spool.Folder", refused_s: float = REFUSED_S) -> None:
        self._uplink = uplink
        self._folder = folder
        self._backoff = Backoff(refused_s)
        self.sent = 0
        self.rejected = 0
        self.damage: List[Damage] = []
        self.trouble = ""  # why the last attempt failed; "" when it did not

    def step(self, source: Source) -> Optional[float]:
        """Sends the next batch. Gives the seconds to wait before the next step, or None when there is nothing to send."""
        batch = source.batch(BATCH_RECORDS_MAX, BATCH_BYTES_MAX)
        if not batch.frames:
            if batch.damage:
                self.damage.append(batch.damage)
                log.error("%s; what is behind it in the segment was not sent, the file is kept", batch.damage)
            if batch.end == source.acked:
                return None
            source.acknowledge(batch.end, batch.damage)
            return 0.0
        try:
            rejected = self._send(batch.frames)
            self._keep(source.stream, batch.frames, rejected)
        except NotDelivered as error:
            self._report(str(error))
            return self._backoff.failed(error)
        except OSError as error:
            self._report(f"{spool.REJECTED_NAME} cannot be written: {error}")
            return self._backoff.failed(NotDelivered(""))
        source.acknowledge(batch.end)
        self.sent += len(batch.frames) - len(rejected)
        self.rejected += len(rejected)
        self._backoff.succeeded()
        self._report("")
        return 0.0

    def _send(self, frames: List[Frame]) -> List[Rejected]:
        if frames[0].type == spool.REQUEST:
            return self._uplink.request(frames[0].body)
        return self._uplink.records([frame.body for frame in frames])

    def _keep(self, stream: str, frames: List[Frame], rejected: List[Rejected]) -> None:
        if not rejected:
            return
        first = rejected[0]
        log.error("%d of %d records refused for good, kept in %s/%s; the first: %s %s", len(rejected), len(frames),
                  self._folder, spool.REJECTED_NAME, first.status, first.problem.get("detail") or first.problem)
        spool.keep_rejected(self._folder, [rejected_line(stream, frames[item.index], item) for item in rejected])

    def _report(self, trouble: str) -> None:
        if trouble and not self.trouble:
            log.warning("records wait in %s: %s", self._folder, trouble)
        elif self.trouble and not trouble:
            log.warning("the server takes records again")
        self.trouble = trouble


def rejected_line(stream: str, frame: Frame, item: Rejected) -> Dict[str, Any]:
    """What rejected.ndjson says about a frame."""
    text = frame.body.decode("utf-8", "replace")
    try:
        record = json.loads(text)
    except ValueError:
        record = text
    return {"at": now(), "stream": stream, "frame": frame.number, "status": item.status, "problem": item.problem,
            "record": record}


class Signer(Protocol):
    """Makes the records that sign predictions (batch.py)."""

    def waiting(self) -> int:
        """How many predictions are not signed yet."""

    def due(self, now: bool) -> bool:
        """Whether a batch is to be signed: it is full, or old enough, or it is the last chance."""

    def record(self) -> bytes:
        """The record over the next batch; the same again until `done`."""

    def done(self) -> None:
        """The record is in the spool."""


class Background:
    """The threads behind a `SpoolWriter`. They begin with the first record and end with `close`."""

    def __init__(self, writer: SpoolWriter, courier: Optional[Courier],
                 signer: Optional[Signer] = None, linger_s: float = LINGER_S,
                 look_around_s: float = LOOK_AROUND_S) -> None:
        self._writer = writer
        self._courier = courier
        self._signer = signer
        self._linger_s = linger_s
        self._look_around_s = look_around_s
        self._wake_sender = threading.Event()
        self._wake_keeper = threading.Event()
        self._moved = threading.Condition()  # the acknowledged position has
        self._hurry = 0                      # callers of flush that wait
        self._nudged = False                 # by a flush: try at once
        self._stop = False
        self._ended = threading.Event()      # `_stop` to wait for
        self._threads: List[threading.Thread] = []
        self._signing = threading.Lock()     # one batch after the other
        self._unsigned = False               # the last signature could not be made or appended
        self._dead: Optional[DeadStream] = None  # the sender's: a stream that it took over
        self._look_at = 0.0                  # and when it looks for another
        self._tallied = 0                    # losses that a tally has told
        writer.on_append = self._appended
        if courier is not None:
            self._start("mltrail-sender", self._send)
        self._start("mltrail-keeper", self._keep)

    def _start(self, name: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the interpreter is ending: what is appended now waits for whoever adopts it
            log.warning("predictions stay in the spool: %s", error)
            return
        self._threads.append(thread)

    def _appended(self) -> None:
        # Under the writer's lock, once after each sync: keep it short.
        self._wake_keeper.set()
        self._wake_sender.set()

    # The keeper -----------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        pause = max(self._writer.sync_ms, KEEP_LEAST_MS) / 1000
        unsafe = False
        while not self._stop:
            self._wake_keeper.wait()
            self._wake_keeper.clear()
            self._ended.wait(pause)
            try:
                self._writer.sync()
                unsafe = False
            except OSError as error:
                if not unsafe:
                    log.error("what was appended to the spool does not survive a power loss yet: %s", error)
                unsafe = True
                self._wake_keeper.set()  # once more
            self._wake_sender.set()  # for appends since the last sync made no sound
            self._sign(now=False)
            self._tell_losses()

    def _sign(self, now: bool) -> None:
        """Appends signatures over what was not signed yet: whole batches, and `now` or after SIGN_S the rest."""
        signer = self._signer
        if signer is None:
            return
        try:
            with self._signing:
                while signer.due(now):
                    self._writer.append(signer.record(), wait=False)
                    signer.done()
        except (MltrailError, OSError) as error:
            if not self._unsigned:
                log.error("predictions are logged without a signature: %s", error)
            self._unsigned = True
        else:
            self._unsigned = False
        if signer.waiting() and not self._stop:
            self._wake_keeper.set()

    def _tell_losses(self) -> None:
        lost = self._writer.lost
        if lost == self._tallied:
            return
        try:
            self._writer.append(self._writer.tally(), wait=False)
            self._tallied = lost
        except (SpoolError, OSError):
            self._wake_keeper.set()  # when there is space again

    # The sender -----------------------------------------------------------------------------------------------

    def _send(self) -> None:
        turn = 0
        while not self._stop:
            wait = self._step(self._writer)
            turn += 1
            if wait is None or wait == 0.0 and turn % OWN_TURNS == 0:
                others = self._step_dead()
                wait = others if wait is None else wait
            if wait is None:
                self._idle(self._look_at)
            elif wait > 0:
                self._pause(wait)
        if self._dead is not None:
            self._dead.give_back()

    def _step(self, source: Source) -> Optional[float]:
        assert self._courier is not None
        try:
            return self._courier.step(source)
        except Exception as error:  # a thread that ends would leave everything unsent without a word
            log.exception("sending from the spool failed: %s", error)
            return BACKOFF_MOST_S
        finally:
            with self._moved:
                self._moved.notify_all()

    def _step_dead(self) -> Optional[float]:
        """Sends a batch of a stream whose writer died. None: there is no such stream, as far as we looked."""
        assert self._courier is not None
        try:
            if self._dead is None:
                self._dead = self._next_dead()
            if self._dead is None:
                return None
            wait = self._courier.step(self._dead)
            if wait is not None:
                return wait
            self._dead.remove()
            self._dead, self._look_at = None, 0.0
            return 0.0
        except (OSError, ValueError, SpoolError) as error:
            log.error("a stream whose writer died cannot be sent: %s", error)
            if self._dead is not None:
                self._dead.give_back()
            self._dead, self._look_at = None, time.monotonic() + self._look_around_s
            return None

    def _next_dead(self) -> Optional[DeadStream]:
        if time.monotonic() < self._look_at:
            return None
        self._writer.measure()
        for dead in spool.dead_streams(self._writer.files.folder, [self._writer.stream]):
            try:
                begin_dead(dead)
                return dead
            except (OSError, ValueError, SpoolError) as error:
                dead.give_back()
                log.error("%s: the stream of a writer that died cannot be taken over yet: %s", dead.stream, error)
            except BaseException:
                dead.give_back()
                raise
        self._look_at = time.monotonic() + self._look_around_s
        return None

    def _idle(self, look_at: float) -> None:
        self._wake_sender.wait(max(look_at - time.monotonic(), 0.0))
        self._wake_sender.clear()
        if not self._hurry:
            self._pause(self._linger_s)

    def _pause(self, seconds: float) -> None:
        with self._moved:
            self._moved.wait_for(lambda: self._stop or self._nudged or self._hurry > 0 and seconds <= self._linger_s, seconds)
            self._nudged = False

    # From outside ---------------------------------------------------------------------------------------------

    def flush(self, timeout: Optional[float]) -> bool:
        """Waits until the server has all that was appended before; whether it does."""
        self._sign(now=True)
        target = self._writer.written().number
        end = None if timeout is None else time.monotonic() + timeout
        with self._moved:
            self._hurry += 1
            self._nudged = True
            self._moved.notify_all()
        self._wake_sender.set()
        try:
            with self._moved:
                while self._courier is not None and self._threads and not self._stop and self._writer.acked.number < target:
                    left = None if end is None else end - time.monotonic()
                    if left is not None and left <= 0:
                        break
                    self._moved.wait(left if left is None else min(left, 0.5))
        finally:
            with self._moved:
                self._hurry -= 1
        return self._writer.acked.number >= target

    def close(self, timeout: float) -> bool:
        """Appends the final count, gives the sender so long, and ends. What is left is for whoever adopts it."""
        self._sign(now=True)
        try:
            self._writer.close()
        except (SpoolError, OSError) as error:
            log.error("the final count of %s was not recorded: %s", self._writer.stream, error)
        done = self.flush(timeout)
        with self._moved:
            self._stop = True
            self._moved.notify_all()
        self._ended.set()
        self._wake_sender.set()
        self._wake_keeper.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(5.0)
        # A sender that still waits for an answer may acknowledge later: the files stay then.
        if all(not thread.is_alive() for thread in self._threads):
            self._writer.release()
        return done


def begin_dead(dead: DeadStream) -> None:
    """Reports what is wrong with a stream that was taken over, and appends the tally it owes."""
    for damage in dead.survey.damage:
        if not dead.files.segment(damage.segment).exists():
            log.error("%s", damage)  # of the others the courier speaks when it comes to them
    if dead.survey.torn:
        log.info("%s: %d bytes of a torn tail dropped", dead.stream, dead.survey.torn)
    dead.owe()


@dataclass
class Drained:
    """What became of a directory."""

    streams: int = 0
    sent: int = 0
    rejected: int = 0
    left: int = 0       # streams that are still there
    damage: Tuple[Damage, ...] = ()
    trouble: str = ""


def drain(folder: "spool.Folder", transport: Transport, timeout: Optional[float] = None) -> Drained:
    """Sends what dead writers left in the directory. Ends when all is sent, or `timeout` after the last progress."""
    courier = Courier(Uplink(transport), folder, refused_s=1.0)
    done = Drained()
    for dead in spool.dead_streams(folder):
        try:
            begin_dead(dead)
            done.damage += tuple(dead.survey.damage)
            if not _carry_all(courier, dead, timeout):
                break
            dead.remove()
            done.streams += 1
        finally:
            dead.give_back()
    done.sent, done.rejected, done.trouble = courier.sent, courier.rejected, courier.trouble
    done.left = len(spool.streams_in(folder)) if Path(folder).is_dir() else 0
    return done


def _carry_all(courier: Courier, dead: DeadStream, timeout: Optional[float]) -> bool:
    progress = time.monotonic()
    while True:
        wait = courier.step(dead)
        if wait is None:
            return True
        if wait == 0.0:
            progress = time.monotonic()
        elif timeout is not None and time.monotonic() + wait - progress > timeout:
            return False
        else:
            time.sleep(wait)
