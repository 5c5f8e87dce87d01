"""The SDK's own tests of data sets, with the libraries of today: the system's Python has older ones, and no pyarrow."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
ROOT = Path(__file__).resolve().parents[2]


def test_pandas_and_arrow_give_what_the_definition_gives():
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_datasets.py"],
                          cwd=ROOT / "sdk" / "python", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout and "skipped" not in done.stdout, done.stdout


def test_the_bench_runs_and_every_change_is_seen():
    done = subprocess.run([sys.executable, ROOT / "bench" / "dataset_hash.py", "--rows", "20000", "--repeat", "1", "--json"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert all(result["sees"]["mltrail"].values()) and all(result["keeps"]["mltrail"].values())
    # A peer that no longer misses what the documentation says that it misses makes the documentation wrong.
    assert not result["sees"]["pandas.util.hash_pandas_object"]["a column renamed"]
    if "mlflow.data" in result["sees"]:
        assert not result["sees"]["mlflow.data"]["one number, late in the table"]
