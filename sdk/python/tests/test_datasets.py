"""The quick paths of NumPy, pandas and Arrow against the definition in rows.py, and all ways to hold a table against each other."""
from __future__ import annotations

import csv
import datetime
import decimal
import hashlib
import json
import math
import random
import sqlite3
import struct
import tracemalloc
import uuid
from pathlib import Path

import pytest

import mltrail
from mltrail import data, rows

numpy = pytest.importorskip("numpy")
VECTORS = Path(__file__).resolve().parents[3] / "tests" / "vectors" / "datasets"
UTC = datetime.timezone.utc
TRIES = 60

INTS = [0, 1, -1, 9, 10, -10, 255, 4294967295, 4294967296, 9999999999, 10**18, 2**63 - 1, -2**63, -2**63 + 1]
FLOATS = [0.0, -0.0, 1.5, -1e300, 5e-324, math.inf, -math.inf, 0.1]
TEXTS = ["", "a", "größe", "\0", "line\nbreak", "😀" * 3, "N", "x" * 300]
MOMENTS_NS = [0, 1, -1, 999, 1000, 1_700_000_000_123_456_789, 951_827_696_000_000_000, -2_208_988_800_000_000_000]


def same(left, right):
    assert (left.digest, left.rows, left.columns) == (right.digest, right.rows, right.columns)


def table_of(random_source, count):
    """Columns of Python values, with holes."""
    def some(values, holes=True):
        chosen = [random_source.choice(values) for _ in range(count)]
        return [None if holes and random_source.random() < 0.2 else value for value in chosen]
    moments = [datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=ns // 1000) for ns in MOMENTS_NS] + \
        [datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59, 999999), datetime.datetime(2000, 2, 29)]
    return {
        "int": some(INTS), "small": some([0, 7, -128, 127]), "whole": some(INTS, False), "float": some(FLOATS),
        "text": some(TEXTS), "bytes": some([b"", b"\0", b"\xff" * 9]), "bool": some([True, False]),
        "local": some(moments), "instant": some([moment.replace(tzinfo=UTC) for moment in moments]),
        "date": some([moment.date() for moment in moments]),
        "time": some([datetime.time(0), datetime.time(23, 59, 59, 999999), datetime.time(12, 30)]),
        "for": some([datetime.timedelta(0), datetime.timedelta(days=-3, microseconds=1), datetime.timedelta(days=90000)]),
        "decimal": some([decimal.Decimal("1.10"), decimal.Decimal("-0.01"), decimal.Decimal("12345678.90")]),
        "list": some([[], [1, 2], [None, 3]]), "named": some([{"b": 1, "a": "x"}, {"b": None, "a": ""}]),
    }


def slow(table):
    return mltrail.hash_rows(list(table), zip(*table.values()))


# The definition ----------------------------------------------------------------------------------------------------

def block(content):
    return struct.pack(">I", len(content)) + content


def test_each_value_has_the_documented_cell():
    uid = uuid.UUID("12345678-1234-5678-1234-567812345678")
    double = struct.Struct(">d").pack
    documented = [
        (datetime.datetime(2024, 1, 31, 12), b"L" + block(b"2024-01-31T12:00:00.000000")),
        (datetime.datetime(1, 1, 1, tzinfo=UTC), b"M" + block(b"0001-01-01T00:00:00.000000Z")),
        (datetime.time(1, 2, 3, 4), b"H" + block(b"01:02:03.000004")),
        (datetime.timedelta(days=-1, microseconds=1), b"P" + block(b"-86399999999000")),
        (decimal.Decimal("1.10"), b"X" + block(b"1.10")),
        (uid, b"S" + block(str(uid).encode())),
        (complex(1, -0.0), b"Z" + block(double(1) + double(0.0))),
        ([1, None], b"A" + block(struct.pack(">I", 2) + b"I" + block(b"1") + b"N" + block(b""))),
        ({"b": "x", "ä": 1, "a": True}, b"O" + block(struct.pack(">I", 3) + block(b"a") + b"T" + block(b"")
                                                     + block(b"b") + b"S" + block(b"x")
                                                     + block("ä".encode()) + b"I" + block(b"1"))),
        (numpy.datetime64("2024-01-31T00:00:00.000000001"), b"L" + block(b"2024-01-31T00:00:00.000000001")),
        (numpy.datetime64("2024-01-31"), b"C" + block(b"2024-01-31")),
        (numpy.datetime64("NaT"), b"N" + block(b"")),
        (numpy.timedelta64(5, "ms"), b"P" + block(b"5000000")),
        (numpy.array([[1, 2]]), rows.cell([[1, 2]])),
        (numpy.float32(0.1), b"D" + block(double(float(numpy.float32(0.1))))),
        (memoryview(b"ab"), b"B" + block(b"ab")),
    ]
    for value, expected in documented:
        assert rows.cell(value) == expected, value


