"""Streams whose writers are gone: taken over, ended with the count that they owe, sent, removed."""
from __future__ import annotations

import errno
import logging
import os
from typing import Callable, Iterator, Optional, Sequence

from ..errors import SpoolError
from ..values import now
from .files import Folder, StreamFiles, fdatasync, release_lock, streams_in, take_lock
from .frame import RECORD, Damage, Header, Position, encode_frame, encode_record
from .reader import Batch, Survey, Surveyor, read_batch
from .writer import tally_record

log = logging.getLogger("mltrail")


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
            files.remove_leftovers()
            survey = Surveyor(files, files.read_ack()).run()
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
        if self.files.read_ack() not in (None, self.acked):
            self.files.write_ack(self.acked, durable=True)  # it led behind the end, and would lead into the tally
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
            fdatasync(fd)
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
