"""The stream of this process, as it is written."""
from __future__ import annotations

import errno
import os
import threading
import time
import uuid
import weakref
import zlib
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Set, Tuple

from ..errors import SpoolBusy, SpoolClosed, SpoolError, SpoolFull
from ..values import now
from .files import (FULL_ERRNOS, Folder, StreamFiles, fdatasync, make_folder, new_stream_name, release_lock,
                    spool_size, take_lock)
from .frame import BODY_MAX, FRAME_LEAD, LEAD, MARK, RECORD, Damage, Header, Position, encode_frame, encode_record
from .reader import Batch, Surveyor, read_batch

SEGMENT_MAX = 16 * 1024 * 1024     # an acknowledged segment is removed whole: its size is what is removed late
SPOOL_MAX = 1024 * 1024 * 1024     # hours of predictions, and little enough for a container's disk
SEGMENTS_OF_LIMIT = 4              # under a small limit segments are smaller, so that space comes back in parts
SEGMENT_LEAST = 64 * 1024
BLOCK_S = 10.0                     # on_full="block": long enough for a restart of the server, then an error
ON_FULL = ("block", "error", "drop")
_BESIDE_MOST = FRAME_LEAD + 20     # bytes of a frame beside what is appended: a number has at most 20 digits
_LOOK_S = 0.1                      # a disk may get space without a word to us


def tally_record(stream: str, serving_node: str, started: str, until: str, count: int, lost: int, *,
                 final: bool, recovered: bool = False, counted: str = "prediction") -> Dict[str, Any]:
    """The record that says how many predictions, or other records, a stream had."""
    record: Dict[str, Any] = {
        "kind": "tally", "event_id": f"{stream}-final" if final else f"{stream}-{uuid.uuid4().hex[:12]}", "timestamp": until,
        "source": serving_node, "counted": counted, "scope": {"serving_node": serving_node, "stream": stream},
        "from": started, "to": until, "count": count}
    if lost:
        record["lost"] = lost
    if final:
        record["final"] = True
    if recovered:
        record["recovered"] = True
    return record


