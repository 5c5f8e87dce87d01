"""Tables of other libraries as batches of columns for `columns.assemble`. Each library is imported by its own objects.

What is read as what, where it is not plain:

    pandas    NaN in a column of NumPy floats or of objects is "missing", as everywhere in pandas: N, not a NaN.
              An index with a name is a column, before the others; one without a name is left out.
              Categories are their values.
    Arrow     A null is N, a NaN is a NaN. Dictionaries and run-ends are their values, a map is a list of pairs,
              date64 is a date, an extension type is what it is stored as (a UUID: its text).
    NumPy     A structured array is a table; NaN is a NaN.
"""
from __future__ import annotations

import math
from typing import Any, Callable, Iterator, List, Optional, Tuple

from . import columns
from .columns import Cells, np
from .rows import Encoded, RowsDigest, RowsHasher, cell, name_the_row, ordered

BATCH_CELLS = 1 << 17      # of all columns: about 2 MB of bytes, which a cache holds
BATCH_ROWS_LEAST = 64
BATCH_BYTES = 16 << 20     # of one batch as Arrow has it; above, it is halved: an index costs up to nine times that

Batch = Tuple[List[Cells], int]


def hash_batches(names: List[str], batches: Iterator[Batch]) -> RowsDigest:
    """The digest of batches of columns."""
    hasher = RowsHasher(names)
    for cells, count in batches:
        if count:
            hasher.add(columns.assemble(cells, count), count)
    return hasher.end()