def test_what_has_no_canonical_form_is_refused_with_its_row():
    for value in (object(), {1: 2}, datetime.time(1, tzinfo=UTC), numpy.longdouble(1), numpy.datetime64(5, "Y")):
        with pytest.raises((TypeError, ValueError), match="row 2: "):
            mltrail.hash_rows(["a"], [[1], [value]])
    deep = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ValueError, match="nest more than 64"):
        rows.cell(deep)
    with pytest.raises(ValueError, match="two columns have the same name: a"):
        mltrail.hash_rows(["a", "a"], [])


# The quick paths ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["i1", "i8", ">i4", "u1", "u8", "f2", "f4", ">f8", "c8", "c16", "?", "U5", "S5", "O",
                                  "M8[ns]", ">M8[us]", "M8[s]", "M8[m]", "M8[h]", "M8[D]", "M8[W]", "m8[ns]", "m8[D]"])
def test_numpy_columns_give_the_cells_of_their_values(kind):
    source = numpy.random.default_rng(7)
    for count in (1, 2, 17, 300):
        raw = source.integers(-10**4, 10**4, count)
        if kind[-2:] in ("i8", "u8") or kind == "M8[ns]":
            raw = numpy.resize(numpy.array(INTS[:-2], "i8"), count)
        values = raw.astype(str).astype(kind) if kind in ("U5", "S5") else \
            numpy.array(raw.tolist(), object) if kind == "O" else \
            (raw % 1000).astype(kind) if kind in ("M8[W]",) else raw.astype(kind)
        if kind[-4:-1] in ("f8", "f4", "f2") or "f" in kind or "c" in kind:
            values[0] = numpy.nan
            values[-1] = -0.0
        if "M8" in kind or "m8" in kind:
            values[-1] = "NaT"
        strided = numpy.repeat(values, 2)[::2]
        expected = mltrail.hash_rows(["x"], ([value] for value in values))
        for array in (values, strided):
            same(mltrail.hash_data(array, columns=["x"]), expected)
            record = numpy.zeros(count, [("pad", "u1"), ("x", values.dtype)])
            record["x"] = array
            same(mltrail.hash_data(record[["x"]]), expected)


def test_integers_at_the_limits_of_their_types():
    for kind in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
        limits = numpy.iinfo(kind)
        values = numpy.array([limits.min, limits.max, 0, 1, 9, 10, 99, 100], kind)
        same(mltrail.hash_data(values, columns=["x"]), mltrail.hash_rows(["x"], [[int(value)] for value in values]))


@pytest.mark.parametrize("seed", range(TRIES))
def test_arrow_gives_what_the_definition_gives(seed):
    pa = pytest.importorskip("pyarrow")
    source = random.Random(seed)
    table = table_of(source, source.choice([0, 1, 2, 50]))
    types = {"int": pa.int64(), "small": pa.int8(), "whole": pa.int64(), "float": pa.float64(),
             "text": source.choice([pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]),
             "bytes": source.choice([pa.binary(), pa.large_binary()]), "bool": pa.bool_(), "local": pa.timestamp("us"),
             "instant": pa.timestamp("us", source.choice(["UTC", "Europe/Berlin"])),
             "date": pa.date32(), "time": pa.time64("us"), "for": pa.duration("us"),
             "decimal": pa.decimal128(10, 2), "list": pa.list_(pa.int64()),
             "named": pa.struct([("b", pa.int64()), ("a", pa.string())])}
    if types["instant"].tz != "UTC":  # only the first and last day of the calendar would need it, which a zone leaves
        table["instant"] = [None if value is None or value.year in (1, 9999) else value for value in table["instant"]]
    arrow = pa.table({name: pa.array(values, types[name]) for name, values in table.items()})
    expected = slow(dict(table, decimal=[None if value is None else value.quantize(decimal.Decimal("0.01"))
                                         for value in table["decimal"]]))
    same(mltrail.hash_data(arrow), expected)
    middle = arrow.num_rows // 2
    same(mltrail.hash_data(pa.concat_tables([arrow.slice(0, middle), arrow.slice(middle)])), expected)
    same(mltrail.hash_data(arrow.to_reader(max_chunksize=3)), expected)


