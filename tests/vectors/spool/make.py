#!/usr/bin/python3
"""Writes the spools of this folder anew, by the writer of the Python SDK and by harm done to its files.

What a reader has to make of them stands in expected.json, which is written by hand: `send` has the frames that the
server still has to get, in order; `torn` the bytes of the torn tail; `damage` where reading stopped (a missing segment:
offset 0); `kept` the damaged segments that stay under another name; `tally` the count that is owed and appended as frame
`number` (null: none). `body` is text, `base64` what is none.

    PYTHONPATH=sdk/python tests/vectors/spool/make.py [FOLDER]
"""
from __future__ import annotations

import shutil
import sys
from pathlib import Path

from mltrail import spool

STREAM = "4711-00112233aabb"
NODE = "node-1"
NOW = "2026-11-25T08:00:00Z"


def prediction(writer: spool.SpoolWriter, request_id: str) -> None:
    writer.predict(b'{"kind":"prediction","serving_node":"node-1","stream":"%b","sequence":' % writer.stream.encode(),
                   b',"request_id":"%b","timestamp":"2026-11-25T08:00:00Z","prediction":1}' % request_id.encode())


class Made:
    """One spool. Segments hold about four predictions."""

    def __init__(self, top: Path, name: str) -> None:
        self.folder = top / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.writer = spool.SpoolWriter(self.folder, NODE, stream=STREAM, segment_max=1000, clock=lambda: NOW)

    def predictions(self, first: int, last: int) -> None:
        for n in range(first, last + 1):
            prediction(self.writer, f"r-{n}")

    def frames(self, segment: int) -> list:
        """Offset and length of each frame."""
        data = bytes(self.data(segment))
        _, start = spool.decode_header(data, STREAM, segment)
        found = []
        while start < len(data):
            length = spool.FRAME_LEAD + int.from_bytes(data[start:start + 4], "big")
            found.append((start, length))
            start += length
        return found

    def path(self, segment: int) -> Path:
        return self.writer.files.segment(segment)

    def data(self, segment: int) -> bytearray:
        return bytearray(self.path(segment).read_bytes())

    def flip(self, segment: int, offset: int) -> None:
        data = self.data(segment)
        data[offset] ^= 0x20
        self.path(segment).write_bytes(data)

    def acked(self, segment: int, frame: int, number: int) -> None:
        """The server has what is before the frame of this position (from 0) in the segment."""
        self.writer.files.write_ack(spool.Position(segment, self.frames(segment)[frame][0], number))


def whole(top: Path) -> None:
    """Three segments, an HTTP request among the records, two frames acknowledged."""
    made = Made(top, "whole")
    made.predictions(1, 3)
    made.writer.append(spool.encode_request("POST", "/v1/traces?x=1", "application/x-protobuf", {"X-Note": "ü"},
                                            b"\x00\xff\n\x80"), spool.REQUEST)
    made.predictions(4, 9)
    made.writer.append('{"kind":"x-note","event_id":"e-1","text":"größe"}'.encode())
    made.acked(1, 2, 3)


def torn(top: Path) -> None:
    """Killed within a write: the last frame is short."""
    made = Made(top, "torn")
    made.predictions(1, 3)
    made.path(1).write_bytes(made.data(1)[:-7])


def torn_checksum(top: Path) -> None:
    """Power was lost: the last frame has its length and not its content."""
    made = Made(top, "torn-checksum")
    made.predictions(1, 3)
    made.flip(1, len(made.data(1)) - 3)


def torn_header(top: Path) -> None:
    """Killed while the second segment was begun."""
    made = Made(top, "torn-header")
    made.predictions(1, 6)
    made.path(2).write_bytes(made.data(2)[:40])


def damaged(top: Path) -> None:
    """A bit of the second frame of the first of two segments is another."""
    made = Made(top, "damaged")
    made.predictions(1, 6)
    start, length = made.frames(1)[1]
    made.flip(1, start + length - 4)


def damaged_last(top: Path) -> None:
    """The same in the last segment: with good frames behind it, it is no torn tail, and they count."""
    made = Made(top, "damaged-last")
    made.predictions(1, 3)
    start, length = made.frames(1)[1]
    made.flip(1, start + length - 4)


def changed_length(top: Path) -> None:
    """The length of a frame points beyond the end: what is behind it must not go for a torn tail."""
    made = Made(top, "changed-length")
    made.predictions(1, 3)
    data = made.data(1)
    data[made.frames(1)[1][0] + 2] ^= 0x40
    made.path(1).write_bytes(data)


def unknown_type(top: Path) -> None:
    """A frame with a good checksum and a type that nobody knows, in the first of two segments."""
    made = Made(top, "unknown-type")
    made.predictions(1, 2)
    made.writer.append(b"?", 9)
    made.predictions(3, 6)


def missing(top: Path) -> None:
    """The second of three segments is gone."""
    made = Made(top, "missing")
    made.predictions(1, 10)
    made.path(2).unlink()


def acked_damage(top: Path) -> None:
    """What is damaged was acknowledged before."""
    made = Made(top, "acked-damage")
    made.predictions(1, 3)
    made.acked(1, 2, 3)
    made.flip(1, made.frames(1)[0][0] + 40)


def bad_ack(top: Path) -> None:
    """An .ack that cannot be read: everything is sent again."""
    made = Made(top, "bad-ack")
    made.predictions(1, 2)
    made.writer.files.ack.write_text("1 2")


def finished(top: Path) -> None:
    """The writer ended cleanly, the server has half."""
    made = Made(top, "finished")
    made.predictions(1, 2)
    made.writer.close()
    made.acked(1, 1, 2)


def dropped(top: Path) -> None:
    """Numbers were taken and dropped, before and within the segments that are there."""
    made = Made(top, "dropped")
    made.predictions(1, 2)
    with made.writer._lock:
        made.writer.sequence += 3
        made.writer.lost += 3
    made.predictions(6, 8)
    made.path(1).unlink()
    made.acked(2, 0, made.writer.written().number - len(made.frames(2)))
    with made.writer._lock:
        made.writer.sequence += 1
        made.writer.lost += 1
    made.predictions(10, 10)


def acknowledged(top: Path) -> None:
    """The server has all but the tally: the count is in the header of an empty segment."""
    made = Made(top, "acknowledged")
    made.predictions(1, 4)
    with made.writer._lock:
        made.writer._next_segment()
    end = made.writer.written()
    made.writer.files.write_ack(end)
    for segment in range(1, end.segment):
        made.path(segment).unlink()


def brought_back(top: Path) -> None:
    """All was acknowledged, and removed; a power loss brought the first segment back, and not the one with the tally."""
    made = Made(top, "brought-back")
    made.predictions(1, 4)
    made.writer.close()
    end = made.writer.written()
    made.writer.files.write_ack(end)
    made.path(end.segment).unlink()


def acked_beyond(top: Path) -> None:
    """The server has more than a power loss left here: .ack leads behind the end of the segment."""
    made = Made(top, "acked-beyond")
    made.predictions(1, 3)
    made.writer.files.write_ack(made.writer.written())
    made.path(1).write_bytes(made.data(1)[:made.frames(1)[2][0]])


CASES = [whole, torn, torn_checksum, torn_header, damaged, damaged_last, changed_length, unknown_type, missing, acked_damage,
         bad_ack, finished, dropped, acknowledged,
         brought_back, acked_beyond]


def make(top: Path) -> None:
    """Writes all of them below `top`."""
    for case in CASES:
        case(top)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
