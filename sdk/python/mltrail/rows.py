"""A digest of rows that does not depend on the file format, the library or its version.

The encoding, version 1. Numbers are big-endian; "block" is a u32 length and that many bytes.

    "mltrail-rows-1\\n"
    u32 number of columns, then each name as a block of UTF-8
    for each row, in order:  "R", then for each column one letter and a block:
        N  nothing (None, pandas NA and NaT)     T, F  true, false: empty blocks
        I  integer, decimal ASCII                D     float: 8 bytes IEEE 754; -0.0 as 0.0, every NaN as 7ff8000000000000
        S  text, UTF-8                           B     bytes
        M  instant: RFC 3339 in UTC with six digits of a second   C  date: 2024-01-31
        X  Decimal, in its own text
    "E", u64 number of rows

1 and 1.0 differ, as does the order of rows and columns: sort before hashing. The digest is SHA-256 of it all.
"""
from __future__ import annotations

import datetime
import decimal
import hashlib
import math
import struct
from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence, Tuple, Union

_NAN = bytes.fromhex("7ff8000000000000")
_FLUSH_SIZE = 1 << 16


@dataclass(frozen=True)
class RowsDigest:
    """The digest, as `sha256:<hex>`, and what it covers."""

    digest: str
    rows: int
    columns: Tuple[str, ...]


def hash_rows(columns: Sequence[str], rows: Iterable[Union[Sequence[Any], Mapping[str, Any]]]) -> RowsDigest:
    """Hashes rows as they come, without holding them. A mapping must have every column and no other."""
    names = tuple(columns)
    if len(set(names)) != len(names):
        raise ValueError("two columns have the same name")
    digest = hashlib.sha256(b"mltrail-rows-1\n" + struct.pack(">I", len(names)))
    for name in names:
        digest.update(_block(name.encode("utf-8")))
    count = 0
    buffer = bytearray()
    for row in rows:
        count += 1
        buffer += b"R"
        for value in _ordered(names, row, count):
            buffer += _cell(value)
        if len(buffer) >= _FLUSH_SIZE:
            digest.update(buffer)
            buffer.clear()
    digest.update(buffer + b"E" + struct.pack(">Q", count))
    return RowsDigest("sha256:" + digest.hexdigest(), count, names)


def _ordered(names: Tuple[str, ...], row: Union[Sequence[Any], Mapping[str, Any]], number: int) -> Sequence[Any]:
    if isinstance(row, Mapping):
        if set(row) != set(names):
            raise ValueError(f"row {number} has the columns {sorted(row)}, want {sorted(names)}")
        return [row[name] for name in names]
    if len(row) != len(names):
        raise ValueError(f"row {number} has {len(row)} values, want {len(names)}")
    return row


def _block(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _cell(value: Any) -> bytes:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return b"N" + _block(b"")
    if isinstance(value, bool):
        return (b"T" if value else b"F") + _block(b"")
    if isinstance(value, int):
        return b"I" + _block(str(int(value)).encode("ascii"))
    if isinstance(value, float):
        return b"D" + _block(_NAN if math.isnan(value) else struct.pack(">d", value + 0.0))
    if isinstance(value, str):
        return b"S" + _block(value.encode("utf-8"))
    if isinstance(value, (bytes, bytearray)):
        return b"B" + _block(bytes(value))
    if isinstance(value, datetime.datetime):
        if value.utcoffset() is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        utc = value.astimezone(datetime.timezone.utc)
        return b"M" + _block(utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode("ascii"))
    if isinstance(value, datetime.date):
        return b"C" + _block(value.isoformat().encode("ascii"))
    if isinstance(value, decimal.Decimal):
        return b"X" + _block(str(value).encode("ascii"))
    item = getattr(value, "item", None)
    if callable(item):
        scalar = item()
        if type(scalar) is not type(value):
            return _cell(scalar)
    raise TypeError(f"a {type(value).__name__} has no canonical form here: convert it first")
