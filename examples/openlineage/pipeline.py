"""Three jobs, as a scheduler would run them: extract, clean, train. Each tells OpenLineage what it read and made.

    OPENLINEAGE_URL=http://x:TOKEN@127.0.0.1:8470 python pipeline.py FOLDER

The work is real: SQLite, and scikit-learn's copy of the Wisconsin breast-cancer data, to which `biopsy_date` is added
(every second day from 2022-01-01). The exclusion is a choice of this example: a mean concavity of exactly 0 is taken as
not measured.
"""
from __future__ import annotations

import json
import pickle
import sqlite3
import sys
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (base_subset_dataset, column_lineage_dataset, dataset_type_dataset,
                                         documentation_job, execution_parameters_run, input_statistics_input_dataset,
                                         job_type_job, output_statistics_output_dataset, schema_dataset,
                                         source_code_location_job, sql_job)
from openlineage.client.uuid import generate_new_uuid
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sdk" / "python"))  # where mltrail is not installed
from mltrail import GitError, git_state, hash_file, hash_rows  # noqa: E402
from mltrail import openlineage as facets  # noqa: E402

WAREHOUSE = "sqlite://warehouse.example.org/clinic.db"
SCHEDULER, PRODUCER = "clinic", "https://example.org/clinic/pipeline"
FEATURES = ["mean_radius", "mean_texture", "mean_concavity"]
SINCE, UNTIL = "2022-01-01", "2024-07-01"
EXTRACT_SQL = f"SELECT * FROM biopsies WHERE biopsy_date >= '{SINCE}' AND biopsy_date < '{UNTIL}'"


def make_warehouse(path: Path) -> None:
    """The source system: a table of biopsies."""
    data = load_breast_cancer()
    columns = [list(data.feature_names).index(name.replace("_", " ")) for name in FEATURES]
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"CREATE TABLE biopsies (id INTEGER PRIMARY KEY, biopsy_date TEXT, {' REAL, '.join(FEATURES)} REAL, benign INTEGER)")
        for i, (row, label) in enumerate(zip(data.data, data.target)):
            day = date(2022, 1, 1) + timedelta(days=2 * i)
            db.execute("INSERT INTO biopsies VALUES (?, ?, ?, ?, ?, ?)",
                       (i, day.isoformat(), *(float(row[c]) for c in columns), int(label)))


def commit() -> Optional[str]:
    """Of this file; None where it is in no repository."""
    try:
        return git_state(Path(__file__).parent).commit
    except GitError:
        return None


class Told:
    """One run of a job: START when it begins, COMPLETE or FAIL when it ends."""

    def __init__(self, client: OpenLineageClient, name: str, *, job: Dict[str, Any], run: Dict[str, Any]):
        self.client, self.id = client, str(generate_new_uuid())
        code = source_code_location_job.SourceCodeLocationJobFacet(
            type="git", url="https://git.example.org/clinic/pipeline", repoUrl="https://git.example.org/clinic/pipeline.git",
            path="examples/openlineage/pipeline.py", version=commit())
        self.job = Job(SCHEDULER, name, facets={"sourceCodeLocation": code, **job})
        self.run = Run(self.id, facets={"mltrail_actor": facets.actor("ana@example.org", trigger="manual"), **run})
        self.inputs: List[InputDataset] = []
        self.outputs: List[OutputDataset] = []

    def emit(self, state: RunState) -> None:
        self.client.emit(RunEvent(eventTime=datetime.now(timezone.utc).isoformat(), run=self.run, job=self.job, eventType=state,
                                  producer=PRODUCER, inputs=self.inputs, outputs=self.outputs))


@contextmanager
def running(told: Told, *inputs: InputDataset) -> Iterator[Told]:
    told.inputs = list(inputs)
    told.emit(RunState.START)
    told.inputs = []  # the end adds what the run made: consumers put the two together
    try:
        yield told
    except BaseException:
        told.emit(RunState.FAIL)
        raise
    told.emit(RunState.COMPLETE)


