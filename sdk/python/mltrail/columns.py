"""The cells of `rows`, made from whole columns with NumPy: the same bytes, many rows at a time.

A column of a batch becomes `Cells`; `assemble` lays the cells of all columns side by side, row by row. What has no quick
way here goes value by value through `rows.cell`, so that there is one definition; tests hold the two against each other.

NumPy is imported when the first array is seen, not before.
"""
from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from .rows import _NS_PER_UNIT, cell

HEADER_LEN = 5           # letter and length
_FLAT_COPY_MEAN = 64     # bytes a value; above, copying value by value is quicker than an index for each byte
_U64_DIGITS_MAX = 20
_EPOCH_DAYS = 719_468    # from 0000-03-01 to 1970-01-01
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01, 9999-12-31
_NAT = -(1 << 63)


def np() -> Any:
    """NumPy."""
    import numpy
    return numpy


@dataclass
class Cells:
    """The cells of one column. `lengths` are of the bodies; without `letter` the bodies are whole cells already."""

    letter: Any                   # one byte for all, or an array of one each; None: whole cells
    lengths: Any                  # one for all (an int), or an array
    flat: Any                     # uint8, all bodies one after the other


def fixed(letter: str, matrix: Any, missing: Optional[Any] = None) -> Cells:
    """Bodies of one width: a row of bytes each."""
    if missing is None or not missing.any():
        return Cells(ord(letter), matrix.shape[1], np().ascontiguousarray(matrix).reshape(-1))
    return Cells(_letters(letter, missing), np().where(missing, 0, matrix.shape[1]), matrix[~missing].reshape(-1))


def ragged(letter: str, matrix: Any, lengths: Any, missing: Optional[Any], right: bool) -> Cells:
    """Bodies that fill their row of bytes from the right, or from the left."""
    numpy = np()
    if missing is not None and missing.any():
        lengths = numpy.where(missing, 0, lengths)
        letters = _letters(letter, missing)
    else:
        letters = ord(letter)
    width = matrix.shape[1]
    places = numpy.arange(width)
    mask = places >= (width - lengths)[:, None] if right else places < lengths[:, None]
    return Cells(letters, lengths, matrix[mask])


def _letters(letter: str, missing: Any) -> Any:
    numpy = np()
    return numpy.where(missing, ord("N"), ord(letter)).astype(numpy.uint8)


def bodies(letter: str, values: Sequence[bytes], missing: Optional[Any] = None) -> Cells:
    """Bodies as a list of bytes; empty where they are missing."""
    numpy = np()
    lengths = numpy.fromiter(map(len, values), numpy.int64, len(values))
    flat = numpy.frombuffer(b"".join(values), numpy.uint8)
    return Cells(ord(letter) if missing is None else _letters(letter, missing), lengths, flat)


def whole(values: Sequence[Any], encode: Any = cell) -> Cells:
    """Any values, one by one."""
    encoded = [encode(value) for value in values]
    lengths = np().fromiter(map(len, encoded), np().int64, len(encoded))
    return Cells(None, lengths, np().frombuffer(b"".join(encoded), np().uint8))


def booleans(values: Any, missing: Optional[Any] = None) -> Cells:
    """T and F."""
    numpy = np()
    letters = numpy.where(values, ord("T"), ord("F")).astype(numpy.uint8)
    if missing is not None:
        letters[missing] = ord("N")
    return Cells(letters, 0, numpy.empty(0, numpy.uint8))


def integers(values: Any, missing: Optional[Any] = None) -> Cells:
    """I, from an array of any integer type."""
    return _decimal("I", values, missing)


def _decimal(letter: str, values: Any, missing: Optional[Any]) -> Cells:
    numpy = np()
    negative = values < 0
    magnitude = values.astype(numpy.uint64)
    # Two's complement, so that the least integer, which has no positive counterpart, comes out right too.
    magnitude = numpy.where(negative, ~magnitude + numpy.uint64(1), magnitude)
    powers = numpy.array([10 ** exponent for exponent in range(1, _U64_DIGITS_MAX)], numpy.uint64)
    digits = numpy.searchsorted(powers, magnitude, side="right") + 1
    most = int(digits.max()) if len(digits) else 1
    width = most + (1 if negative.any() else 0)
    matrix = numpy.empty((len(values), width), numpy.uint8)
    left = magnitude if most > 9 else magnitude.astype(numpy.uint32)  # ten digits may pass 2**32
    for place in range(most):
        matrix[:, width - 1 - place], left = _last_digit(left)
    lengths = digits + negative
    if width > most:
        at = numpy.flatnonzero(negative)
        matrix[at, width - lengths[at]] = ord("-")
    return ragged(letter, matrix, lengths, missing, right=True)


