#!/usr/bin/env python3
"""How fast a data set is hashed, beside what people use today, and which changes each of them sees.

    python bench/dataset_hash.py [--rows N] [--repeat N] [--json]

Needs pandas and pyarrow; joblib and mlflow are compared when they are installed. Each is given the same table, warm, one
thread; the best of the repeats counts, in megabytes of the table as Arrow holds it. A ratio above 1: mltrail is faster.
Speed is only comparable between digests that see the same: the second table says which change goes unseen.
"""
from __future__ import annotations

import argparse
import json
import sys
import time
import tracemalloc
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sdk" / "python"))

import numpy  # noqa: E402
import pandas  # noqa: E402
import pyarrow  # noqa: E402

import mltrail  # noqa: E402

FRAUD_ROW = 0.9  # where, as a share of the rows, the one value is changed


def tables(rows: int) -> dict:
    source = numpy.random.default_rng(20)
    numbers = pandas.DataFrame(source.normal(size=(rows, 20)), columns=[f"f{column}" for column in range(20)])
    mixed = pandas.DataFrame({
        "id": numpy.arange(rows), "amount": source.normal(size=rows), "age": source.integers(18, 90, rows),
        "name": numpy.char.add("customer-", source.integers(0, 10**7, rows).astype(str)).astype(object),
        "country": pandas.Categorical.from_codes(source.integers(0, 4, rows), ["DE", "FR", "IT", "NL"]),
        "paid": source.random(rows) > 0.1,
        "opened": pandas.Timestamp("2020-01-01", tz="UTC") + pandas.to_timedelta(source.integers(0, 10**8, rows), unit="s"),
        "score": pandas.array(numpy.where(source.random(rows) > 0.9, None, source.integers(0, 1000, rows)), "Int64")})
    return {"20 columns of doubles": numbers, "8 columns of mixed types": mixed}


def peers() -> dict:
    found = {"mltrail": lambda frame: mltrail.hash_data(frame).digest,
             "pandas.util.hash_pandas_object": lambda frame: int(pandas.util.hash_pandas_object(frame).sum())}
    try:
        import joblib
        found["joblib.hash"] = joblib.hash
    except ImportError:
        pass
    try:
        from mlflow.data.digest_utils import compute_pandas_digest
        found["mlflow.data"] = compute_pandas_digest
    except ImportError:
        pass
    return found


def best(action, repeat: int) -> float:
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return min(times)


def peak_of(action) -> int:
    """Bytes that Python and NumPy held at most, beyond what was there before."""
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


# What a digest has to see, as a change of the table. ---------------------------------------------------------------

def changes(frame: pandas.DataFrame) -> dict:
    row = int(len(frame) * FRAUD_ROW)

    def changed(column, value):
        other = frame.copy()
        other.loc[row, column] = value
        return other
    swapped = frame.copy()
    swapped.iloc[[0, row]] = frame.iloc[[row, 0]].to_numpy()
    return {
        "one number, late in the table": changed("amount", 1e6),
        "one timestamp, late in the table": changed("opened", pandas.Timestamp("2019-01-01", tz="UTC")),
        "one truth value, late in the table": changed("paid", not frame.loc[row, "paid"]),
        "two rows exchanged": swapped.astype(frame.dtypes),
        "a column renamed": frame.rename(columns={"age": "income"}),
        "two columns exchanged": frame[[*frame.columns[1:3], frame.columns[0], *frame.columns[3:]]],
        "integers as doubles": frame.astype({"age": "float64"}),
    }


def keeps(peer) -> dict:
    """The same content must have the same digest."""
    frame = pandas.DataFrame({"n": [1, 2, 3], "s": ["a", "b", "c"]})
    arrow = pyarrow.Table.from_pandas(frame, preserve_index=False)
    cases = {"from an Arrow table": lambda: arrow, "with a leftover index": lambda: frame.set_axis([5, 6, 7]),
             "text held another way": lambda: frame.astype({"s": "category"})}
    result = {}
    for name, make in cases.items():
        try:
            result[name] = peer(make()) == peer(frame)
        except Exception:  # whatever a peer raises for what it does not take
            result[name] = None
    return result


def measure(rows: int, repeat: int) -> dict:
    found = peers()
    result: dict = {"rows": rows, "speed": {}, "sees": {}, "keeps": {}}
    for name, frame in tables(rows).items():
        arrow = pyarrow.Table.from_pandas(frame, preserve_index=False)
        array = numpy.ascontiguousarray(frame.to_numpy()) if name.startswith("20") else None
        speed = {peer: arrow.nbytes / 1e6 / best(lambda peer=peer: found[peer](frame), repeat) for peer in found}
        speed["mltrail (Arrow)"] = arrow.nbytes / 1e6 / best(lambda: mltrail.hash_data(arrow), repeat)
        if array is not None:
            speed["mltrail (NumPy array)"] = array.nbytes / 1e6 / best(lambda: mltrail.hash_data(array), repeat)
        slow = frame.head(20_000)
        few = list(slow.itertuples(index=False, name=None))
        speed["mltrail (row by row)"] = arrow.nbytes * len(slow) / rows / 1e6 / best(
            lambda: mltrail.hash_rows(list(frame.columns), few), 1)
        speed["mltrail (rows, as of a cursor)"] = arrow.nbytes * len(slow) / rows / 1e6 / best(
            lambda: mltrail.hash_data(iter(few), columns=list(frame.columns)), 1)
        result["speed"][name] = speed
        result.setdefault("peak_bytes", {})[name] = peak_of(lambda: mltrail.hash_data(arrow))
    mixed = tables(min(rows, 50_000))["8 columns of mixed types"]
    for peer, digest in found.items():
        before = digest(mixed)
        result["sees"][peer] = {name: digest(other) != before for name, other in changes(mixed).items()}
        result["keeps"][peer] = keeps(digest)
    return result


def show(result: dict) -> None:
    for name, speed in result["speed"].items():
        print(f"\n{name}, {result['rows']} rows; mltrail held at most {result['peak_bytes'][name] / 1e6:.0f} MB")
        for peer, rate in speed.items():
            own = peer.startswith("mltrail")
            print(f"  {peer:32} {rate:9.0f} MB/s" + ("" if own else f"   mltrail / it = {speed['mltrail'] / rate:.2f}"))
    for title, table in (("changes that it sees", "sees"), ("stays the same for the same content", "keeps")):
        print(f"\n{title}")
        columns = list(result[table])
        for case in result[table][columns[0]]:
            words = {True: "yes", False: "NO", None: "refused"}
            print(f"  {case:36} " + "  ".join(f"{peer.split('.')[0]}: {words[result[table][peer][case]]}" for peer in columns))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.rows, options.repeat)
    if options.json:
        print(json.dumps(result, indent=1))
    else:
        show(result)


if __name__ == "__main__":
    main()
