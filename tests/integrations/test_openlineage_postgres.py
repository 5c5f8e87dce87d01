"""A job over a real PostgreSQL, started from its own programs: tables, dates, snapshot and rows reach the trail."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import uuid
from datetime import datetime, timezone
from pathlib import Path

import pytest

pytest.importorskip("openlineage.client")

from openlineage.client import OpenLineageClient  # noqa: E402
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState  # noqa: E402
from openlineage.client.facet_v2 import (base_subset_dataset, dataset_version_dataset, input_statistics_input_dataset,  # noqa: E402
                                         nominal_time_run, output_statistics_output_dataset, sql_job)

from mltrail import openlineage as facets  # noqa: E402

NAMESPACE = "postgres://warehouse.example.org:5432"
SQL = "SELECT l.id, l.amount, c.region FROM loans l JOIN codes c USING (code) WHERE l.granted >= '2024-01-01' AND l.granted <= '2024-12-31'"
START_S = 60


def program(name: str) -> str:
    found = shutil.which(name) or next(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    if not found:
        pytest.skip(f"{name} is not installed: PostgreSQL is not tested")
    return found


class Postgres:
    """A server of its own, on a socket in its folder, as a user that PostgreSQL accepts (not root)."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mltrail-pg-"))
        self.how = {"timeout": START_S, "check": True, "capture_output": True, "text": True, "cwd": self.folder}
        if os.getuid() == 0:
            shutil.chown(self.folder, "nobody")
            self.how["user"] = "nobody"
        initdb, self.pg_ctl, self.psql = program("initdb"), program("pg_ctl"), program("psql")
        self.data = self.folder / "data"
        subprocess.run([initdb, "-D", self.data, "-U", "etl", "--auth=trust", "--no-sync"], **self.how)
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        # The server keeps what it inherits: nothing of ours must wait for its output.
        subprocess.run([self.pg_ctl, "-D", self.data, "-o", options, "-l", self.folder / "log", "-w", "start"],
                       **{**self.how, "capture_output": False, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL})

    def ask(self, sql: str) -> str:
        return subprocess.run([self.psql, "-h", self.folder, "-U", "etl", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-qAtc", sql], **self.how).stdout.strip()

    def stop(self) -> None:
        subprocess.run([self.pg_ctl, "-D", self.data, "-m", "immediate", "stop"], **self.how)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def postgres():
    for name in ("initdb", "pg_ctl", "psql"):
        program(name)
    server = Postgres()
    yield server
    server.stop()


def table(name: str) -> str:
    return f"postgres.public.{name}"


def read(server: Postgres, name: str, condition=None) -> InputDataset:
    """A table as the job reads it: its snapshot, its rows, and which of them."""
    reading = {"inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=int(server.ask(f"SELECT count(*) FROM {name}")))}
    if condition:
        reading["subset"] = base_subset_dataset.InputSubsetInputDatasetFacet(inputCondition=condition)
    else:
        reading["mltrail_dateRange"] = facets.date_range()
    return InputDataset(NAMESPACE, table(name), inputFacets=reading, facets={
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(server.ask("SELECT pg_current_snapshot()"))})


def compare(comparison: str, literal: str):
    return base_subset_dataset.CompareSubsetCondition(left=base_subset_dataset.FieldBaseCompareExpression("granted"),
                                                      right=base_subset_dataset.LiteralCompareExpression(literal), comparison=comparison)


def test_a_join_over_postgres(trail, postgres, monkeypatch):
    """Both tables are sources: one with a range of dates, one that is stated to be unrestricted."""
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://x:{trail.producer('postgres')}@127.0.0.1:{trail.port}")
    postgres.ask("CREATE TABLE codes (code int PRIMARY KEY, region text); INSERT INTO codes VALUES (1, 'north'), (2, 'south')")
    postgres.ask("CREATE TABLE loans (id int PRIMARY KEY, amount int, code int, granted date);"
                 "INSERT INTO loans SELECT i, i * 10, 1 + i % 2, date '2023-07-01' + i FROM generate_series(1, 1000) i")
    client, run = OpenLineageClient(), str(uuid.uuid4())

    def emit(state: RunState, **more) -> None:
        client.emit(RunEvent(eventTime=datetime.now(timezone.utc).isoformat(), eventType=state, producer="https://example.org/etl", run=Run(run, facets={
            "nominalTime": nominal_time_run.NominalTimeRunFacet("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"),
            "mltrail_actor": facets.actor("svc-airflow", "schedule", on_behalf_of="risk-data")}),
            job=Job("etl", "loans_2024", facets={"sql": sql_job.SQLJobFacet(SQL, "postgres")}), **more))

    between = base_subset_dataset.BinarySubsetCondition(left=compare("GREATER_EQUAL_THAN", "2024-01-01"), right=compare("LESS_EQUAL_THAN", "2024-12-31"), operator="AND")
    emit(RunState.START, inputs=[read(postgres, "loans", between), read(postgres, "codes")])
    postgres.ask(f"CREATE TABLE loans_2024 AS {SQL}")
    rows = int(postgres.ask("SELECT count(*) FROM loans_2024"))
    emit(RunState.COMPLETE, outputs=[OutputDataset(NAMESPACE, table("loans_2024"), outputFacets={
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)}, facets={
        "mltrail_exclusions": facets.exclusions(facets.exclusion("no code", "cannot be assigned to a region", 0))})])

    made = next(item["entry"]["facts"] for item in trail.search(kind="dataset.version"))
    assert made["dataset"] == f"{NAMESPACE}/{table('loans_2024')}" and made["version"] == run and made["rows"] == rows == 366
    codes, loans = made["sources"]
    assert (codes["system"], codes["table"], codes["rows"]) == (NAMESPACE, table("codes"), 2)
    assert codes["date_range"] == {"from": None, "to": None}
    assert loans["date_range"] == {"column": "granted", "from": "2024-01-01", "to": "2025-01-01"}
    assert loans["rows"] == 1000 and loans["query"] == SQL and loans["snapshot"].count(":") == 2
    assert made["exclusions"][0]["reason"] == "cannot be assigned to a region" and made["created_by"] == "svc-airflow"
    graph = json.loads(trail.run("lineage", f"dataset:{made['dataset'].replace('/', '%2F')}/{run}", "--trail", trail.dir, "--json").stdout)
    assert {finding["code"] for finding in graph["findings"]}.isdisjoint({"date-range-missing", "exclusions-not-stated", "sources-empty"})
