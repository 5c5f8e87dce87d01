"""Records on disk until the server has them (docs/FORMAT.md, "Spool").

A stream is what one process writes: segments of numbered, checksummed frames, a lock that lives as long as the process,
and a position up to which the server has everything. `SpoolWriter` writes one, `DeadStream` reads what a process left
behind. The C client and `mltrail agent` read and write the same files; tests/vectors/spool holds both to it.
"""
from __future__ import annotations

import errno
import json
import logging
import os
import re
import struct
import threading
import time
import uuid
import weakref
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Sequence, Set, Tuple, Union

from .errors import SpoolBusy, SpoolClosed, SpoolError, SpoolFull
from .values import now

try:
    import fcntl
except ImportError:  # where there is no flock(2), the other modes still work
    fcntl = None  # type: ignore[assignment]

_fdatasync = getattr(os, "fdatasync", os.fsync)
log = logging.getLogger("mltrail")

MAGIC = b"mltrail-spool 1\n"
HEADER_LINE_MAX = 4096
BODY_MAX = 32 * 1024 * 1024        # what the server takes as one body
SEGMENT_MAX = 16 * 1024 * 1024     # an acknowledged segment is removed whole: its size is what is removed late
SPOOL_MAX = 1024 * 1024 * 1024     # hours of predictions, and little enough for a container's disk
SEGMENTS_OF_LIMIT = 4              # under a small limit segments are smaller, so that space comes back in parts
SEGMENT_LEAST = 64 * 1024
BLOCK_S = 10.0                     # on_full="block": long enough for a restart of the server, then an error
ON_FULL = ("block", "error", "drop")
RECORD, REQUEST = 1, 2             # types of frames
FRAME_LEAD = 17                    # bytes before a body
_READ_AT_ONCE = 1 << 20
_LOOK_S = 0.1                      # a disk may get space without a word to us

_LEAD = struct.Struct(">II")       # length of the body, checksum
_MARK = struct.Struct(">QB")       # number and type: what the checksum covers before the body
_FRAME = struct.Struct(">IIQB")
_NAME = re.compile(r"([0-9]+-[0-9a-f]{12})\.(lock|ack|([0-9]{8})\.(seg|damaged))\Z")
_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)

Folder = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Position:
    """Where a frame begins: `number` is the frame's."""

    segment: int
    offset: int
    number: int


@dataclass(frozen=True)
class Frame:
    """A frame and the position behind it."""

    number: int
    type: int
    body: bytes
    segment: int
    offset: int

    @property
    def end(self) -> Position:
        """Where the next frame begins."""
        return Position(self.segment, self.offset + FRAME_LEAD + len(self.body), self.number + 1)


@dataclass(frozen=True)
class Damage:
    """What could not be read, and why. It was not a crash that left it so."""

    stream: str
    segment: int
    offset: int
    why: str

    def __str__(self) -> str:
        return f"{self.stream}.{self.segment:08d}.seg: damaged at byte {self.offset}: {self.why}"


@dataclass(frozen=True)
class Header:
    """The second line of a segment."""

    stream: str
    serving_node: str
    segment: int
    first_frame: int
    created: str
    sequence: int = 0
    started: str = ""
    lost: int = 0

    def encode(self) -> bytes:
        """Both lines of the segment."""
        members: Dict[str, Any] = {"stream": self.stream, "serving_node": self.serving_node, "segment": self.segment,
                                   "first_frame": self.first_frame, "created": self.created, "sequence": self.sequence,
                                   "started": self.started or self.created}
        if self.lost:
            members["lost"] = self.lost
        return MAGIC + json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"


class BadFrame(Exception):
    """No good frame at this offset. `short`: the file ends within it."""

    def __init__(self, offset: int, why: str, short: bool = False, last_bytes: bool = False) -> None:
        super().__init__(why)
        self.offset = offset
        self.why = why
        self.short = short
        self.last_bytes = last_bytes


