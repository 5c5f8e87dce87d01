"""One call for the digest of whatever a data set is held in. Nothing is sampled: every value counts.

    a path                      the file's `sha256`, a folder's `dirHash` and `oms` (see `hashing`)
    a table                     `mltrail-rows-1` (see `rows`): pandas, Arrow, Parquet and Arrow datasets (as a stream),
                                Polars, DuckDB, structured NumPy arrays, cursors of any DB-API driver, dicts in a list
    an array without names      `mltrail-array-1`, see `hash_array`
    parts by name               `mltrail-parts-1`, see `hash_parts`: {"X": X, "y": y}

The same table has the same digest from any of these, where the types of its values agree.
"""
from __future__ import annotations

import csv
import datetime
import decimal
import hashlib
import itertools
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from . import tables
from .hashing import DirectoryDigest, hash_directory, hash_file
from .rows import RowsDigest, cell, hash_rows

ARRAY_ALGORITHM = "mltrail-array-1"
PARTS_ALGORITHM = "mltrail-parts-1"
_FETCH_ROWS = 2000           # from a cursor at a time
_ARRAY_BYTES = 1 << 22       # copied at a time, when an array is not in order already


@dataclass(frozen=True)
class FileDigest:
    """A file's SHA-256, as `sha256:<hex>`."""

    digest: str

    @property
    def digests(self) -> Dict[str, str]:
        """As a digest set."""
        return {"sha256": self.digest.split(":", 1)[1]}


@dataclass(frozen=True)
class ArrayDigest:
    """The digest, as `sha256:<hex>`, and what it covers."""

    digest: str
    shape: Tuple[int, ...]
    type: str

    @property
    def rows(self) -> Optional[int]:
        """The length of the first dimension."""
        return self.shape[0] if self.shape else None

    @property
    def digests(self) -> Dict[str, str]:
        """As a digest set."""
        return {ARRAY_ALGORITHM: self.digest.split(":", 1)[1]}


@dataclass(frozen=True)
class PartsDigest:
    """The digest over parts by name, as `sha256:<hex>`, and the parts."""

    digest: str
    parts: Mapping[str, Any]

    @property
    def rows(self) -> Optional[int]:
        """The number of rows that all parts have; None when they differ or have none."""
        counts = {getattr(part, "rows", None) for part in self.parts.values()}
        return counts.pop() if len(counts) == 1 else None

    @property
    def digests(self) -> Dict[str, str]:
        """As a digest set."""
        return {PARTS_ALGORITHM: self.digest.split(":", 1)[1]}


DataDigest = Union[RowsDigest, ArrayDigest, PartsDigest, FileDigest, DirectoryDigest]


def hash_data(data: Any, *, columns: Optional[Sequence[str]] = None, index: Optional[bool] = None) -> DataDigest:
    """The digest of the whole content of `data`; `digests` of the result is the form that records take.

    `columns` names the columns of rows or of an array that has no names. `index`, for pandas: whether the index counts
    (default: if it has a name).
    """
    if isinstance(data, (RowsDigest, ArrayDigest, PartsDigest, FileDigest, DirectoryDigest)):
        return data
    if isinstance(data, (str, os.PathLike)):
        path = Path(data)
        return hash_directory(path) if path.is_dir() else FileDigest(hash_file(path))
    libraries = {base.__module__.split(".")[0] for base in type(data).__mro__}
    if "pandas" in libraries:
        return tables.hash_pandas(data, index)
    if "pyarrow" in libraries:
        return tables.hash_arrow(data)
    if "numpy" in libraries:
        return _hash_numpy(data, columns)
    if hasattr(data, "__arrow_c_stream__"):
        return tables.hash_arrow_stream(data)
    if hasattr(data, "description") and hasattr(data, "fetchmany"):
        return hash_cursor(data)
    if isinstance(data, Mapping):
        return hash_parts(data)
    if hasattr(data, "tocoo"):
        raise TypeError("a sparse matrix has no digest here: hash its row, col and data as parts, or todense()")
    return _hash_iterable(data, columns)


