"""dbt, unchanged, through its OpenLineage wrapper: `dbt-ol run` with OPENLINEAGE_URL set.

dbt is not among requirements.txt (it pins much of what MLflow needs in other versions). `pip install openlineage-dbt dbt-duckdb` in an
environment of its own, and MLTRAIL_DBT_OL=/path/to/bin/dbt-ol.
"""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = {
    "dbt_project.yml": 'name: clinic\nversion: "1.0"\nprofile: clinic\nmodel-paths: ["models"]\nmodels: {clinic: {+materialized: table}}\n',
    "profiles.yml": "clinic:\n  target: dev\n  outputs: {dev: {type: duckdb, path: clinic.duckdb, threads: 1}}\n",
    "models/visits.sql": "select i as id, date '2024-01-01' + i::int as day, i * 2 as v from range(100) t(i)\n",
    "models/recent.sql": "select id, v from {{ ref('visits') }} where day >= '2024-02-01'\n",
}


@pytest.fixture(scope="module")
def dbt_ol() -> Path:
    found = os.environ.get("MLTRAIL_DBT_OL") or shutil.which("dbt-ol")
    if not found:
        pytest.skip("dbt-ol is not installed: set MLTRAIL_DBT_OL to it")
    return Path(found)


def test_models_of_dbt_are_dataset_versions(trail, dbt_ol, tmp_path):
    """Two models: two versions, the second made from the first, with their SQL and columns; and no machine-learning model."""
    for name, content in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    token = trail.producer("dbt")
    environment = {**os.environ, "PATH": f"{dbt_ol.parent}:{os.environ['PATH']}", "OPENLINEAGE_URL": f"http://x:{token}@127.0.0.1:{trail.port}"}
    ran = subprocess.run([dbt_ol, "run", "--profiles-dir", ".", "--project-dir", "."], cwd=tmp_path, env=environment, capture_output=True, text=True,
                         timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    made = {item["entry"]["facts"]["dataset"]: item["entry"]["facts"] for item in trail.search(kind="dataset.version")}
    assert set(made) == {"duckdb://clinic.duckdb/clinic.main.visits", "duckdb://clinic.duckdb/clinic.main.recent"}
    visits, recent = made["duckdb://clinic.duckdb/clinic.main.visits"], made["duckdb://clinic.duckdb/clinic.main.recent"]
    assert recent["inputs"] == [{"dataset": visits["dataset"], "version": visits["version"]}] and recent["sources"] == []
    assert "where day >= '2024-02-01'" in recent["transformations"][0]["description"]
    assert {"step": "column v", "description": "duckdb://clinic.duckdb/clinic.main.visits.v"} in recent["transformations"]
    assert trail.search(kind="training.run") == [] and trail.search(kind="model.version") == []