def count(db: sqlite3.Connection, table: str) -> int:
    return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def made(db: sqlite3.Connection, table: str, **more: Any) -> OutputDataset:
    """A table that a job made, with the digest of its rows."""
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    rows = hash_rows(columns, db.execute(f"SELECT * FROM {table} ORDER BY id"))
    return OutputDataset(WAREHOUSE, table, facets={
        "schema": schema_dataset.SchemaDatasetFacet(fields=[schema_dataset.SchemaDatasetFacetFields(name) for name in columns]),
        "mltrail_datasetDigest": facets.dataset_digest(rows.digests, "rows in order of id", rows.rows), **more},
        outputFacets={"outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows.rows)})


def compare(field: str, comparison: str, literal: str) -> base_subset_dataset.CompareSubsetCondition:
    return base_subset_dataset.CompareSubsetCondition(
        left=base_subset_dataset.FieldBaseCompareExpression(field), right=base_subset_dataset.LiteralCompareExpression(literal),
        comparison=comparison)


def extract(client: OpenLineageClient, path: Path) -> str:
    """Takes a range of dates out of the source table."""
    with closing(sqlite3.connect(path)) as db, db:
        between = base_subset_dataset.BinarySubsetCondition(
            left=compare("biopsy_date", "GREATER_EQUAL_THAN", SINCE), right=compare("biopsy_date", "LESS_THAN", UNTIL), operator="AND")
        source = InputDataset(WAREHOUSE, "biopsies", inputFacets={
            "subset": base_subset_dataset.InputSubsetInputDatasetFacet(inputCondition=between),
            "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=count(db, "biopsies"))})
        told = Told(client, "extract", run={}, job={"sql": sql_job.SQLJobFacet(query=EXTRACT_SQL)})
        with running(told, source):
            db.execute(f"CREATE TABLE extracted AS {EXTRACT_SQL}")
            told.outputs = [made(db, "extracted", mltrail_exclusions=facets.exclusions())]
    return told.id


def clean(client: OpenLineageClient, path: Path) -> str:
    """Leaves out what was not measured, and rounds."""
    identity = column_lineage_dataset.Transformation(type="DIRECT", subtype="TRANSFORMATION", description="rounded to three digits")
    lineage = column_lineage_dataset.ColumnLineageDatasetFacet(
        fields={name: column_lineage_dataset.Fields(inputFields=[column_lineage_dataset.InputField(
            WAREHOUSE, "extracted", name, transformations=[identity])]) for name in FEATURES},
        dataset=[column_lineage_dataset.InputField(WAREHOUSE, "extracted", "mean_concavity", transformations=[
            column_lineage_dataset.Transformation(type="INDIRECT", subtype="FILTER")])])
    with closing(sqlite3.connect(path)) as db, db:
        told = Told(client, "clean", run={}, job={
            "documentation": documentation_job.DocumentationJobFacet("Leaves out biopsies that were not measured; rounds features.")})
        source = InputDataset(WAREHOUSE, "extracted", inputFacets={
            "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=count(db, "extracted"))})
        with running(told, source):
            rounded = ", ".join(f"round({name}, 3) AS {name}" for name in FEATURES)
            db.execute(f"CREATE TABLE measured AS SELECT id, biopsy_date, {rounded}, benign FROM extracted WHERE mean_concavity > 0")
            removed = count(db, "extracted") - count(db, "measured")
            told.outputs = [made(db, "measured", columnLineage=lineage, mltrail_exclusions=facets.exclusions(
                facets.exclusion("mean_concavity = 0", "taken as not measured", removed, "data-board@example.org")))]
    return told.id


def train(client: OpenLineageClient, path: Path, folder: Path) -> str:
    """Fits a model and writes it into `folder`."""
    parameters = {"C": 0.5, "max_iter": 1000, "random_state": 7}
    told = Told(client, "train", run={
        "executionParameters": execution_parameters_run.ExecutionParametersRunFacet(parameters=[
            execution_parameters_run.ExecutionParameter(key=key, value=str(value)) for key, value in parameters.items()])},
        job={"jobType": job_type_job.JobTypeJobFacet(processingType="BATCH", integration="PYTHON", jobType="TRAINING")})
    with closing(sqlite3.connect(path)) as db, db:
        digest = made(db, "measured").facets["mltrail_datasetDigest"]
        rows = db.execute(f"SELECT {', '.join(FEATURES)}, benign FROM measured ORDER BY id").fetchall()
    source = InputDataset(WAREHOUSE, "measured", facets={"mltrail_datasetDigest": digest},
                          inputFacets={"mltrail_datasetRole": facets.dataset_role("train")})
    with running(told, source):
        features, labels = [row[:-1] for row in rows], [row[-1] for row in rows]
        model = make_pipeline(StandardScaler(), LogisticRegression(**parameters)).fit(features, labels)
        file = folder / "tumour-risk.pickle"
        file.write_bytes(pickle.dumps(model, protocol=4))
        auc = float(roc_auc_score(labels, model.predict_proba(features)[:, 1]))
        told.run.facets["mltrail_metrics"] = facets.metrics(train_auc=round(auc, 6), train_rows=len(rows))
        told.outputs = [OutputDataset("file://models.example.org", "tumour-risk", facets={
            "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(datasetType="MODEL"),
            "mltrail_datasetDigest": facets.dataset_digest(hash_file(file), "bytes of the file")})]
    return told.id


def main(folder: Path) -> Dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "clinic.db"
    make_warehouse(path)
    client = OpenLineageClient()
    runs = {"extract": extract(client, path), "clean": clean(client, path), "train": train(client, path, folder)}
    client.close()
    return runs


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: pipeline.py FOLDER   (which does not have a clinic.db yet)")
    print(json.dumps(main(Path(sys.argv[1]))))
