"""The clinic's database and the training data made from it.

The measurements and diagnoses are the Wisconsin breast-cancer data that scikit-learn ships: 569 real patients. Two
columns are added, because the published data has neither: `biopsy_id` (B-0001 …, in the order of the file) and
`biopsy_date` (every second day from 2022-01-01). Everything else is as published.
"""
from __future__ import annotations

import csv
import datetime
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy
from sklearn.datasets import load_breast_cancer

import paths
import mltrail

SYSTEM = "clinic.sqlite"
FIRST_BIOPSY = datetime.date(2022, 1, 1)
DAYS_BETWEEN = 2
EXCLUDED = '"mean concavity" = 0'
EXCLUSION_REASON = "a concavity of exactly 0 is taken as not measured"
FEATURES: List[str] = [str(name) for name in load_breast_cancer().feature_names]
AREAS = [name for name in FEATURES if name.endswith("area") or name.startswith("area")]


@dataclass(frozen=True)
class Extract:
    """Training data: what came out, and how, in numbers."""

    start: str
    end: str
    file: Path
    digest: Dict[str, str]
    query: str
    rows_in: int
    rows_excluded: int
    rows: int
    snapshot: str


def load_source_tables(path: Path) -> None:
    """Fills the two source tables."""
    data = load_breast_cancer()
    columns = ", ".join(f'"{name}" REAL NOT NULL' for name in FEATURES)
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE biopsy (biopsy_id TEXT PRIMARY KEY, biopsy_date TEXT NOT NULL, "
                         "diagnosis TEXT NOT NULL CHECK (diagnosis IN ('M', 'B')))")
        database.execute(f"CREATE TABLE cell_nuclei (biopsy_id TEXT PRIMARY KEY REFERENCES biopsy, {columns})")
        for number, (values, target) in enumerate(zip(data.data, data.target)):
            name = f"B-{number + 1:04d}"
            day = FIRST_BIOPSY + datetime.timedelta(days=DAYS_BETWEEN * number)
            database.execute("INSERT INTO biopsy VALUES (?, ?, ?)", (name, day.isoformat(), "MB"[int(target)]))
            database.execute(f"INSERT INTO cell_nuclei VALUES (?{', ?' * len(FEATURES)})",
                             (name, *(float(value) for value in values)))
    database.close()


def _query(condition: str) -> str:
    names = ", ".join(f'n."{name}"' for name in FEATURES)
    return (f"SELECT b.biopsy_id, b.diagnosis, {names} FROM biopsy b JOIN cell_nuclei n USING (biopsy_id) "
            f"WHERE b.biopsy_date >= ? AND b.biopsy_date < ?{condition} ORDER BY b.biopsy_id")


def held_back(path: Path, start: str, end: str) -> List[Dict[str, Any]]:
    """Patients to score: identifier and raw measurements."""
    with sqlite3.connect(path) as database:
        rows = database.execute(_query(""), (start, end)).fetchall()
    database.close()
    return [{"biopsy_id": row[0], "diagnosis": row[1], "features": dict(zip(FEATURES, row[2:]))} for row in rows]


def logarithm_of_areas(features: Dict[str, float]) -> List[float]:
    """Transformation 2, also applied when scoring: areas spread over two orders of magnitude."""
    return [float(numpy.log1p(features[name])) if name in AREAS else float(features[name]) for name in FEATURES]


def extract(database_path: Path, start: str, end: str, file: Path) -> Extract:
    """The training data of biopsies from `start` up to, not including, `end`, as a CSV file."""
    with sqlite3.connect(database_path) as database:
        everything = database.execute(f"SELECT count(*) FROM ({_query('')})", (start, end)).fetchone()[0]
        query = _query(f" AND NOT (n.{EXCLUDED})")
        kept = database.execute(query, (start, end)).fetchall()
    database.close()
    columns = ["malignant"] + FEATURES
    rows: List[Sequence[Any]] = []
    for row in kept:
        malignant = 1 if row[1] == "M" else 0  # transformation 1
        rows.append([malignant, *logarithm_of_areas(dict(zip(FEATURES, row[2:])))])
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        for values in rows:
            writer.writerow([repr(value) for value in values])
    digest = {"sha256": mltrail.hash_file(file).split(":")[1],
              "mltrail-rows-1": mltrail.hash_rows(columns, rows).digest.split(":")[1]}
    return Extract(start, end, file, digest, query, everything, everything - len(rows), len(rows),
                   mltrail.hash_file(database_path))


def read_extract(file: Path) -> "tuple[numpy.ndarray[Any, Any], numpy.ndarray[Any, Any]]":
    """Features and labels of an extract."""
    table = numpy.loadtxt(file, delimiter=",", skiprows=1)
    return table[:, 1:], table[:, 0].astype(int)
