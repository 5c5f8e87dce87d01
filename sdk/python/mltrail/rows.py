"""A digest of rows that does not depend on the file format, the library or its version.

The encoding, version 1. Numbers are big-endian; "block" is a u32 length and that many bytes.

    "mltrail-rows-1\\n"
    u32 number of columns, then each name as a block of UTF-8
    for each row, in order:  "R", then for each column a cell
    "E", u64 number of rows

A cell is one letter and a block:

    N  nothing (None, SQL NULL, pandas NA and NaT)   T, F  true, false: empty blocks
    I  integer, decimal ASCII                D     float: 8 bytes IEEE 754; -0.0 as 0.0, every NaN as 7ff8000000000000
    S  text (and UUID), UTF-8                B     bytes
    M  instant: 2024-01-31T12:00:00.000000Z, in UTC        L  date and time without a zone: 2024-01-31T12:00:00.000000
    C  date: 2024-01-31                      H     time of day: 12:00:00.000000
    P  duration: nanoseconds, decimal ASCII  X     Decimal, in its own text
    Z  complex: two floats as under D
    A  list: u32 number, then a cell for each value
    O  named values: u32 number, then for each, in byte order of the names, the name as a block and a cell

M, L and H have six digits of a second, and nine where those are not enough. 1 and 1.0 differ, as does the order of rows
and columns: sort before hashing. The digest is SHA-256 of it all; in records it stands under the name `mltrail-rows-1`.

This file is the definition. `columns` makes the same bytes, faster, from arrays.
"""
from __future__ import annotations

import datetime
import decimal
import hashlib
import math
import struct
import uuid
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Mapping, Sequence, Tuple, Union

ROWS_ALGORITHM = "mltrail-rows-1"
_NAN = bytes.fromhex("7ff8000000000000")
_NOTHING = b"N\0\0\0\0"
_TRUE = b"T\0\0\0\0"
_FALSE = b"F\0\0\0\0"
_FLUSH_SIZE = 1 << 16
_NS_PER_US = 1000
_NESTED_MAX = 64  # as deep as a record's JSON may nest


@dataclass(frozen=True)
class RowsDigest:
    """The digest, as `sha256:<hex>`, and what it covers."""

    digest: str
    rows: int
    columns: Tuple[str, ...]

    @property
    def digests(self) -> Dict[str, str]:
        """As a digest set, the form that records take. Its name keeps it from being compared with a file's SHA-256."""
        return {ROWS_ALGORITHM: self.digest.split(":", 1)[1]}


class Encoded:
    """A value that is a cell already."""

    __slots__ = ("content",)

    def __init__(self, content: bytes) -> None:
        self.content = content


class RowsHasher:
    """The digest in the making: rows as encoded bytes, in batches."""

    def __init__(self, columns: Iterable[str]) -> None:
        self.columns = tuple(columns)
        for name in self.columns:
            if not isinstance(name, str):
                raise TypeError(f"the column name {name!r} is no text: rename it first")
        if len(set(self.columns)) != len(self.columns):
            twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
            raise ValueError(f"two columns have the same name: {', '.join(twice)}")
        self._digest = hashlib.sha256(ROWS_ALGORITHM.encode("ascii") + b"\n" + struct.pack(">I", len(self.columns)))
        for name in self.columns:
            self._digest.update(_block(name.encode("utf-8")))
        self._rows = 0

    def add(self, encoded: Any, rows: int) -> None:
        """Takes the bytes of so many rows, each beginning with "R"."""
        self._digest.update(encoded)
        self._rows += rows

    def end(self) -> RowsDigest:
        """The digest of all rows."""
        self._digest.update(b"E" + struct.pack(">Q", self._rows))
        return RowsDigest("sha256:" + self._digest.hexdigest(), self._rows, self.columns)


