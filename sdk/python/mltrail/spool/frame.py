"""Segments, byte by byte: a header of two lines, and frames that are numbered and checksummed."""
from __future__ import annotations

import json
import os
import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Tuple

MAGIC = b"mltrail-spool 1\n"
HEADER_LINE_MAX = 4096
BODY_MAX = 32 * 1024 * 1024        # what the server takes as one body
RECORD, REQUEST = 1, 2             # types of frames
FRAME_LEAD = 17                    # bytes before a body
_READ_AT_ONCE = 1 << 20

LEAD = struct.Struct(">II")        # length of the body, checksum
MARK = struct.Struct(">QB")        # number and type: what the checksum covers before the body
_FRAME = struct.Struct(">IIQB")


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
    mark = MARK.pack(number, type)
    return LEAD.pack(len(body), zlib.crc32(body, zlib.crc32(mark))) + mark + body


def encode_record(record: Any) -> bytes:
    """A record of ours (plain types alone) as compact JSON."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


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
    skip = offset + 1 + LEAD.size
    while True:
        match = candidate.search(data, skip)
        if match is None:
            return
        at = match.start() - LEAD.size
        skip = match.start() + 1
        length, checksum, found, type = _FRAME.unpack_from(data, at)
        body_at = at + FRAME_LEAD
        if found <= number or length > len(data) - body_at:
            continue
        body = data[body_at:body_at + length]
        if zlib.crc32(body, zlib.crc32(data[at + 8:body_at])) == checksum:
            yield Frame(found, type, body, 0, at)
            number = found
            skip = body_at + length + LEAD.size