def encode_frame(number: int, type: int, body: bytes) -> bytes:
    """A frame as it stands in a segment."""
    mark = _MARK.pack(number, type)
    return _LEAD.pack(len(body), zlib.crc32(body, zlib.crc32(mark))) + mark + body


def encode_request(method: str, path: str, content_type: str, headers: Dict[str, str], body: bytes) -> bytes:
    """The body of a frame of type REQUEST."""
    head = json.dumps({"method": method, "path": path, "content_type": content_type, "headers": headers},
                      ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return struct.pack(">I", len(head)) + head + body


def decode_request(body: bytes) -> Tuple[str, str, str, Dict[str, str], bytes]:
    """Method, path, content type, headers and body of a frame of type REQUEST; ValueError."""
    if len(body) < 4 or struct.unpack_from(">I", body)[0] > len(body) - 4:
        raise ValueError("the head of the request is longer than the frame")
    end = 4 + struct.unpack_from(">I", body)[0]
    head = json.loads(body[4:end].decode("utf-8"))
    if not isinstance(head, dict) or not isinstance(head.get("method"), str) or not isinstance(head.get("path"), str):
        raise ValueError("the head of the request wants method and path")
    headers = head.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise ValueError("the headers of the request are no object of strings")
    return head["method"], head["path"], str(head.get("content_type") or ""), headers, body[end:]


def decode_header(start: bytes, stream: str, segment: int) -> Tuple[Header, int]:
    """The header at the start of a segment and its length; BadFrame."""
    line_end = start.find(b"\n", len(MAGIC), len(MAGIC) + HEADER_LINE_MAX)
    if not start.startswith(MAGIC) or line_end < 0:
        cut = len(start) < len(MAGIC) + HEADER_LINE_MAX and line_end < 0 and MAGIC.startswith(start[:len(MAGIC)])
        raise BadFrame(0, "no header of a segment", short=cut)
    try:
        members = json.loads(start[len(MAGIC):line_end].decode("utf-8"))
        header = Header(_text(members["stream"]), _text(members["serving_node"]), _count(members["segment"]),
                        _count(members["first_frame"]), _text(members["created"]), _count(members.get("sequence", 0)),
                        _text(members.get("started", members["created"])), _count(members.get("lost", 0)))
    except (ValueError, KeyError, TypeError) as error:
        raise BadFrame(len(MAGIC), f"the header cannot be read: {error!r}") from None
    if header.stream != stream or header.segment != segment or header.first_frame < 1:
        raise BadFrame(len(MAGIC), f"the header is of {header.stream} segment {header.segment}")
    return header, line_end + 1


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"want a string, have {value!r:.40}")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"want a whole number, have {value!r:.40}")
    return value


def read_frames(fd: int, start: Position, end: int) -> Iterator[Frame]:
    """The frames from `start` up to the offset `end`. BadFrame where one is not good."""
    buffer, base = b"", start.offset
    offset, number = start.offset, start.number
    while offset < end:
        if offset + FRAME_LEAD > end:
            raise BadFrame(offset, "the frame is cut off", short=True)
        if offset + FRAME_LEAD > base + len(buffer):
            buffer, base = _pread(fd, min(_READ_AT_ONCE, end - offset), offset), offset
        length, checksum, found, type = _FRAME.unpack_from(buffer, offset - base)
        size = FRAME_LEAD + length
        if length > BODY_MAX or offset + size > end:
            raise BadFrame(offset, f"the frame of {length} bytes is cut off", short=True)
        if offset + size > base + len(buffer):
            buffer, base = _pread(fd, max(min(_READ_AT_ONCE, end - offset), size), offset), offset
        at = offset - base
        body = buffer[at + FRAME_LEAD:at + size]
        why = _fault(buffer[at + 8:at + FRAME_LEAD], body, checksum, found, number, type)
        if why:
            raise BadFrame(offset, why, last_bytes=offset + size == end)
        yield Frame(number, type, body, start.segment, offset)
        offset += size
        number += 1