def _last_digit(values: Any) -> Any:
    rest = values // values.dtype.type(10)
    return (values - rest * values.dtype.type(10) + ord("0")).astype(np().uint8), rest


def _float_bytes(values: Any) -> Any:
    numpy = np()
    doubles = values.astype(numpy.float64) + 0.0  # -0.0 becomes 0.0
    bits = doubles.view(numpy.uint64)
    bits[numpy.isnan(doubles)] = 0x7FF8000000000000
    return bits.astype(">u8").view(numpy.uint8).reshape(len(values), 8)


def floats(values: Any, missing: Optional[Any] = None) -> Cells:
    """D, from an array of floats of at most 64 bits."""
    return fixed("D", _float_bytes(values), missing)


def complexes(values: Any, missing: Optional[Any] = None) -> Cells:
    """Z, from an array of complex numbers of at most 128 bits."""
    return fixed("Z", np().concatenate([_float_bytes(values.real), _float_bytes(values.imag)], axis=1), missing)


def durations(values: Any, unit: str, missing: Optional[Any] = None) -> Cells:
    """P, from an array of signed counts of the unit."""
    numpy = np()
    factor = _NS_PER_UNIT[unit]
    most = (1 << 63) // factor
    if len(values) and (int(values.max()) >= most or int(values.min()) <= -most):
        return whole([None if gone else numpy.timedelta64(value, unit)
                      for value, gone in zip(values.tolist(), _mask_list(missing, len(values)))])
    return _decimal("P", values * numpy.int64(factor), missing)


def _mask_list(missing: Optional[Any], count: int) -> List[bool]:
    return [False] * count if missing is None else list(missing.tolist())


def dates(days: Any, missing: Optional[Any] = None) -> Cells:
    """C, from an array of days since 1970-01-01."""
    matrix = np().empty((len(days), 10), np().uint8)
    _write_date(matrix, _present(days, missing), "D")
    return fixed("C", matrix, missing)


def moments(values: Any, unit: str, instant: bool, missing: Optional[Any] = None) -> Cells:
    """M when they are instants (counted in UTC), else L; from an array of counts of the unit since 1970-01-01."""
    numpy = np()
    values = _present(values, missing)
    per_day = 86_400_000_000_000 // _NS_PER_UNIT[unit]
    days = values // per_day
    left = values - days * per_day
    matrix = numpy.empty((len(values), 30), numpy.uint8)
    _write_date(matrix, days, unit)
    matrix[:, 10] = ord("T")
    below = _write_clock(matrix[:, 11:], left, unit)
    lengths = numpy.where(below != 0, 29, 26)
    if instant:
        matrix[numpy.arange(len(values)), lengths] = ord("Z")
        lengths = lengths + 1
    return ragged("M" if instant else "L", matrix, lengths, missing, right=False)


def clocks(values: Any, unit: str, missing: Optional[Any] = None) -> Cells:
    """H, from an array of counts of the unit since midnight."""
    numpy = np()
    values = _present(values, missing)
    matrix = numpy.empty((len(values), 18), numpy.uint8)
    below = _write_clock(matrix, values.astype(numpy.int64), unit)
    return ragged("H", matrix, numpy.where(below != 0, 18, 15), missing, right=False)


def _present(values: Any, missing: Optional[Any]) -> Any:
    """With what is missing as 0, which is a date like any other; its bytes are left out afterwards."""
    return values if missing is None or not missing.any() else np().where(missing, 0, values)


def _write_date(matrix: Any, days: Any, unit: str) -> None:
    if len(days) and (int(days.min()) < _FIRST_DAY or int(days.max()) > _LAST_DAY):
        raise ValueError(f"a date or time (counted in {unit}) is not in the years 1 to 9999")
    # Years that begin in March, in eras of 400: the day of a leap year is then the last one.
    shifted = days + _EPOCH_DAYS
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    january = month >= 10
    _digits(matrix, 0, 4, year + era * 400 + january)
    matrix[:, 4] = ord("-")
    _digits(matrix, 5, 2, np().where(january, month - 9, month + 3))
    matrix[:, 7] = ord("-")
    _digits(matrix, 8, 2, day)