def test_arrow_keeps_nanoseconds_and_reads_the_rarer_types():
    pa = pytest.importorskip("pyarrow")
    moments = numpy.array(MOMENTS_NS, "M8[ns]")
    local = mltrail.hash_rows(["x"], [[value] for value in moments])
    same(mltrail.hash_data(pa.table({"x": pa.array(moments)})), local)
    nested = pa.table({"x": pa.array([[MOMENTS_NS[5]], None, []], pa.list_(pa.timestamp("ns")))})
    same(mltrail.hash_data(nested), mltrail.hash_rows(["x"], [[[moments[5]]], [None], [[]]]))
    rare = {
        pa.float16(): ([1.5, None, math.nan], [1.5, None, math.nan]),
        pa.float32(): ([0.5, None, math.nan], [0.5, None, math.nan]),
        pa.date64(): ([datetime.date(2024, 2, 29), None], [datetime.date(2024, 2, 29), None]),
        pa.time32("s"): ([datetime.time(1, 2, 3), None], [datetime.time(1, 2, 3), None]),
        pa.duration("s"): ([datetime.timedelta(9), None], [datetime.timedelta(9), None]),
        pa.uint64(): ([2**64 - 1, 0, None], [2**64 - 1, 0, None]),
        pa.map_(pa.string(), pa.int64()): ([[("k", 1)], None, []], [[["k", 1]], None, []]),
        pa.null(): ([None, None], [None, None]),
        pa.binary(2): ([b"ab", None], [b"ab", None]),
        pa.list_(pa.int64(), 2): ([[1, 2], None], [[1, 2], None]),
        pa.struct([("when", pa.timestamp("s", "UTC"))]): ([{"when": datetime.datetime(2024, 1, 1, tzinfo=UTC)}, None],
                                                          [{"when": datetime.datetime(2024, 1, 1, tzinfo=UTC)}, None]),
    }
    for kind, (values, read) in rare.items():
        if kind == pa.float16():
            values = [None if value is None else numpy.float16(value) for value in values]
        array = pa.array([None, *values], kind)
        expected = mltrail.hash_rows(["x"], [[value] for value in read])
        assert (kind, mltrail.hash_data(pa.table({"x": array[1:]})).digest) == (kind, expected.digest)
    with pytest.raises(TypeError, match="interval"):
        mltrail.hash_data(pa.table({"x": pa.nulls(1, pa.month_day_nano_interval())}))


def test_long_texts_are_hashed_in_pieces(monkeypatch):
    pa = pytest.importorskip("pyarrow")
    from mltrail import tables
    texts = ["x" * 5000, "", "y" * 70_000, "z"] * 20
    expected = mltrail.hash_rows(["t"], [[text] for text in texts])
    same(mltrail.hash_data(pa.table({"t": texts})), expected)
    monkeypatch.setattr(tables, "BATCH_BYTES", 100_000)
    same(mltrail.hash_data(pa.table({"t": texts})), expected)