def _fault(mark: bytes, body: bytes, checksum: int, found: int, number: int, type: int) -> str:
    if zlib.crc32(body, zlib.crc32(mark)) != checksum:
        return "wrong checksum"
    if found != number:
        return f"frame {found} where {number} was due"
    return "" if type in (RECORD, REQUEST) else f"unknown type {type}"


def _pread(fd: int, size: int, offset: int) -> bytes:
    parts: List[bytes] = []
    while size > 0:
        part = os.pread(fd, size, offset)
        if not part:
            raise BadFrame(offset, "the file is shorter than it was", short=True)
        parts.append(part)
        size -= len(part)
        offset += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def good_frames_behind(data: bytes, offset: int, number: int) -> Iterator[Frame]:
    """Whole good frames of greater numbers at any offset above: what a torn write cannot have behind it."""
    # A number of the same segment has the same upper bytes, but where it passes 2^32.
    lead = re.escape(struct.pack(">I", number >> 32))
    candidate = re.compile(b"(?=" + lead + b"....[\x01\x02])", re.DOTALL)
    skip = offset + 1 + _LEAD.size
    while True:
        match = candidate.search(data, skip)
        if match is None:
            return
        at = match.start() - _LEAD.size
        skip = match.start() + 1
        length, checksum, found, type = _FRAME.unpack_from(data, at)
        body_at = at + FRAME_LEAD
        if found <= number or length > len(data) - body_at:
            continue
        body = data[body_at:body_at + length]
        if zlib.crc32(body, zlib.crc32(data[at + 8:body_at])) == checksum:
            yield Frame(found, type, body, 0, at)
            number = found
            skip = body_at + length + _LEAD.size


class StreamFiles:
    """The names of one stream's files."""

    def __init__(self, folder: Folder, stream: str) -> None:
        self.folder = Path(folder)
        self.stream = stream
        self.lock = self.folder / f"{stream}.lock"
        self.ack = self.folder / f"{stream}.ack"
        self._fresh_ack = self.folder / f"{stream}.ack.tmp"

    def segment(self, number: int) -> Path:
        """The path of a segment."""
        return self.folder / f"{self.stream}.{number:08d}.seg"

    def damaged(self, number: int) -> Path:
        """Where a damaged segment is kept."""
        return self.folder / f"{self.stream}.{number:08d}.damaged"

    def segments(self) -> List[int]:
        """The numbers of the segments that are there, in order."""
        found = (_NAME.match(name) for name in os.listdir(self.folder))
        return sorted(int(match[3]) for match in found if match and match[1] == self.stream and match[4] == "seg")

    def read_ack(self) -> Optional[Position]:
        """The position that was acknowledged; None where there is none that can be read."""
        try:
            words = self.ack.read_text(encoding="ascii").split("\n")[0].split(" ")
            segment, offset, number = (int(word) for word in words)
        except (OSError, ValueError):
            return None
        return Position(segment, offset, number) if min(segment, offset, number) >= 0 else None

    def write_ack(self, position: Position, durable: bool = False) -> None:
        """Replaces the acknowledged position. Synced only if `durable`, and an old one stays where the disk is full: while
        the segments are there that costs a repetition, no more."""
        try:
            with open(self._fresh_ack, "w", encoding="ascii") as file:
                file.write(f"{position.segment} {position.offset} {position.number}\n")
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(self._fresh_ack, self.ack)
            if durable:
                sync_folder(self.folder)
        except OSError as error:
            if error.errno not in _FULL_ERRNOS:
                raise

    def remove_segment(self, number: int, damaged: bool) -> None:
        """Removes a segment that the server has; keeps a damaged one under another name."""
        try:
            if damaged:
                os.replace(self.segment(number), self.damaged(number))
            else:
                os.unlink(self.segment(number))
        except FileNotFoundError:
            pass

    def remove(self, acked: Optional[Position], damaged: Set[int]) -> None:
        """Removes a stream that the server has up to `acked`, which is its end, or that has nothing to send (None).

        A power loss may bring segments back, and not the last ones: `.ack` is safe before the first one goes, and goes
        when they are gone for good, so that a count is never made anew from half a stream.
        """
        segments = self.segments()
        if segments and acked is not None:
            self.write_ack(acked, durable=True)
        for segment in segments:
            self.remove_segment(segment, segment in damaged)
        if segments:
            sync_folder(self.folder)
        for path in (self._fresh_ack, self.ack, self.lock):  # the lock last
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass


