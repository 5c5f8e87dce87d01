"""The files of a spool: their names, their locks, how they come and go."""
from __future__ import annotations

import errno
import os
import re
import uuid
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Set, Union

from ..errors import SpoolError
from .frame import Position, encode_record

try:
    import fcntl
except ImportError:  # where there is no flock(2), the other modes still work
    fcntl = None  # type: ignore[assignment]

REJECTED_NAME = "rejected.ndjson"
FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
_NAME = re.compile(r"([0-9]+-[0-9a-f]{12})\.(lock|ack|([0-9]{8})\.(seg|damaged))\Z")

Folder = Union[str, "os.PathLike[str]"]
fdatasync = getattr(os, "fdatasync", os.fsync)


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

    def _fresh_segment(self, number: int) -> Path:
        return self.folder / f"{self.stream}.{number:08d}.seg.tmp"

    def make_segment(self, number: int, data: bytes, again: bool = False) -> int:
        """Makes the file of a segment, safe from a power loss; gives a descriptor for appends. `again`: in the place of one."""
        path = self._fresh_segment(number) if again else self.segment(number)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if again else os.O_EXCL) | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, "a segment was not written whole")
            fdatasync(fd)
            if again:
                os.replace(path, self.segment(number))
            sync_folder(self.folder)
            return fd
        except BaseException:
            os.close(fd)
            _unlink(path)
            raise

    def remove_leftovers(self) -> None:
        """Removes what a writer left that died while it wrote a segment again."""
        for name in os.listdir(self.folder):
            if name.startswith(f"{self.stream}.") and name.endswith(".seg.tmp"):
                _unlink(self.folder / name)

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
            if error.errno not in FULL_ERRNOS:
                raise

    def remove_segment(self, number: int, damaged: bool) -> None:
        """Removes a segment that the server has; keeps a damaged one under another name."""
        if not damaged:
            _unlink(self.segment(number))
            return
        try:
            os.replace(self.segment(number), self.damaged(number))
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
        self.remove_leftovers()
        for path in (self._fresh_ack, self.ack, self.lock):  # the lock last
            _unlink(path)


def _unlink(path: Path) -> None:
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


def sync_folder(folder: Folder) -> None:
    """Makes new names in the directory survive a power loss."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


# Locks --------------------------------------------------------------------------------------------------------


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


def _after_fork_in_child() -> None:
    for fd in list(_held_locks):
        release_lock(fd)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


# Refused records ----------------------------------------------------------------------------------------------


def keep_rejected(folder: Folder, items: Sequence[Dict[str, Any]]) -> None:
    """Appends to rejected.ndjson what the server refused for good."""
    lines = b"".join(encode_record(item) + b"\n" for item in items)
    fd = os.open(Path(folder) / REJECTED_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        while lines:
            lines = lines[os.write(fd, lines):]
        fdatasync(fd)
    finally:
        os.close(fd)