class SpoolWriter:
    """The stream of this process: appends frames, hands them to a sender, forgets what the server has.

    An append is one write(2) of whole frames under `_lock`: it survives the death of the process when it returns, and a
    power loss `sync_ms` later (0: at once). A prediction takes its number in the same moment, so that the order of the
    file is the order of the numbers; when it cannot be written its number stays taken and is counted in `lost`.

    A sync that failed may have lost what it had to write, and the system says so once: the next one would succeed without
    it. So what no sync has covered is kept, and the segment is then written again as another file under its name. Frames
    stay where they were; nothing more is appended before.

    `_lock` guards all that follows it below. In a child of fork it is closed: the child begins a writer of its own.
    """

    def __init__(self, folder: Folder, serving_node: str, *, stream: Optional[str] = None, limit: int = SPOOL_MAX,
                 on_full: str = "block", block_s: float = BLOCK_S, sync_ms: int = 100,
                 segment_max: Optional[int] = None, clock: Callable[[], str] = now) -> None:
        if on_full not in ON_FULL:
            raise ValueError(f"on_full={on_full!r}: want one of {', '.join(ON_FULL)}")
        if limit < SEGMENT_LEAST:
            raise ValueError(f"a spool of {limit} bytes: want at least {SEGMENT_LEAST}")
        make_folder(folder)
        self._lock_fd, self.files = _begin_stream(folder, stream)
        self.stream = self.files.stream
        self.serving_node = serving_node
        self.sync_ms = sync_ms
        self.started = clock()
        self._clock = clock
        self._limit = limit
        self._on_full = on_full
        self._block_s = block_s
        self._segment_max = segment_max or min(SEGMENT_MAX, max(SEGMENT_LEAST, limit // SEGMENTS_OF_LIMIT))
        self._lock = threading.Lock()
        self._space = threading.Condition(self._lock)  # there may be space, or `_syncing` has ended
        self.sequence = 0                 # the last prediction number that was taken
        self.lost = 0                     # of them: those that were not written
        self.acked = Position(1, 0, 1)    # the server has everything before
        self._damaged: Set[int] = set()   # segments to keep
        self._sizes: Dict[int, int] = {}  # of the segments that are there, but for the current one
        self._others = 0                  # bytes of other streams, as last measured
        self._full_since = 0.0            # when there was no space for the first time; 0: there is
        self._short = False               # there was no space for something
        self._fd = -1                     # the current segment
        self._segment = 0
        self._first = 1                   # number of its first frame
        self._offset = 0                  # where the next frame goes
        self._room = 0                    # offset that a frame may not pass without a closer look
        self._number = 1                  # of the next frame
        self._safe = 0                    # what a power loss leaves of the current segment
        self._unsafe: List[bytes] = []    # the frames behind it, but for those of a sync that is under way
        self._syncing = False             # somebody syncs `_fd` without the lock: it stays open, its segment the current one
        self._spoilt = False              # the segment is written again before anything is appended
        self._closed = False
        self.signed: Optional[Deque[Tuple[int, bytes]]] = None  # where predictions that are to be signed go
        self.on_append: Callable[[], object] = int  # called at the first append after each sync, under `_lock`
        _writers.add(self)
        self.measure()

    # Appending ------------------------------------------------------------------------------------------------

    def predict(self, head: bytes, tail: bytes, wait: bool = True) -> int:
        """Appends a prediction: `head`, its number, `tail`. Gives the number, or 0 when it was dropped (on_full).

        SpoolFull, OSError: its number is lost. SpoolBusy, with `wait` false: no number was taken, try where you may wait.
        """
        with self._lock:
            sequence = self.sequence + 1
            body = b"%b%d%b" % (head, sequence, tail)
            number = self._number
            mark = MARK.pack(number, RECORD)
            frame = LEAD.pack(len(body), zlib.crc32(body, zlib.crc32(mark))) + mark + body
            end = self._offset + len(frame)
            # The path that nearly every prediction takes: _append does the same with all checks.
            if end <= self._room:
                try:
                    if self._write(frame):
                        self._number = number + 1
                        self.sequence = sequence
                        if self.signed is not None:
                            self.signed.append((sequence, body))
                        return sequence
                except OSError:
                    pass  # once more, with care
            return self.sequence if self._append(RECORD, [(head, tail)], True, wait) else 0

    def predict_many(self, head: bytes, tails: Sequence[bytes], wait: bool = True) -> int:
        """Appends predictions in few writes; gives the number of the last one, or 0."""
        with self._lock:
            return self.sequence if self._append(RECORD, [(head, tail) for tail in tails], True, wait) else 0

    def append(self, body: bytes, type: int = RECORD, wait: bool = True, spare: int = 0) -> int:
        """Appends a frame that is no prediction; gives its number, or 0 when it was dropped. It leaves `spare` bytes free."""
        with self._lock:
            return self._number - 1 if self._append(type, [(body, b"")], False, wait, spare) else 0

    def _append(self, type: int, parts: List[Tuple[bytes, bytes]], numbered: bool, wait: bool, spare: int = 0) -> bool:
        """Appends with every check; false when something was dropped. `numbered`: each takes a prediction number."""
        if self._closed:
            raise SpoolClosed(f"the stream {self.stream} is closed: its final count is recorded")
        done = 0
        try:
            while done < len(parts):
                while self._syncing and (self._spoilt or self._is_over(sum(map(len, parts[done])) + _BESIDE_MOST)):
                    self._wait()
                run = self._append_run(type, parts[done:], numbered, spare)
                done += run
                if run > 0:
                    self._full_since = 0.0
                elif not self._wait_for_space(wait or done > 0):
                    return False
            return True
        except SpoolBusy:
            done = len(parts)
            raise
        finally:
            if numbered:
                self.sequence += len(parts) - done
                self.lost += len(parts) - done

    def _append_run(self, type: int, parts: List[Tuple[bytes, bytes]], numbered: bool, spare: int) -> int:
        """Writes as many as the current segment takes, in one go; 0: there is no space."""
        frames: List[bytes] = []
        bodies: List[Tuple[int, bytes]] = []
        size = 0
        for i, (head, tail) in enumerate(parts):
            body = b"%b%d%b" % (head, self.sequence + 1 + i, tail) if numbered else head + tail
            if len(body) > BODY_MAX:
                raise SpoolError(f"a frame of {len(body)} bytes: want at most {BODY_MAX}")
            frame = encode_frame(self._number + i, type, body)
            if not frames and not self._make_room(len(frame), spare):
                return 0
            if frames and self._offset + size + len(frame) > self._room:
                break
            frames.append(frame)
            bodies.append((self.sequence + 1 + i, body))
            size += len(frame)
        if not self._write(b"".join(frames)):
            return 0
        self._number += len(frames)
        if numbered:
            self.sequence += len(frames)
            if self.signed is not None:
                self.signed.extend(bodies)
        return len(frames)

    def _make_room(self, size: int, spare: int) -> bool:
        """Sees to a segment that takes a frame of `size`; false when there is no space for it and `spare` bytes behind."""
        try:
            if self._spoilt:
                self._write_again()
        except OSError as error:
            if error.errno in FULL_ERRNOS:
                return False
            raise
        if self._is_over(size) and not self._next_segment():
            return False
        self._set_room()
        return size + spare <= self._limit - self._used()

    def _is_over(self, size: int) -> bool:
        """Whether a frame of `size` goes into the next segment."""
        return self._fd < 0 or (self._offset + size > self._segment_max and self._number > self._first)

    def _used(self) -> int:
        return sum(self._sizes.values()) + self._offset + self._others

    def _set_room(self) -> None:
        closed = self._fd < 0 or self._spoilt or self._closed
        self._room = 0 if closed else min(self._segment_max, self._offset + self._limit - self._used())

    def _write(self, frames: bytes) -> bool:
        """Writes behind the last frame; false when the disk is full, with nothing written. OSError likewise."""
        try:
            whole = os.write(self._fd, frames) == len(frames)
        except OSError as error:
            self._undo()
            if error.errno in FULL_ERRNOS:
                return False
            raise
        if not whole:
            self._undo()
            return False
        if self.sync_ms == 0 and not self._sync_or_undo():
            return False
        self._offset += len(frames)
        if self.sync_ms == 0:
            self._safe = self._offset
            self.on_append()
            return True
        if not self._unsafe:
            self.on_append()
        self._unsafe.append(frames)
        return True

    def _sync_or_undo(self) -> bool:
        """Makes a write safe before it counts; false when the disk is full. OSError likewise, with nothing written."""
        try:
            fdatasync(self._fd)
            return True
        except OSError as error:
            self._spoil()
            self._undo()
            if error.errno in FULL_ERRNOS:
                return False
            raise

    def _undo(self) -> None:
        """Takes back half a write, so that the next frame stands behind the last good one."""
        try:
            os.ftruncate(self._fd, self._offset)
        except OSError:
            self._spoil()  # what stands behind the offset is unknown

    def _spoil(self) -> None:
        self._spoilt, self._room = True, 0

    def _write_again(self) -> None:
        """Replaces the file of the segment, from what is safe on disk and what was kept. OSError: it has to be tried again."""
        safe = os.pread(self._fd, self._safe, 0)
        if len(safe) != self._safe:
            raise OSError(errno.EIO, "a segment is shorter than it was", os.fspath(self.files.segment(self._segment)))
        fd = self.files.make_segment(self._segment, b"".join([safe, *self._unsafe]), again=True)
        os.close(self._fd)
        self._fd, self._safe, self._spoilt = fd, self._offset, False
        self._unsafe.clear()
        self._set_room()

    def _make_safe(self) -> None:
        """Makes what was appended survive a power loss, without anybody who syncs beside. OSError: it does not yet."""
        if self._unsafe and not self._spoilt:
            try:
                fdatasync(self._fd)
                self._safe = self._offset
                self._unsafe.clear()
            except OSError:
                self._spoil()
        if self._spoilt:
            self._write_again()

    def _leave_segment(self) -> None:
        self._sizes[self._segment] = self._offset
        os.close(self._fd)
        self._fd, self._offset, self._room, self._safe, self._spoilt = -1, 0, 0, 0, False
        self._unsafe.clear()

    def _next_segment(self) -> bool:
        """Begins the next segment; false when there is no space for it. The one before is made safe first."""
        segment = self._segment + 1
        header = Header(self.stream, self.serving_node, segment, self._number, self._clock(), self.sequence, self.started,
                        self.lost).encode()
        if len(header) > self._limit - self._used():
            return False
        try:
            self._make_safe()
            fd = self.files.make_segment(segment, header)
        except OSError as error:
            if error.errno in FULL_ERRNOS:
                return False
            raise
        if self._fd >= 0:
            self._leave_segment()
        self._fd, self._segment, self._first, self._offset = fd, segment, self._number, len(header)
        self._safe = len(header)
        if self.acked.offset == 0:
            self.acked = Position(segment, self._offset, self._number)
        return True

    def _wait_for_space(self, may_wait: bool) -> bool:
        """Waits for space; false: drop it. All appends share one wait: who comes when it is over waits no more."""
        self._short = True
        if self._on_full == "drop":
            return False
        self._full_since = self._full_since or time.monotonic()
        left = self._full_since + self._block_s - time.monotonic()
        if self._on_full == "block" and left > 0:
            if not may_wait:
                raise SpoolBusy("the spool is full, and this is no place to wait")
            self._wait(min(left, _LOOK_S))
            return True
        raise SpoolFull(f"{self.files.folder}: the spool (at most {self._limit} bytes) or its disk is full, "
                        "for the server takes too little")

    def _wait(self, seconds: Optional[float] = None) -> None:
        self._space.wait(seconds)
        if self._closed:
            raise SpoolError(f"the stream {self.stream} was closed while an append waited")

    def _await_sync(self) -> None:
        while self._syncing:
            self._space.wait()

    # What a sender does ---------------------------------------------------------------------------------------

    def written(self) -> Position:
        """Where the next frame will be."""
        with self._lock:
            return Position(self._segment, self._offset, self._number)

    def measure(self) -> None:
        """Looks how much the other streams of the directory occupy."""
        others = spool_size(self.files.folder, self.stream)
        with self._lock:
            self._others = others
            self._set_room()
            self._space.notify_all()

    def sync(self) -> None:
        """Makes what was appended survive a power loss. OSError: it does not yet, and nothing can be appended."""
        with self._lock:
            self._await_sync()  # it may have begun before what is to be synced here was appended
            if self._unsafe and not self._spoilt:
                self._sync_unlocked()
            if self._spoilt:
                self._write_again()

    def _sync_unlocked(self) -> None:
        """Syncs while others append."""
        end, unsafe, done = self._offset, self._unsafe, False
        self._unsafe, self._syncing = [], True
        self._lock.release()
        try:
            fdatasync(self._fd)
            done = True
        except OSError:
            pass
        finally:
            self._lock.acquire()
            self._syncing = False
            self._space.notify_all()
            if done:
                self._safe = end
            else:
                self._unsafe[:0] = unsafe
                self._spoil()

    def batch(self, records_max: int, bytes_max: int) -> Batch:
        """The next frames that the server does not have."""
        end = self.written()
        return read_batch(self.files, self.acked, end.segment, end.offset, records_max, bytes_max)

    def acknowledge(self, position: Position, damage: Optional[Damage] = None) -> None:
        """The server has everything before `position`. Removes the segments that this completes."""
        with self._lock:
            if damage is not None or (position.segment, position.offset) == (self._segment, self._offset):
                self._await_sync()  # for the segment may end
            if damage is not None:
                self._damaged.add(damage.segment)
                self._lose(damage)
                if damage.segment == self._segment and self._fd >= 0:
                    position = self._pass_over_current()
            elif position.segment == self._segment and position.offset == self._offset and self._first < self._number and \
                    (self._short or self._offset > self._segment_max // 2):
                position = self._renew_segment()
            self.acked = position
            gone = [segment for segment in self._sizes if segment < position.segment]
        self.files.write_ack(position)
        for segment in sorted(gone):
            self.files.remove_segment(segment, segment in self._damaged)
        with self._lock:
            for segment in gone:
                self._sizes.pop(segment, None)
            self._set_room()
            self._space.notify_all()

    def _renew_segment(self) -> Position:
        """All is at the server: a fresh segment gives the space of the current one back."""
        if not self._next_segment():
            # Not even a header has space. For a moment there is no segment: who is killed in it leaves no count.
            self._leave_segment()
            del self._sizes[self._segment]
            self.files.remove_segment(self._segment, self._segment in self._damaged)
            self._next_segment()
        self._short = False
        return Position(self._segment, self._offset, self._number)

    def _lose(self, damage: Damage) -> None:
        """Counts the prediction numbers of a damaged segment from the fault on."""
        survey = Surveyor(self.files, None)
        survey.read(damage.segment, last=False, behind=False)
        first = survey.count
        if survey.header is None:
            return  # how many it had is not known; the gap shows in the trail all the same
        if damage.segment == self._segment:
            self.lost += self.sequence - first
        else:
            survey.read(damage.segment + 1, last=True, behind=False)
            header = survey.header
            if header is not None and header.segment == damage.segment + 1:
                self.lost += header.sequence - first

    def _pass_over_current(self) -> Position:
        if not self._next_segment():
            raise SpoolFull(f"{self.files.folder}: no space for a segment after a damaged one")
        return Position(self._segment, self._offset, self._number)

    # The end --------------------------------------------------------------------------------------------------

    def tally(self, final: bool = False) -> bytes:
        """The record that says how many predictions there were so far."""
        with self._lock:
            return encode_record(tally_record(self.stream, self.serving_node, self.started, self._clock(), self.sequence,
                                              self.lost, final=final))

    def close(self) -> None:
        """Appends the final count. Nothing can be appended afterwards; what is there can still be sent."""
        with self._lock:
            self._await_sync()
            if self._closed:
                return
            self._on_full = "error"
            try:
                if self.sequence:
                    record = tally_record(self.stream, self.serving_node, self.started, self._clock(), self.sequence,
                                          self.lost, final=True)
                    self._append(RECORD, [(encode_record(record), b"")], False, False)
            finally:
                self._closed = True
                self._room = 0
                self._space.notify_all()
                self._make_safe()

    def release(self) -> None:
        """Gives the stream up: removes it when the server has everything, else leaves it to whoever adopts it."""
        with self._lock:
            self._await_sync()
            done = self._fd < 0 and not self._sizes or \
                self._closed and self.acked == Position(self._segment, self._offset, self._number)
            if self._fd >= 0:
                self._leave_segment()
            if self._lock_fd < 0:
                return
            if done:
                self.files.remove(self.acked, self._damaged)
            release_lock(self._lock_fd)
            self._lock_fd = -1

    def forget(self) -> None:
        """After a fork, in the child: the files are the parent's. Its locks may be held by threads that are not here."""
        if self._fd >= 0:
            os.close(self._fd)
        release_lock(self._lock_fd)
        self._fd = self._lock_fd = -1
        self._room = 0
        self._unsafe, self._spoilt, self._syncing = [], False, False
        self._closed = True
        self._lock = threading.Lock()
        self._space = threading.Condition(self._lock)


def _begin_stream(folder: Folder, stream: Optional[str]) -> Tuple[int, StreamFiles]:
    for _ in range(8):
        files = StreamFiles(folder, stream or new_stream_name())
        fd = take_lock(files.lock, create=True)
        if fd is not None:
            return fd, files
    raise SpoolError(f"{os.fspath(folder)}: no lock for a new stream")


_writers: "weakref.WeakSet[SpoolWriter]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for writer in list(_writers):
        writer.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