def make_folder(folder: Folder) -> None:
    """Makes the directory of a spool: 0700, for it holds what the records hold."""
    os.makedirs(folder, mode=0o700, exist_ok=True)


def streams_in(folder: Folder) -> List[str]:
    """The streams that have a file in the directory."""
    found = (_NAME.match(name) for name in os.listdir(folder))
    return sorted({match[1] for match in found if match and match[4] != "damaged"})


def spool_size(folder: Folder, without: str = "") -> int:
    """Bytes of all segments, but for those of the stream `without`."""
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            match = _NAME.match(entry.name)
            if match and match[3] and match[1] != without:
                try:
                    total += entry.stat(follow_symlinks=False).st_size
                except FileNotFoundError:
                    pass
    return total


def new_stream_name() -> str:
    """A name that no other process has."""
    return f"{os.getpid()}-{uuid.uuid4().hex[:12]}"


def take_lock(path: Path, create: bool) -> Optional[int]:
    """A descriptor that holds the lock; None when another has it or the file is gone. SpoolError where there are no locks.

    Who removes a stream unlinks its lock last and while holding it: a lock on a file that has no name any more is none.
    """
    if fcntl is None:
        raise SpoolError("a spool needs flock(2), which this system does not have: use mode sync or fire")
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0), 0o600)
    except (FileNotFoundError, FileExistsError):
        return None
    except PermissionError:
        if create:
            raise
        return None  # another user's, and that user's to take over
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.stat(path), os.fstat(fd)):
            _held_locks.add(fd)
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(fd)
    return None


def release_lock(fd: int) -> None:
    """Gives a lock back; nothing, where a fork has taken it away."""
    if fd in _held_locks:
        _held_locks.discard(fd)
        os.close(fd)


# A lock belongs to the open file, which a child of fork shares: it would hold what its parent took, beyond its death.
_held_locks: Set[int] = set()
_writers: "weakref.WeakSet[SpoolWriter]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for writer in list(_writers):
        writer.forget()
    for fd in list(_held_locks):
        release_lock(fd)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def sync_folder(folder: Folder) -> None:
    """Makes new names in the directory survive a power loss."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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


def encode_record(record: Any) -> bytes:
    """A record of ours (plain types alone) as compact JSON."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