def _hash_iterable(data: Any, columns: Optional[Sequence[str]]) -> RowsDigest:
    if not hasattr(data, "__iter__") or isinstance(data, (bytes, bytearray)):
        raise TypeError(f"a {type(data).__name__} is no data set that is known here: want a path, a table, an array, "
                        "a cursor, rows, or parts by name")
    rows = iter(data)
    if columns is None:
        first = next(rows, None)
        if not isinstance(first, Mapping):
            raise TypeError("rows without names: give columns=[…], or rows that are dicts")
        columns, rows = list(first), itertools.chain([first], rows)
    return _hash_portions(list(columns), iter(lambda: list(itertools.islice(rows, _FETCH_ROWS)), []))


def _hash_portions(names: List[str], portions: Iterator[List[Any]]) -> RowsDigest:
    # NumPy makes it quicker where it is in use anyway; it is not worth an import of its own.
    if "numpy" in sys.modules:
        return tables.hash_portions(names, portions)
    return hash_rows(names, itertools.chain.from_iterable(portions))


def hash_cursor(cursor: Any) -> RowsDigest:
    """What a DB-API cursor has left to give, fetched in portions. Only an ORDER BY in the query makes it repeatable."""
    if cursor.description is None:
        raise ValueError("the cursor has no result: execute a query first")

    def portions() -> Iterator[List[Any]]:
        while True:
            portion = [tuple(row) for row in cursor.fetchmany(_FETCH_ROWS)]
            if not portion:
                return
            yield portion
    return _hash_portions([column[0] for column in cursor.description], portions())


# CSV ---------------------------------------------------------------------------------------------------------------