def hash_rows(columns: Sequence[str], rows: Iterable[Union[Sequence[Any], Mapping[str, Any]]]) -> RowsDigest:
    """Hashes rows as they come, without holding them. A mapping must have every column and no other."""
    hasher = RowsHasher(columns)
    count = 0
    waiting = 0
    buffer = bytearray()
    for row in rows:
        count += 1
        waiting += 1
        buffer += b"R"
        try:
            for value in ordered(hasher.columns, row, count):
                buffer += cell(value)
        except (TypeError, ValueError):
            name_the_row([row if not isinstance(row, Mapping) else list(row.values())], count - 1)
            raise
        if len(buffer) >= _FLUSH_SIZE:
            hasher.add(buffer, waiting)
            buffer.clear()
            waiting = 0
    hasher.add(buffer, waiting)
    return hasher.end()


def name_the_row(rows: Sequence[Sequence[Any]], before: int) -> None:
    """Raises what is wrong with the first row that has a value without a form, with the number of that row."""
    for number, row in enumerate(rows, before + 1):
        try:
            for value in row:
                cell(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"row {number}: {error}") from error


def ordered(names: Sequence[str], row: Union[Sequence[Any], Mapping[str, Any]], number: int) -> Sequence[Any]:
    """The values of a row in the order of the columns."""
    if isinstance(row, Mapping):
        if set(row) != set(names):
            raise ValueError(f"row {number} has the columns {sorted(row)}, want {sorted(names)}")
        return [row[name] for name in names]
    if len(row) != len(names):
        raise ValueError(f"row {number} has {len(row)} values, want {len(names)}")
    return row


def cell(value: Any, depth: int = 0) -> bytes:
    """One value as a letter and a block."""
    encode = _BY_TYPE.get(type(value))
    return encode(value) if encode is not None else _other(value, depth)