class SpoolWriter:
    """The stream of this process: appends frames, hands them to a sender, forgets what the server has.

    An append is one write(2) of whole frames under `_lock`: it survives the death of the process when it returns, and a
    power loss `sync_ms` later (0: at once). A prediction takes its number in the same moment, so that the order of the
    file is the order of the numbers; when it cannot be written its number stays taken and is counted in `lost`.

    `_lock` guards all that follows it below; outside of it a descriptor is used as a duplicate alone. In a child of
    fork it is closed: the child begins a writer of its own.
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
        self._space = threading.Condition(self._lock)
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
        self._unsynced = False
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
            mark = _MARK.pack(number, RECORD)
            frame = _LEAD.pack(len(body), zlib.crc32(body, zlib.crc32(mark))) + mark + body
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
        if self._fd < 0 or (self._offset + size > self._segment_max and self._number > self._first):
            if not self._next_segment():
                return False
        self._set_room()
        return size + spare <= self._limit - self._used()

    def _used(self) -> int:
        return sum(self._sizes.values()) + self._offset + self._others

    def _set_room(self) -> None:
        self._room = 0 if self._fd < 0 or self._closed else min(self._segment_max, self._offset + self._limit - self._used())

    def _write(self, frames: bytes) -> bool:
        """Writes behind the last frame; false when the disk is full, with nothing written. OSError likewise."""
        try:
            whole = os.write(self._fd, frames) == len(frames)
        except OSError as error:
            self._undo()
            if error.errno in _FULL_ERRNOS:
                return False
            raise
        if not whole:
            self._undo()
            return False
        if self.sync_ms == 0 and not self._sync_or_undo():
            return False
        self._offset += len(frames)
        if self.sync_ms == 0:
            self.on_append()
        elif not self._unsynced:
            self._unsynced = True
            self.on_append()
        return True

    def _sync_or_undo(self) -> bool:
        """Makes a write safe before it counts; false when the disk is full. OSError likewise, with nothing written."""
        try:
            self._sync_now()
            return True
        except OSError as error:
            self._undo()
            if self._fd >= 0:
                # The system tells of a lost page once: the next sync would say that all is well.
                self._leave_segment()
            if error.errno in _FULL_ERRNOS:
                return False
            raise

    def _undo(self) -> None:
        """Takes back half a write, so that the next frame stands behind the last good one."""
        try:
            os.ftruncate(self._fd, self._offset)
        except OSError:
            # What stands behind the offset is unknown: nothing more is written to this segment.
            self._leave_segment()

    def _leave_segment(self) -> None:
        self._sizes[self._segment] = self._offset
        os.close(self._fd)
        self._fd, self._offset, self._room = -1, 0, 0

    def _next_segment(self) -> bool:
        """Begins the next segment; false when there is no space for it. The one before is synced first."""
        segment = self._segment + 1
        header = Header(self.stream, self.serving_node, segment, self._number, self._clock(), self.sequence, self.started,
                        self.lost).encode()
        if len(header) > self._limit - self._used():
            return False
        path = self.files.segment(segment)
        fd = -1
        try:
            if self._fd >= 0:
                _fdatasync(self._fd)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            if os.write(fd, header) != len(header):
                raise OSError(errno.ENOSPC, "the header of a segment was not written whole")
            sync_folder(self.files.folder)
        except OSError as error:
            if fd >= 0:
                os.close(fd)
                os.unlink(path)
            if error.errno in _FULL_ERRNOS:
                return False
            raise
        if self._fd >= 0:
            self._leave_segment()
        self._fd, self._segment, self._first, self._offset = fd, segment, self._number, len(header)
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
            self._space.wait(min(left, _LOOK_S))
            if self._closed:
                raise SpoolError(f"the stream {self.stream} was closed while it was full")
            return True
        raise SpoolFull(f"{self.files.folder}: the spool (at most {self._limit} bytes) or its disk is full, "
                        "for the server takes too little")

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
        """Makes what was appended survive a power loss."""
        with self._lock:
            if not self._unsynced or self._fd < 0:
                return
            self._unsynced = False
            fd = os.dup(self._fd)
        try:
            _fdatasync(fd)
        finally:
            os.close(fd)

    def _sync_now(self) -> None:
        if self._fd >= 0:
            _fdatasync(self._fd)
        self._unsynced = False

    def batch(self, records_max: int, bytes_max: int) -> Batch:
        """The next frames that the server does not have."""
        end = self.written()
        return read_batch(self.files, self.acked, end.segment, end.offset, records_max, bytes_max)

    def acknowledge(self, position: Position, damage: Optional[Damage] = None) -> None:
        """The server has everything before `position`. Removes the segments that this completes."""
        with self._lock:
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
        survey = _Surveyor(self.files, None)
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
                if self._fd >= 0:
                    self._sync_now()

    def release(self) -> None:
        """Gives the stream up: removes it when the server has everything, else leaves it to whoever adopts it."""
        with self._lock:
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


# Reading ------------------------------------------------------------------------------------------------------


@dataclass
class Batch:
    """What is sent next: frames, the position behind them, and what could not be read on the way."""

    frames: List[Frame]
    end: Position
    damage: Optional[Damage] = None


def read_batch(files: StreamFiles, start: Position, last_segment: int, last_end: int, records_max: int,
               bytes_max: int) -> Batch:
    """Frames from `start` on, of one segment, up to offset `last_end` of segment `last_segment` (negative: its file's end).

    A request (type 2) comes alone. No frames, and an end that is `start`: there is nothing.
    """
    at = start
    while True:
        last = at.segment >= last_segment
        try:
            fd = os.open(files.segment(at.segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if last:
                return Batch([], at)
            # Passed over by an earlier reader, or damaged by being gone: the caller surveyed that.
            at = Position(at.segment + 1, 0, at.number)
            continue
        try:
            size = os.fstat(fd).st_size
            end = min(size, last_end) if last and last_end >= 0 else size
            batch = _read_batch_of(files, fd, at, end, last, records_max, bytes_max)
        finally:
            os.close(fd)
        if batch.frames or batch.damage or last:
            return batch
        at = Position(at.segment + 1, 0, batch.end.number)


def _read_batch_of(files: StreamFiles, fd: int, at: Position, end: int, last: bool, records_max: int,
                   bytes_max: int) -> Batch:
    frames: List[Frame] = []
    size = 0
    try:
        if at.offset == 0:
            header, offset = decode_header(os.pread(fd, min(end, len(MAGIC) + HEADER_LINE_MAX), 0), files.stream, at.segment)
            at = Position(at.segment, offset, header.first_frame)
        for frame in read_frames(fd, at, end):
            if frames and (frame.type == REQUEST or len(frames) == records_max or size + len(frame.body) > bytes_max):
                break
            frames.append(frame)
            size += len(frame.body) + 1
            at = frame.end
            if frame.type == REQUEST:
                break
    except BadFrame as bad:
        if frames:
            return Batch(frames, at)  # these first; the next reading begins at the fault
        if last and is_torn(fd, bad, at.number, end):
            return Batch([], at)
        return Batch([], Position(at.segment + 1, 0, at.number), Damage(files.stream, at.segment, bad.offset, bad.why))
    return Batch(frames, at)


def is_torn(fd: int, bad: BadFrame, number: int, end: int) -> bool:
    """Whether a fault in the last segment is what a crash leaves."""
    if bad.short:
        before = number - 1 if bad.offset == 0 else number  # of a header: its own frame is behind it
        return next(good_frames_behind(os.pread(fd, end, 0), bad.offset, before), None) is None
    return bad.last_bytes


@dataclass
class Survey:
    """What a stream that nobody writes any more consists of."""

    header: Optional[Header]       # of the last segment that has one; without any, no tally can be made
    start: Position                # the first that the server does not have
    end: Position                  # behind the last good frame: where the owed tally goes
    count: int = 0                 # highest prediction number
    lost: int = 0                  # numbers that no readable frame has
    finished: bool = False         # the last frame is the final tally
    torn: int = 0                  # bytes of a torn tail
    damage: List[Damage] = field(default_factory=list)


class _Surveyor:
    """Reads a dead stream once from its first byte."""

    def __init__(self, files: StreamFiles, acked: Optional[Position]) -> None:
        self.files = files
        self.acked = acked
        self.header: Optional[Header] = None
        self.count = 0
        self.lost = 0
        self.finished = False
        self.torn = 0
        self.damage: List[Damage] = []
        self.end = Position(1, 0, 1)
        self._unread = False  # numbers were passed over that are at the server

    def run(self) -> Optional[Survey]:
        segments = self.files.segments()
        if segments and self.acked is not None and self.acked.segment > segments[-1]:
            # A power loss while it was removed brought some back: all of it was acknowledged.
            return Survey(None, self.acked, self.acked, finished=True)
        for i, segment in enumerate(segments):
            if i and segment != segments[i - 1] + 1:
                self._report(segments[i - 1] + 1, 0, "the segment is missing")
            self.read(segment, segment == segments[-1])
        if self.header is None and not self.damage:
            return None
        return Survey(self.header, self._start(segments[0]), self.end, self.count, self.lost, self.finished, self.torn,
                      self.damage)

    def _start(self, first: int) -> Position:
        try:
            if self.acked is not None and self.acked.offset <= self.files.segment(self.acked.segment).stat().st_size:
                return self.acked
        except FileNotFoundError:
            pass
        return Position(first, 0, 1)

    def _report(self, segment: int, offset: int, why: str) -> None:
        if self.acked is None or (segment, offset) >= (self.acked.segment, self.acked.offset):
            if not self.files.damaged(segment).exists():
                self.damage.append(Damage(self.files.stream, segment, offset, why))

    def read(self, segment: int, last: bool, behind: bool = True) -> None:
        """Reads one segment; with `behind`, the good frames behind damage are counted too."""
        data = self.files.segment(segment).read_bytes()
        fd = os.open(self.files.segment(segment), os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._read_frames(fd, data, segment)
        except BadFrame as bad:
            if last and is_torn(fd, bad, self.end.number, len(data)):
                self.torn = len(data) - bad.offset
                return
            self._report(segment, bad.offset, bad.why)
            self.finished = False
            number = self.end.number
            for frame in good_frames_behind(data, bad.offset, number) if behind else ():
                self._take(frame, sent=False)
                number = frame.number + 1
            self.end = Position(segment + 1, 0, number)
        finally:
            os.close(fd)

    def _read_frames(self, fd: int, data: bytes, segment: int) -> None:
        self.end = Position(segment, 0, self.end.number)
        header, offset = decode_header(data[:len(MAGIC) + HEADER_LINE_MAX], self.files.stream, segment)
        self.end = Position(segment, offset, header.first_frame)
        self._take_header(header)
        while True:
            try:
                for frame in read_frames(fd, self.end, len(data)):
                    self._take(frame)
                    self.end = frame.end
                return
            except BadFrame:
                acked = self.acked
                if acked is None or acked.segment != segment or not self.end.offset < acked.offset <= len(data):
                    raise
                # Damage before the acknowledged position costs nothing.
                self.end = acked
                self._unread = True

    def _take_header(self, header: Header) -> None:
        if self.header is None:
            self.count, self.lost = header.sequence, header.lost
        else:
            self._see(header.sequence, sent=False)
        self.header = header

    def _take(self, frame: Frame, sent: bool = True) -> None:
        self.finished = False
        if frame.type != RECORD:
            return
        try:
            record = json.loads(frame.body)
        except (ValueError, RecursionError):
            return
        if not isinstance(record, dict) or record.get("stream", self.files.stream) != self.files.stream:
            return
        if record.get("kind") == "prediction" and isinstance(record.get("sequence"), int):
            self._see(record["sequence"], sent=sent)
        scope = record.get("scope")
        self.finished = sent and record.get("kind") == "tally" and record.get("final") is True and \
            isinstance(scope, dict) and scope.get("stream") == self.files.stream

    def _see(self, sequence: int, sent: bool) -> None:
        if sequence > self.count:
            if not self._unread:
                self.lost += sequence - self.count - (1 if sent else 0)
            self.count = sequence
        self._unread = False


class DeadStream:
    """A stream whose writer is gone, held by its lock until it is removed or given back."""

    def __init__(self, files: StreamFiles, lock_fd: int, survey: Survey) -> None:
        self.files = files
        self.stream = files.stream
        self.survey = survey
        self.acked = survey.start
        self._lock_fd = lock_fd
        self._damaged = {damage.segment for damage in survey.damage}

    @classmethod
    def adopt(cls, folder: Folder, stream: str) -> Optional["DeadStream"]:
        """Takes the stream over. None: its writer lives, another has it, or there is nothing in it."""
        files = StreamFiles(folder, stream)
        lock_fd = take_lock(files.lock, create=False)
        if lock_fd is None and not files.lock.exists() and files.segments():
            lock_fd = take_lock(files.lock, create=True)  # a lock that somebody removed by hand
        if lock_fd is None:
            return None
        try:
            survey = _Surveyor(files, files.read_ack()).run()
            if survey is not None:
                return cls(files, lock_fd, survey)
        except BaseException:
            release_lock(lock_fd)
            raise
        files.remove(None, set())
        release_lock(lock_fd)
        return None

    def owe(self, clock: Callable[[], str] = now) -> Optional[bytes]:
        """Appends the tally that the writer owes, if it does; gives the record."""
        survey = self.survey
        header = survey.header
        if header is None or survey.finished or survey.count == 0:
            return None
        body = encode_record(tally_record(self.stream, header.serving_node, header.started or header.created, clock(),
                                          survey.count, survey.lost, final=True, recovered=True))
        end = survey.end
        path = self.files.segment(end.segment)
        if end.offset == 0:
            fresh = Header(self.stream, header.serving_node, end.segment, end.number, clock(), survey.count,
                           header.started or header.created, survey.lost).encode()
            path.write_bytes(fresh)
            end = Position(end.segment, len(fresh), end.number)
        else:
            os.truncate(path, end.offset)
        frame = encode_frame(end.number, RECORD, body)
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            if os.write(fd, frame) != len(frame):
                # Whoever reads on would take half a tally for a torn tail, and the stream for one that is done.
                raise OSError(errno.ENOSPC, "the tally of a writer that died was not written whole")
            _fdatasync(fd)
        finally:
            os.close(fd)
        survey.finished, survey.torn = True, 0
        return body

    def batch(self, records_max: int, bytes_max: int) -> Batch:
        """The next frames that the server does not have."""
        segments = self.files.segments()
        return read_batch(self.files, self.acked, segments[-1] if segments else 0, -1, records_max, bytes_max)

    def acknowledge(self, position: Position, damage: Optional[Damage] = None) -> None:
        """The server has everything before `position`."""
        if damage is not None:
            self._damaged.add(damage.segment)
        self.acked = position
        self.files.write_ack(position)
        for segment in self.files.segments():
            if segment < position.segment:
                self.files.remove_segment(segment, segment in self._damaged)

    def remove(self) -> None:
        """Removes what the server has: all of it."""
        if self._lock_fd >= 0:
            self.files.remove(self.acked, self._damaged)
            self.give_back()

    def give_back(self) -> None:
        """Leaves the rest to whoever comes next."""
        release_lock(self._lock_fd)
        self._lock_fd = -1


def dead_streams(folder: Folder, but: Sequence[str] = ()) -> Iterator[DeadStream]:
    """Takes over, one after the other, the streams whose writers are gone."""
    try:
        names = streams_in(folder)
    except FileNotFoundError:
        return
    for name in names:
        if name not in but:
            try:
                dead = DeadStream.adopt(folder, name)
            except (OSError, SpoolError) as error:
                log.error("%s/%s: cannot be taken over, and is left: %s", os.fspath(folder), name, error)
                continue
            if dead is not None:
                yield dead


REJECTED_NAME = "rejected.ndjson"


def keep_rejected(folder: Folder, items: Sequence[Dict[str, Any]]) -> None:
    """Appends to rejected.ndjson what the server refused for good."""
    lines = b"".join(encode_record(item) + b"\n" for item in items)
    fd = os.open(Path(folder) / REJECTED_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        while lines:
            lines = lines[os.write(fd, lines):]
        _fdatasync(fd)
    finally:
        os.close(fd)
