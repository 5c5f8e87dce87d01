"""What is read of a stream: batches to send, and a survey of what a writer left."""
from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import List, Optional

from .files import StreamFiles
from .frame import (HEADER_LINE_MAX, MAGIC, RECORD, REQUEST, BadFrame, Damage, Frame, Header, Position, decode_header,
                    good_frames_behind, read_frames)


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


class Surveyor:
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