def _block(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _float_body(value: float) -> bytes:
    return _NAN if math.isnan(value) else struct.pack(">d", value + 0.0)


def _text(value: str) -> bytes:
    return b"S" + _block(value.encode("utf-8"))


def _moment(value: datetime.datetime) -> bytes:
    letter, zone = b"L", ""
    if value.utcoffset() is not None:
        value = value.astimezone(datetime.timezone.utc)
        letter, zone = b"M", "Z"
    day = value.replace(tzinfo=None).date().isoformat()
    return letter + _block(f"{day}T{_clock(value)}{zone}".encode("ascii"))


def _clock(value: Any) -> str:
    # A pandas Timestamp is a datetime with nanoseconds beside it.
    below = int(getattr(value, "nanosecond", 0))
    text = f"{value.hour:02}:{value.minute:02}:{value.second:02}.{value.microsecond:06}"
    return f"{text}{below:03}" if below else text


def _time_of_day(value: datetime.time) -> bytes:
    if value.tzinfo is not None:
        raise ValueError(f"{value.isoformat()} has a zone but no date: it names no instant")
    return b"H" + _block(_clock(value).encode("ascii"))


def _duration(value: datetime.timedelta) -> bytes:
    below = int(getattr(value, "nanoseconds", 0))  # of a pandas Timedelta
    whole = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    return b"P" + _block(str(whole * _NS_PER_US + below).encode("ascii"))


_BY_TYPE: Dict[type, Callable[[Any], bytes]] = {
    Encoded: lambda value: bytes(value.content),
    type(None): lambda value: _NOTHING,
    bool: lambda value: _TRUE if value else _FALSE,
    int: lambda value: b"I" + _block(str(value).encode("ascii")),
    float: lambda value: b"D\0\0\0\x08" + _float_body(value),
    str: _text,
    bytes: lambda value: b"B" + _block(value),
    datetime.datetime: _moment,
    datetime.date: lambda value: b"C" + _block(value.isoformat().encode("ascii")),
    datetime.time: _time_of_day,
    datetime.timedelta: _duration,
    decimal.Decimal: lambda value: b"X" + _block(str(value).encode("ascii")),
    uuid.UUID: lambda value: _text(str(value)),
    complex: lambda value: b"Z\0\0\0\x10" + _float_body(value.real) + _float_body(value.imag),
}
# Before their bases: a Timestamp is a datetime, a datetime is a date, a bool is an int.
_BY_BASE = (bool, int, float, str, bytes, datetime.datetime, datetime.date, datetime.time, datetime.timedelta,
            decimal.Decimal, uuid.UUID)


def _other(value: Any, depth: int) -> bytes:
    name = type(value).__name__
    if name in ("NAType", "NaTType"):
        return _NOTHING
    if type(value).__module__.split(".")[0] == "numpy":
        return _numpy(value, depth)
    for base in _BY_BASE:
        if isinstance(value, base):
            return _BY_TYPE[base](value)
    if isinstance(value, (bytearray, memoryview)):
        return b"B" + _block(bytes(value))
    if depth == _NESTED_MAX:
        raise ValueError(f"values nest more than {_NESTED_MAX} deep")
    if isinstance(value, (list, tuple)):
        cells = b"".join(cell(member, depth + 1) for member in value)
        return b"A" + _block(struct.pack(">I", len(value)) + cells)
    if isinstance(value, Mapping):
        return _named(value, depth)
    raise TypeError(f"a {name} has no canonical form here: convert it first")


def _named(value: Mapping[Any, Any], depth: int) -> bytes:
    members = []
    for name in value:
        if not isinstance(name, str):
            raise TypeError(f"the name {name!r} is no text: want text names")
        members.append((name.encode("utf-8"), value[name]))
    members.sort(key=lambda member: member[0])
    body = b"".join(_block(name) + cell(member, depth + 1) for name, member in members)
    return b"O" + _block(struct.pack(">I", len(members)) + body)


def _numpy(value: Any, depth: int) -> bytes:
    dtype = value.dtype
    if dtype.kind in "Mm":
        return _numpy_time(value, depth) if getattr(value, "shape", ()) == () else _other_list(value, depth)
    if getattr(value, "ndim", 0):
        return _other_list(value, depth)
    if dtype.names is not None:
        return _named({name: value[name] for name in dtype.names}, depth)
    if dtype.kind in "fc" and dtype.itemsize > (16 if dtype.kind == "c" else 8):
        raise TypeError(f"{dtype} has more digits than a double: convert it first")
    return cell(value.item(), depth)


def _other_list(value: Any, depth: int) -> bytes:
    if depth == _NESTED_MAX:
        raise ValueError(f"values nest more than {_NESTED_MAX} deep")
    return b"A" + _block(struct.pack(">I", len(value)) + b"".join(cell(member, depth + 1) for member in value))


def _numpy_time(value: Any, depth: int) -> bytes:
    """datetime64 and timedelta64. item() would make a bare number of their nanoseconds."""
    dtype = value.dtype
    number = int(value.astype("int64"))
    if number == -(1 << 63):
        return _NOTHING
    unit = dtype.str[dtype.str.index("[") + 1:-1] if "[" in dtype.str else ""
    if dtype.kind == "M" and unit == "D":
        return cell(value.item(), depth)
    if unit not in _NS_PER_UNIT:
        raise TypeError(f"{dtype} counts in no unit from days to nanoseconds: convert it first")
    nanoseconds = number * _NS_PER_UNIT[unit]
    if dtype.kind == "m":
        return b"P" + _block(str(nanoseconds).encode("ascii"))
    whole, below = divmod(nanoseconds, _NS_PER_US)
    try:
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=whole)
    except OverflowError:
        raise ValueError(f"{value} is not in the years 1 to 9999") from None
    text = moment.isoformat(timespec="microseconds") + (f"{below:03}" if below else "")
    return b"L" + _block(text.encode("ascii"))


_NS_PER_UNIT = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000,
                "h": 3_600_000_000_000, "D": 86_400_000_000_000, "W": 604_800_000_000_000}