def _boolean(text: str) -> bool:
    if text not in ("true", "false", "True", "False", "TRUE", "FALSE", "1", "0", "t", "f"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text in ("true", "True", "TRUE", "1", "t")


def _moment(text: str) -> datetime.datetime:
    # Python before 3.11 reads no "Z".
    return datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


CSV_TYPES: Dict[str, Callable[[str], Any]] = {
    "text": str, "int": int, "float": float, "bool": _boolean, "decimal": decimal.Decimal,
    "date": datetime.date.fromisoformat, "datetime": _moment, "time": datetime.time.fromisoformat, "hex": bytes.fromhex,
}


def hash_csv(path: "Union[str, os.PathLike[str]]", types: Mapping[str, Union[str, Callable[[str], Any]]],
             *, null: str = "", delimiter: str = ",", encoding: str = "utf-8") -> RowsDigest:
    """The rows of a CSV file with a header, as values of the types that are given for each column.

    A type is one of text, int, float, bool, decimal, date, datetime, time, hex, or a function of the text. A field that is
    `null` is nothing. The file's own bytes are another digest: `hash_file`.
    """
    with open(path, encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        names = next(reader, None)
        if names is None:
            raise ValueError(f"{os.fspath(path)} is empty: want a header")
        if set(names) != set(types):
            raise ValueError(f"{os.fspath(path)} has the columns {sorted(names)}, types are given for {sorted(types)}")
        read = [CSV_TYPES[kind] if isinstance(kind, str) else kind for kind in (types[name] for name in names)]

        def rows() -> Iterator[List[Any]]:
            for fields in reader:
                if len(fields) != len(read):
                    raise ValueError(f"line {reader.line_num} has {len(fields)} fields, want {len(read)}")
                try:
                    yield [None if field == null else convert(field) for convert, field in zip(read, fields)]
                except (ValueError, ArithmeticError) as error:
                    raise ValueError(f"line {reader.line_num}: {error}") from error
        return hash_rows(names, rows())


# Arrays ------------------------------------------------------------------------------------------------------------

def _hash_numpy(data: Any, names: Optional[Sequence[str]]) -> Union[RowsDigest, ArrayDigest]:
    if type(data).__name__ == "MaskedArray" or hasattr(data, "mask"):
        raise TypeError("a masked array: fill it, or make a table with missing values of it")
    if data.dtype.names is not None and data.ndim == 1:
        return tables.hash_structured(data)
    if names is not None:
        return tables.hash_columns(data, list(names))
    return hash_array(data)


def hash_array(array: Any) -> ArrayDigest:
    """The digest of a NumPy array of any shape and type, however it lies in memory.

    SHA-256 of, integers being big-endian, a block a u32 length and that many bytes:

        "mltrail-array-1\\n"
        block: the type as NumPy writes it, without byte order: f8, i4, u1, b1, c16, M8[ns], m8[s], S5, U3; else "cells"
        u32 number of dimensions, then each as a u64
        the elements in C order: little-endian, their bits as they are (a NaN keeps its payload, -0.0 its sign);
        under "cells" (objects, structures, long doubles) each as a cell of mltrail-rows-1
    """
    import numpy
    plain = array.dtype.kind in "biufcMmSU" and not (array.dtype.kind in "fc" and
                                                     array.dtype.itemsize > (8 if array.dtype.kind == "f" else 16))
    kind = array.dtype.newbyteorder("<").str[1:] if plain else "cells"
    digest = hashlib.sha256(ARRAY_ALGORITHM.encode("ascii") + b"\n" + struct.pack(">I", len(kind)) + kind.encode("ascii")
                            + struct.pack(">I", array.ndim) + struct.pack(f">{array.ndim}Q", *array.shape))
    if not plain:
        for value in array.reshape(-1):
            digest.update(cell(value))
    else:
        for part in _in_order(numpy, array):
            digest.update(part)
    return ArrayDigest("sha256:" + digest.hexdigest(), tuple(array.shape), kind)


def _in_order(numpy: Any, array: Any) -> Iterator[Any]:
    """The elements in C order and little-endian; copies what is not so in memory, a portion at a time."""
    if array.size == 0:
        return
    wanted = array.dtype.newbyteorder("<")
    if array.flags.c_contiguous and array.dtype == wanted:
        yield numpy.asarray(array).reshape(-1).view(numpy.uint8).data
        return
    if array.ndim == 0:
        yield array.astype(wanted).tobytes()
        return
    step = max(1, _ARRAY_BYTES // max(1, array[:1].nbytes))
    for begin in range(0, len(array), step):
        yield numpy.ascontiguousarray(array[begin:begin + step], dtype=wanted).reshape(-1).view(numpy.uint8).data


def hash_parts(parts: Mapping[str, Any]) -> PartsDigest:
    """The digest over parts by name, each hashed by `hash_data`.

    SHA-256 of "mltrail-parts-1\\n", u32 number of parts, then for each in byte order of the names: the name as a block,
    and as a block its digests as lines "<algorithm>:<hex>\\n" in byte order.
    """
    hashed: Dict[str, DataDigest] = {}
    for name, part in parts.items():
        if not isinstance(name, str):
            raise TypeError(f"the name {name!r} of a part is no text")
        if isinstance(part, str):
            raise TypeError(f"the part {name!r} is text: want data, or pathlib.Path({part[:40]!r}) for a file")
        hashed[name] = hash_data(part)
    digest = hashlib.sha256(PARTS_ALGORITHM.encode("ascii") + b"\n" + struct.pack(">I", len(hashed)))
    for name in sorted(hashed, key=lambda name: name.encode("utf-8")):
        lines = "".join(sorted(f"{algorithm}:{value}\n" for algorithm, value in hashed[name].digests.items()))
        for content in (name.encode("utf-8"), lines.encode("ascii")):
            digest.update(struct.pack(">I", len(content)) + content)
    return PartsDigest("sha256:" + digest.hexdigest(), hashed)


def digests_of(value: Any) -> Mapping[str, str]:
    """A digest set from a digest object, `sha256:<hex>`, or a set."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, str):
        algorithm, colon, text = value.partition(":")
        if not colon or not text:
            raise ValueError(f"{value!r} is no digest: want algorithm:hex")
        return {algorithm: text}
    return dict(value.digests)