def _slices(rows: int, width: int) -> Iterator[slice]:
    step = max(BATCH_ROWS_LEAST, BATCH_CELLS // max(width, 1))
    for begin in range(0, rows, step):
        yield slice(begin, min(begin + step, rows))


def hash_portions(names: List[str], portions: Iterator[List[Any]]) -> RowsDigest:
    """Rows (sequences or mappings) that come a portion at a time."""
    def batches() -> Iterator[Batch]:
        count = 0
        for portion in portions:
            rows = [ordered(names, row, count + number) for number, row in enumerate(portion, 1)]
            try:
                yield [columns.from_list(list(values)) for values in zip(*rows)], len(rows)
            except (TypeError, ValueError):
                name_the_row(rows, count)
                raise
            count += len(rows)
    return hash_batches(names, batches())


# NumPy -------------------------------------------------------------------------------------------------------------

def hash_structured(array: Any) -> RowsDigest:
    """A structured array of one dimension."""
    names = list(array.dtype.names)

    def batches() -> Iterator[Batch]:
        for part in _slices(len(array), len(names)):
            yield [_field(array[name][part]) for name in names], part.stop - part.start
    return hash_batches(names, batches())


def hash_columns(array: Any, names: List[str]) -> RowsDigest:
    """An array of two dimensions (or one: a single column) whose columns get names."""
    table = array.reshape(-1, 1) if array.ndim == 1 else array
    if table.ndim != 2 or table.shape[1] != len(names):
        raise ValueError(f"an array of the shape {array.shape} has no {len(names)} columns")

    def batches() -> Iterator[Batch]:
        for part in _slices(len(table), len(names)):
            yield [columns.from_numpy(table[part, place]) for place in range(len(names))], part.stop - part.start
    return hash_batches(names, batches())


def _field(values: Any) -> Cells:
    if values.ndim > 1 or values.dtype.names is not None:
        return columns.whole(list(values))
    return columns.from_numpy(values)


# pandas ------------------------------------------------------------------------------------------------------------

def hash_pandas(table: Any, index: Optional[bool] = None) -> RowsDigest:
    """A DataFrame, a Series or an Index."""
    if type(table).__name__ != "DataFrame" and not hasattr(table, "columns"):
        table = table.to_frame() if hasattr(table, "to_frame") else table
        index = False if index is None else index
    if getattr(table.columns, "nlevels", 1) > 1:
        raise TypeError("the columns have several levels: flatten their names first")
    if index or (index is None and all(name is not None for name in table.index.names)):
        table = table.reset_index()
    names = [name if isinstance(name, str) else str(name) for name in table.columns.tolist()]

    every = [table.iloc[:, place] for place in range(len(names))]

    def batches() -> Iterator[Batch]:
        for part in _slices(len(table), len(names)):
            yield [_pandas_column(series.iloc[part]) for series in every], part.stop - part.start
    return hash_batches(names, batches())


def _pandas_column(series: Any) -> Cells:
    dtype = series.dtype
    kind = getattr(dtype, "kind", "O")
    name = type(dtype).__name__
    if name == "CategoricalDtype":
        return _categories(series)
    if name == "DatetimeTZDtype":
        return _pandas_instants(series)
    if name == "ArrowDtype":
        return _arrow_array(series.array.__arrow_array__())
    if name == "StringDtype":
        return columns.from_list(series.astype(object).where(series.notna(), None).tolist())
    if name == "SparseDtype":
        return _pandas_column(series.sparse.to_dense())
    if name in ("PeriodDtype", "IntervalDtype"):
        raise TypeError(f"the column {series.name!r} has the type {dtype}, which has no canonical form: convert it first")
    if hasattr(dtype, "numpy_dtype"):  # Int64, Float64, boolean: a mask beside the values
        missing = series.isna().to_numpy()
        zero = False if kind == "b" else 0
        return columns.from_numpy(series.to_numpy(dtype.numpy_dtype, na_value=zero), missing if missing.any() else None)
    values = series.to_numpy()
    if values.dtype.kind in "fc":
        missing = np().isnan(values)
        return columns.from_numpy(values, missing if missing.any() else None)
    if values.dtype.kind == "O":
        return _pandas_objects(values)
    return columns.from_numpy(values)


def _pandas_objects(values: Any) -> Cells:
    listed = [None if isinstance(value, float) and math.isnan(value) else value for value in values.tolist()]
    return columns.from_list(listed)


def _categories(series: Any) -> Cells:
    kinds = series.cat.categories.to_series()
    encoded = _split(_pandas_column(kinds), len(kinds))
    encoded.append(cell(None))  # the code -1
    return columns.whole(series.cat.codes.tolist(), encoded.__getitem__)


def _split(cells: Cells, count: int) -> List[bytes]:
    """The single cells."""
    numpy = np()
    if cells.letter is None:
        flat, lengths, gap = cells.flat, numpy.asarray(cells.lengths), 0
    else:
        flat = columns.assemble([cells], count)
        lengths = numpy.broadcast_to(numpy.asarray(cells.lengths), (count,)) + columns.HEADER_LEN
        gap = 1  # the "R" of each row
    ends = numpy.cumsum(lengths + gap)
    return [flat[end - length:end].tobytes() for end, length in zip(ends.tolist(), lengths.tolist())]


def _pandas_instants(series: Any) -> Cells:
    unit = series.dtype.unit
    values = series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().view("int64")
    missing = series.isna().to_numpy()
    return columns.moments(values, unit, True, missing if missing.any() else None)


# Arrow -------------------------------------------------------------------------------------------------------------

def hash_arrow(data: Any) -> RowsDigest:
    """A Table, RecordBatch, RecordBatchReader, Dataset, Scanner, ParquetFile, Array or ChunkedArray."""
    import pyarrow
    if isinstance(data, (pyarrow.Array, pyarrow.ChunkedArray)):
        data = pyarrow.table({"0": data})
    schema, batches = _arrow_stream(data)
    return hash_batches(list(schema.names), _arrow_batches(batches))


def hash_arrow_stream(data: Any) -> RowsDigest:
    """Whatever hands out an Arrow stream through __arrow_c_stream__ (Polars, DuckDB, …)."""
    import pyarrow
    return hash_arrow(pyarrow.RecordBatchReader.from_stream(data))


def _arrow_stream(data: Any) -> Tuple[Any, Iterator[Any]]:
    kind = type(data).__name__
    if kind == "ParquetFile":
        # Group by group: asked for all at once, pyarrow reads ahead without bounds.
        return data.schema_arrow, (batch for group in range(data.num_row_groups)
                                   for batch in data.iter_batches(row_groups=[group]))
    if kind == "RecordBatch":
        return data.schema, iter([data])
    if kind == "RecordBatchReader":
        return data.schema, iter(data)
    if kind == "Scanner":
        return data.projected_schema, data.to_batches()
    if hasattr(data, "to_batches"):  # Table, and the several kinds of Dataset
        return data.schema, iter(data.to_batches())
    if hasattr(data, "schema") and hasattr(data, "__iter__"):
        return data.schema, iter(data)
    raise TypeError(f"a pyarrow {kind} is no table: want a Table, RecordBatch, RecordBatchReader, Dataset, Scanner, "
                    "ParquetFile, Array or ChunkedArray")


def _arrow_batches(batches: Iterator[Any]) -> Iterator[Batch]:
    for batch in batches:
        for part in _slices(batch.num_rows, batch.num_columns):
            yield from _arrow_batch(batch.slice(part.start, part.stop - part.start))


def _arrow_batch(batch: Any) -> Iterator[Batch]:
    if batch.num_rows > 1 and batch.get_total_buffer_size() > BATCH_BYTES and batch.nbytes > BATCH_BYTES:
        middle = batch.num_rows // 2
        yield from _arrow_batch(batch.slice(0, middle))
        yield from _arrow_batch(batch.slice(middle))
    else:
        yield [_arrow_array(column) for column in batch.columns], batch.num_rows


def _arrow_array(array: Any) -> Cells:
    import pyarrow
    types = pyarrow.types
    if isinstance(array, pyarrow.ChunkedArray):
        array = array.combine_chunks()
    kind = array.type
    if isinstance(kind, pyarrow.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return columns.from_list(array.to_pylist())
        return _arrow_array(array.storage)
    if types.is_dictionary(kind):
        return _arrow_array(array.dictionary_decode())
    missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    if types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind):
        return _arrow_texts(array, missing)
    for is_kind, encode in _ARROW_FAST:
        if getattr(types, is_kind)(kind):
            return encode(array, missing)
    if types.is_run_end_encoded(kind):
        return _arrow_array(pyarrow.compute.run_end_decode(array))
    if types.is_interval(kind):
        raise TypeError(f"the Arrow type {kind} has no canonical form: convert it first")
    return columns.from_list(_arrow_values(array))


def _arrow_values(array: Any) -> List[Any]:
    """Python values that keep nanoseconds also where pandas is not there to carry them."""
    import pyarrow
    kind = array.type
    types = pyarrow.types
    if types.is_struct(kind):
        fields = [(kind.field(place).name, _arrow_values(child)) for place, child in enumerate(array.flatten())]
        valid = array.is_valid().to_pylist()
        return [{name: values[row] for name, values in fields} if valid[row] else None for row in range(len(array))]
    if types.is_map(kind):
        array = array.cast(pyarrow.list_(pyarrow.struct([("key", kind.key_type), ("value", kind.item_type)])))
        return [None if pairs is None else [[pair["key"], pair["value"]] for pair in pairs]
                for pairs in _arrow_values(array)]
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        values = _arrow_values(array.flatten())
        lengths = pyarrow.compute.list_value_length(array).to_pylist()
        listed, at = [], 0
        for length in lengths:
            listed.append(None if length is None else values[at:at + length])
            at += length or 0
        return listed
    if types.is_timestamp(kind) or types.is_duration(kind) or types.is_time(kind):
        return [Encoded(value) for value in _split(_arrow_array(array), len(array))] if len(array) else []
    return list(array.to_pylist())


def _arrow_texts(array: Any, missing: Optional[Any]) -> Cells:
    import pyarrow
    numpy = np()
    wide = pyarrow.types.is_large_string(array.type) or pyarrow.types.is_large_binary(array.type)
    letter = "S" if pyarrow.types.is_string(array.type) or pyarrow.types.is_large_string(array.type) else "B"
    if missing is not None:
        array = array.fill_null("" if letter == "S" else b"")
    _, places, content = array.buffers()
    offsets = numpy.frombuffer(places, numpy.int64 if wide else numpy.int32)[array.offset:array.offset + len(array) + 1]
    lengths = numpy.diff(offsets).astype(numpy.int64)
    flat = numpy.frombuffer(content if content is not None else b"", numpy.uint8)[int(offsets[0]):int(offsets[-1])]
    return Cells(ord(letter) if missing is None else columns._letters(letter, missing), lengths, flat)


def _arrow_numbers(array: Any) -> Any:
    """Without nulls, as an array of NumPy."""
    if array.null_count:
        array = array.fill_null(False if str(array.type) == "bool" else 0)
    return array.to_numpy(zero_copy_only=False)


def _arrow_counts(array: Any, width: str) -> Any:
    return _arrow_numbers(array.view(width))


def _arrow_moments(array: Any, missing: Optional[Any]) -> Cells:
    kind = array.type
    return columns.moments(_arrow_counts(array, "int64"), kind.unit, kind.tz is not None, missing)


def _arrow_floats(array: Any, missing: Optional[Any]) -> Cells:
    return columns.floats(array.to_numpy(zero_copy_only=False), missing)  # nulls come as NaN, and the mask has them


_ARROW_FAST: Tuple[Tuple[str, Callable[[Any, Optional[Any]], Cells]], ...] = (
    ("is_boolean", lambda array, missing: columns.booleans(_arrow_numbers(array), missing)),
    ("is_integer", lambda array, missing: columns.integers(_arrow_numbers(array), missing)),
    ("is_floating", _arrow_floats),
    ("is_timestamp", _arrow_moments),
    ("is_date32", lambda array, missing: columns.dates(_arrow_counts(array, "int32").astype("int64"), missing)),
    ("is_date64", lambda array, missing: columns.dates(_arrow_counts(array, "int64") // 86_400_000, missing)),
    ("is_time32", lambda array, missing: columns.clocks(_arrow_counts(array, "int32"), array.type.unit, missing)),
    ("is_time64", lambda array, missing: columns.clocks(_arrow_counts(array, "int64"), array.type.unit, missing)),
    ("is_duration", lambda array, missing: columns.durations(_arrow_counts(array, "int64"), array.type.unit, missing)),
)