def _write_clock(matrix: Any, left: Any, unit: str) -> Any:
    """Writes HH:MM:SS.ffffffnnn and returns what is below a microsecond."""
    per_second = 1_000_000_000 // _NS_PER_UNIT[unit] if _NS_PER_UNIT[unit] <= 1_000_000_000 else 0
    if per_second == 0:
        left, per_second = left * (_NS_PER_UNIT[unit] // 1_000_000_000), 1
    seconds = left // per_second
    fraction = (left - seconds * per_second) * (1_000_000_000 // per_second)
    minutes = seconds // 60
    _digits(matrix, 0, 2, minutes // 60)
    matrix[:, 2] = ord(":")
    _digits(matrix, 3, 2, minutes % 60)
    matrix[:, 5] = ord(":")
    _digits(matrix, 6, 2, seconds % 60)
    matrix[:, 8] = ord(".")
    _digits(matrix, 9, 9, fraction)
    return fraction % 1_000


def _digits(matrix: Any, at: int, width: int, values: Any) -> None:
    left = values.astype(np().uint32)
    for place in range(width - 1, -1, -1):
        matrix[:, at + place], left = _last_digit(left)


def from_numpy(values: Any, missing: Optional[Any] = None) -> Cells:
    """The cells of a one-dimensional array of any type."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "b":
        return booleans(values, missing)
    if kind in "iu":
        return integers(values.astype(values.dtype.newbyteorder("="), copy=False), missing)
    if kind == "f" and size <= 8:
        return floats(values, missing)
    if kind == "c" and size <= 16:
        return complexes(values, missing)
    if kind in "Mm":
        return _from_numpy_time(values, missing)
    if kind == "U" and missing is None:
        return bodies("S", [value.encode("utf-8") for value in values.tolist()])
    if kind == "S" and missing is None:
        return bodies("B", values.tolist())
    return from_list(list(values), missing)


def _from_numpy_time(values: Any, missing: Optional[Any]) -> Cells:
    numpy = np()
    unit, step = numpy.datetime_data(values.dtype)
    if step != 1 or unit not in _NS_PER_UNIT:
        return whole(list(values))
    counts = values.astype(values.dtype.newbyteorder("=")).view(numpy.int64)
    gone = counts == _NAT
    missing = gone if missing is None else gone | missing
    counts = _present(counts, missing)
    if values.dtype.kind == "m":
        return durations(counts, unit, missing)
    if unit == "D":
        return dates(counts, missing)
    if unit == "W":
        return moments(counts * 7, "D", False, missing)
    return moments(counts, unit, False, missing)


def from_list(values: List[Any], missing: Optional[Any] = None) -> Cells:
    """The cells of Python values of any type; quick when all are of one, apart from None."""
    if missing is not None and missing.any():
        values = [None if gone else value for value, gone in zip(values, missing.tolist())]
    kinds = set(map(type, values))
    gone = None
    if type(None) in kinds and len(kinds) == 2:
        kinds.discard(type(None))
        gone = np().fromiter((value is None for value in values), bool, len(values))
    if len(kinds) == 1:
        make = _OF_ONE_TYPE.get(kinds.pop())
        cells = make(values, gone) if make is not None else None
        if cells is not None:
            return cells
    return whole(values)


def _filled(values: List[Any], gone: Optional[Any], with_what: Any) -> List[Any]:
    return values if gone is None else [with_what if value is None else value for value in values]


def _texts(values: List[Any], gone: Optional[Any]) -> Optional[Cells]:
    return bodies("S", [value.encode("utf-8") for value in _filled(values, gone, "")], gone)


def _integers(values: List[Any], gone: Optional[Any]) -> Optional[Cells]:
    try:
        return integers(np().array(_filled(values, gone, 0), np().int64), gone)
    except OverflowError:
        return None


def _moments(values: List[Any], gone: Optional[Any]) -> Optional[Cells]:
    filled = _filled(values, gone, datetime.datetime(1970, 1, 1))
    if any(value.tzinfo is not None for value in filled):
        return None
    return moments(np().array(filled, "M8[us]").view(np().int64), "us", False, gone)


# Exactly these types: a subclass may mean something else.
_OF_ONE_TYPE: Dict[type, Callable[[List[Any], Optional[Any]], Optional[Cells]]] = {
    str: _texts, int: _integers, datetime.datetime: _moments,
    bytes: lambda values, gone: bodies("B", _filled(values, gone, b""), gone),
    bool: lambda values, gone: booleans(np().array(_filled(values, gone, False), bool), gone),
    float: lambda values, gone: floats(np().array(_filled(values, gone, 0.0), np().float64), gone),
    datetime.date: lambda values, gone: dates(
        np().array(_filled(values, gone, datetime.date(1970, 1, 1)), "M8[D]").view(np().int64), gone),
}


class _Block:
    """Bytes of every row that have the same place in it: a structure, copied row by row as one piece."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._template = bytearray()
        self._fields: List[Tuple[int, str, Any]] = []  # place, type, a value for each row

    def constant(self, content: bytes) -> None:
        """The same bytes in each row."""
        self._template += content

    def field(self, kind: str, width: int, values: Any) -> None:
        """Bytes of their own in each row."""
        self._fields.append((len(self._template), kind, values))
        self._template += bytes(width)

    @property
    def width(self) -> int:
        """Bytes of a row."""
        return len(self._template)

    def make(self) -> Any:
        """An array of one structure for each row."""
        numpy = np()
        kind = numpy.dtype({"names": [f"f{number}" for number in range(len(self._fields))],
                            "formats": [field[1] for field in self._fields],
                            "offsets": [field[0] for field in self._fields], "itemsize": self.width})
        made = numpy.empty(self._count, f"V{self.width}")
        made[:] = numpy.void(bytes(self._template))
        structures = made.view(kind) if self._fields else made
        for number, (_, __, values) in enumerate(self._fields):
            structures[f"f{number}"] = values
        return made


def assemble(columns: Sequence[Cells], count: int) -> Any:
    """The bytes of `count` rows."""
    numpy = np()
    pieces: List[Union[_Block, Cells]] = []  # of a row: blocks, and between them bodies that differ in length
    block = _Block(count)
    block.constant(b"R")
    for cells in columns:
        if cells.letter is not None:
            _add_header(block, cells)
        if isinstance(cells.lengths, int):
            if cells.lengths:
                kind = "u8" if cells.lengths == 8 else f"V{cells.lengths}"
                block.field(kind, cells.lengths, cells.flat.view(kind))
        else:
            pieces += [block, cells]
            block = _Block(count)
    if block.width:
        pieces.append(block)
    if len(pieces) == 1:
        return block.make().view(numpy.uint8)
    return _interleave(pieces, count)


def _add_header(block: _Block, cells: Cells) -> None:
    if isinstance(cells.letter, int):
        block.constant(bytes([cells.letter]))
    else:
        block.field("u1", 1, cells.letter)
    if isinstance(cells.lengths, int):
        block.constant(cells.lengths.to_bytes(4, "big"))
    elif int(cells.lengths.max()) >= 1 << 32:
        raise ValueError("a value has more than 4 GiB")
    else:
        block.field(">u4", 4, cells.lengths)


def _interleave(pieces: Sequence[Union[_Block, Cells]], count: int) -> Any:
    numpy = np()
    sizes = numpy.zeros(count, numpy.int64)
    for piece in pieces:
        sizes += piece.width if isinstance(piece, _Block) else piece.lengths
    ends = numpy.cumsum(sizes)
    at = ends - sizes
    out = numpy.empty(int(ends[-1]), numpy.uint8)
    for piece in pieces:
        if isinstance(piece, _Block):
            if piece.width:
                # The bytes from each place on as one element, so that a row's piece is one copy.
                windows = numpy.ndarray((len(out) - piece.width + 1,), f"V{piece.width}", out, strides=(1,))
                windows[at] = piece.make()
            at = at + piece.width
        else:
            _write_bodies(out, at, piece, count)
            at = at + piece.lengths
    return out


def _write_bodies(out: Any, at: Any, cells: Cells, count: int) -> None:
    numpy = np()
    size = len(cells.flat)
    begins = numpy.cumsum(cells.lengths) - cells.lengths
    if size > _FLAT_COPY_MEAN * count:
        target, source = memoryview(out), memoryview(cells.flat)
        for to, begin, length in zip(at.tolist(), begins.tolist(), cells.lengths.tolist()):
            target[to:to + length] = source[begin:begin + length]
    elif size:
        out[numpy.arange(size) + numpy.repeat(at - begins, cells.lengths)] = cells.flat