def test_parquet_is_streamed_and_a_dataset_of_files_is_one_table(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    dataset = pytest.importorskip("pyarrow.dataset")
    table = pa.table({"a": list(range(1000)), "b": [str(number) for number in range(1000)]})
    parquet.write_table(table, tmp_path / "all.parquet", row_group_size=64)
    expected = mltrail.hash_data(table)
    same(mltrail.hash_data(parquet.ParquetFile(tmp_path / "all.parquet")), expected)
    (tmp_path / "parts").mkdir()
    for part in range(4):
        parquet.write_table(table.slice(part * 250, 250), tmp_path / "parts" / f"{part}.parquet")
    files = dataset.dataset(tmp_path / "parts")
    same(mltrail.hash_data(files), expected)
    same(mltrail.hash_data(files.scanner(columns=["a", "b"])), expected)


def test_what_is_held_of_a_parquet_file_does_not_grow_with_it(tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = 70_000
    table = pa.table({"x": numpy.random.default_rng(1).normal(size=rows), "t": ["some text of a customer"] * rows})

    def held(groups):
        with parquet.ParquetWriter(tmp_path / "file.parquet", table.schema) as file:
            for _ in range(groups):
                file.write_table(table)
        before, most = pa.total_allocated_bytes(), 0

        class ParquetFile(parquet.ParquetFile):
            def iter_batches(self, *args, **kwargs):
                nonlocal most
                for batch in super().iter_batches(*args, **kwargs):
                    most = max(most, pa.total_allocated_bytes() - before)
                    yield batch
        tracemalloc.start()
        assert mltrail.hash_data(ParquetFile(tmp_path / "file.parquet")).rows == groups * rows
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most, peak
    few, many = held(4), held(20)
    assert many[0] < 2 * few[0] and many[1] < 1.5 * few[1], (few, many)


# pandas ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(TRIES))
def test_pandas_gives_what_the_definition_gives(seed):
    pandas = pytest.importorskip("pandas")
    source = random.Random(seed)
    table = table_of(source, source.choice([0, 1, 2, 50]))
    text = source.choice(["object", "string", "category"])
    if text == "category":  # pandas before 2 takes "" and "\0" for the same category
        table["text"] = ["" if value == "\0" else value for value in table["text"]]
    for name in ("local", "instant", "for"):  # within the nanoseconds of old pandas
        table[name] = [None if value is None or getattr(value, "year", 2000) in (1, 9999) else value for value in table[name]]
    frame = pandas.DataFrame({
        "int": pandas.array(table["int"], "Int64"), "small": pandas.array(table["small"], "Int8"),
        "whole": numpy.array(table["whole"], "i8"),
        "float": pandas.Series([numpy.nan if value is None else value for value in table["float"]], dtype="float64"),
        "text": pandas.Series(table["text"], dtype=text),
        "bytes": pandas.Series(table["bytes"], dtype=object), "bool": pandas.array(table["bool"], "boolean"),
        "local": pandas.Series(pandas.to_datetime(table["local"])).astype("datetime64[ns]"),
        "instant": pandas.Series(pandas.to_datetime(table["instant"], utc=True)).dt.tz_convert("Asia/Tokyo"),
        "date": pandas.Series(table["date"], dtype=object), "time": pandas.Series(table["time"], dtype=object),
        "for": pandas.Series(pandas.to_timedelta(table["for"])),
        "decimal": pandas.Series(table["decimal"], dtype=object), "list": pandas.Series(table["list"], dtype=object),
        "named": pandas.Series(table["named"], dtype=object)})
    same(mltrail.hash_data(frame), slow(table))
    same(mltrail.hash_data(frame.iloc[::-1].iloc[::-1]), slow(table))


def test_pandas_index_counts_when_it_has_a_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": [3, 1], "x": [0.5, numpy.nan]})
    plain = mltrail.hash_rows(["id", "x"], [[3, 0.5], [1, None]])
    same(mltrail.hash_data(frame), plain)
    same(mltrail.hash_data(frame.set_index("id")), plain)
    same(mltrail.hash_data(frame[frame.x > 0]), mltrail.hash_rows(["id", "x"], [[3, 0.5]]))
    same(mltrail.hash_data(frame.set_index("id"), index=False), mltrail.hash_rows(["x"], [[0.5], [None]]))
    same(mltrail.hash_data(frame["id"]), mltrail.hash_rows(["id"], [[3], [1]]))
    same(mltrail.hash_data(pandas.DataFrame([[1, 2]])), mltrail.hash_rows(["0", "1"], [[1, 2]]))
    with pytest.raises(TypeError, match="several levels"):
        mltrail.hash_data(pandas.DataFrame([[1]], columns=pandas.MultiIndex.from_tuples([("a", "b")])))
    with pytest.raises(TypeError, match="period"):
        mltrail.hash_data(pandas.DataFrame({"p": pandas.period_range("2024-01", periods=2, freq="M")}))


def test_a_change_of_one_value_anywhere_changes_the_digest():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": numpy.arange(40_000), "b": numpy.linspace(0, 1, 40_000), "c": ["x"] * 40_000})
    seen = {mltrail.hash_data(frame).digest}
    for row in (0, 10_001, 39_999):  # beyond the rows that sampling digests look at
        for column, value in (("a", -1), ("b", 7.5), ("c", "y")):
            changed = frame.copy()
            changed.loc[row, column] = value
            seen.add(mltrail.hash_data(changed).digest)
    assert len(seen) == 10


# The same table from everywhere ------------------------------------------------------------------------------------

def test_one_table_has_one_digest_from_pandas_arrow_sql_csv_and_rows(tmp_path):
    pandas, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    columns = ["id", "name", "score"]
    content = [(1, "Ann", 0.5), (2, None, -1.25), (3, "größe", None)]
    expected = mltrail.hash_rows(columns, content)
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (id INTEGER, name TEXT, score REAL)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", content)
    query = "SELECT id, name, score FROM t ORDER BY id"
    with open(tmp_path / "t.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *content])
    frame = pandas.read_sql(query, connection)
    for table in (connection.execute(query), frame, pa.Table.from_pandas(frame, preserve_index=False),
                  pa.table(dict(zip(columns, map(list, zip(*content))))), [dict(zip(columns, row)) for row in content],
                  (dict(zip(columns, row)) for row in content)):
        same(mltrail.hash_data(table), expected)
    same(mltrail.hash_csv(tmp_path / "t.csv", {"id": "int", "name": "text", "score": "float"}), expected)
    assert mltrail.hash_csv(tmp_path / "t.csv", dict.fromkeys(columns, "text")).digest != expected.digest
    with pytest.raises(ValueError, match="types are given for"):
        mltrail.hash_csv(tmp_path / "t.csv", {"id": "int"})
    with pytest.raises(ValueError, match="line 2: .*neither true nor false"):
        mltrail.hash_csv(tmp_path / "t.csv", {"id": "int", "name": "bool", "score": "float"})


def test_whoever_hands_out_an_arrow_stream_is_read_through_it():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": [1, 2]})

    class Foreign:
        def __arrow_c_stream__(self, requested_schema=None):
            return table.__arrow_c_stream__(requested_schema)
    same(mltrail.hash_data(Foreign()), mltrail.hash_data(table))


@pytest.mark.parametrize("seed", range(20))
def test_rows_in_portions_give_what_the_definition_gives(seed, monkeypatch):
    table = table_of(random.Random(seed), 57)
    table["mixed"] = [1, "1", 1.0, None, True] * 11 + [2**70, -2**70]
    table["large"] = [2**63 - 1, 2**63] + [None] * 55
    expected = slow(table)
    monkeypatch.setattr(data, "_FETCH_ROWS", 1 + seed)
    same(mltrail.hash_data(list(zip(*table.values())), columns=list(table)), expected)
    same(mltrail.hash_data(dict(zip(table, row)) for row in zip(*table.values())), expected)
    monkeypatch.delitem(data.sys.modules, "numpy")
    same(mltrail.hash_data(list(zip(*table.values())), columns=list(table)), expected)


def test_a_bad_row_is_named_in_portions_too():
    good = [{"a": 1}] * 2500
    with pytest.raises(TypeError, match="row 2501: a object has no canonical form"):
        mltrail.hash_data(iter([*good, {"a": object()}]))
    with pytest.raises(ValueError, match="row 2501 has the columns"):
        mltrail.hash_data(iter([*good, {"b": 1}]))
    with pytest.raises(ValueError, match="row 2 has 2 values, want 1"):
        mltrail.hash_data([(1,), (1, 2)], columns=["a"])


# Arrays and parts --------------------------------------------------------------------------------------------------

def test_an_array_has_the_documented_encoding_however_it_lies_in_memory():
    values = numpy.arange(24, dtype="<i4").reshape(2, 3, 4)
    expected = hashlib.sha256(b"mltrail-array-1\n" + block(b"i4") + struct.pack(">I3Q", 3, 2, 3, 4)
                              + values.tobytes()).hexdigest()
    for array in (values, numpy.asfortranarray(values), values.astype(">i4"), numpy.repeat(values, 2, axis=2)[:, :, ::2]):
        assert mltrail.hash_data(array).digests == {"mltrail-array-1": expected}
    assert mltrail.hash_data(values.reshape(3, 2, 4)).digests != {"mltrail-array-1": expected}
    assert mltrail.hash_data(values.astype("i8")).digests != {"mltrail-array-1": expected}
    cells = hashlib.sha256(b"mltrail-array-1\n" + block(b"cells") + struct.pack(">IQ", 1, 2)
                           + rows.cell("a") + rows.cell(None)).hexdigest()
    assert mltrail.hash_data(numpy.array(["a", None], object)).digests == {"mltrail-array-1": cells}
    for array in (numpy.zeros((0, 3)), numpy.array(5.0), numpy.array(5.0, ">f8"), numpy.array(["é"]), numpy.zeros((3, 0))):
        assert mltrail.hash_data(array).digest == mltrail.hash_data(array.copy()).digest


def test_a_large_array_out_of_order_is_copied_in_portions(monkeypatch):
    values = numpy.random.default_rng(3).normal(size=(1000, 7))
    expected = mltrail.hash_data(values).digest
    monkeypatch.setattr(data, "_ARRAY_BYTES", 1000)
    assert mltrail.hash_data(numpy.asfortranarray(values)).digest == expected


def test_parts_bind_their_names_and_digests(tmp_path):
    (tmp_path / "labels").write_bytes(b"01")
    parts = {"y": tmp_path / "labels", "X": numpy.zeros((2, 2))}
    array = mltrail.hash_data(parts["X"]).digests["mltrail-array-1"]
    expected = hashlib.sha256(b"mltrail-parts-1\n" + struct.pack(">I", 2)
                              + block(b"X") + block(f"mltrail-array-1:{array}\n".encode())
                              + block(b"y") + block(f"sha256:{hashlib.sha256(b'01').hexdigest()}\n".encode())).hexdigest()
    assert mltrail.hash_data(parts).digests == {"mltrail-parts-1": expected}
    assert mltrail.hash_data({"X": numpy.zeros((3, 1)), "y": numpy.zeros(3)}).rows == 3
    with pytest.raises(TypeError, match="pathlib.Path"):
        mltrail.hash_data({"X": "file.csv"})


def test_what_is_no_data_set_is_refused_with_what_would_be_right():
    for wrong, says in ((5, "no data set"), (b"", "no data set"), ([(1, 2)], "columns="),
                        (numpy.ma.masked_array([1], [True]), "masked")):
        with pytest.raises(TypeError, match=says):
            mltrail.hash_data(wrong)


# Published vectors -------------------------------------------------------------------------------------------------

def value_of(typed):
    """A value as the vectors write it: [letter, text]."""
    letter, text = typed
    return {"N": lambda: None, "T": lambda: True, "F": lambda: False, "I": lambda: int(text),
            "D": lambda: float(text), "S": lambda: text, "B": lambda: bytes.fromhex(text),
            "M": lambda: data._moment(text), "L": lambda: data._moment(text),
            "C": lambda: datetime.date.fromisoformat(text), "H": lambda: datetime.time.fromisoformat(text),
            "P": lambda: datetime.timedelta(microseconds=int(text) // 1000), "X": lambda: decimal.Decimal(text),
            "Z": lambda: complex(*map(float, text)), "A": lambda: [value_of(member) for member in text],
            "O": lambda: {name: value_of(member) for name, member in text.items()}}[letter]()


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=str)
def test_published_vectors(path):
    for vector in json.loads(path.read_text(encoding="utf-8"))["vectors"]:
        if vector["algorithm"] == "mltrail-rows-1":
            digest = mltrail.hash_rows(vector["columns"], [[value_of(value) for value in row] for row in vector["rows"]])
        else:
            digest = mltrail.hash_data(numpy.array(vector["elements"], vector["type"]).reshape(vector["shape"]))
        assert digest.digests == {vector["algorithm"]: vector["digest"]}, vector["says"]


def test_there_are_vectors():
    assert VECTORS.is_dir() and len(list(VECTORS.glob("*.json"))) >= 2
