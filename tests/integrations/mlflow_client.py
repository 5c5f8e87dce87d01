"""What a data scientist's program does, by MLflow's own client. Run by test_mlflow_wrapper.py in a process of its own."""
from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

import mlflow
import mlflow.data
import mlflow.sklearn
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import mltrail.mlflow


def train(model: str, strength: float, source: Path) -> str:
    patients = load_breast_cancer(as_frame=True).frame
    with mlflow.start_run() as run:
        mlflow.log_input(mlflow.data.from_pandas(patients, source=str(source), name="patients", targets="target"), context="training")
        mlflow.log_param("C", strength)
        features = patients.drop(columns="target")
        fitted = LogisticRegression(C=strength, solver="liblinear").fit(features, patients["target"])
        mlflow.log_metric("auc", roc_auc_score(patients["target"], fitted.decision_function(features)))
        mlflow.log_text("read me", "notes.txt")
        mlflow.sklearn.log_model(fitted, name="model", registered_model_name=model)
    return run.info.run_id


def train_and_move(model: str) -> dict:
    source = Path.cwd() / "patients.csv"
    source.write_text("written by the clinic\n")
    experiment = mlflow.set_experiment("tumours").experiment_id
    runs = [train(model, strength, source) for strength in (1.0, 0.5)]
    client = MlflowClient()
    why = {"reason": "geprüft – 100 %", "approval_reference": "CAB-7"}
    with mltrail.mlflow.because(**why):
        client.set_registered_model_alias(model, "champion", "1")
    client.set_model_version_tag(model, "1", "mltrail.reason", "from a tag")
    client.set_model_version_tag(model, "1", "mltrail.approval_reference", "CAB-1")
    client.transition_model_version_stage(model, "1", "Production")
    with mltrail.mlflow.because(**why):
        client.set_registered_model_alias(model, "champion", "2")
    client.transition_model_version_stage(model, "2", "Production", archive_existing_versions=True)
    client.set_registered_model_alias(model, "shadow", "2")
    client.delete_registered_model_alias(model, "shadow")
    downloaded = mlflow.artifacts.download_artifacts(f"models:/{model}@champion")
    client.create_registered_model("to-be-deleted")
    client.delete_registered_model("to-be-deleted")
    return {"experiment": experiment, "runs": runs, "downloaded": mltrail.mlflow.hash_model(downloaded).digests}


def up_and_down(experiment: str, size: str) -> list:
    data = os.urandom(int(size))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "big.bin").write_bytes(data)
        with mlflow.start_run(experiment_id=experiment) as run:
            mlflow.log_artifact(str(Path(folder) / "big.bin"))
        got = Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="big.bin")).read_bytes()
    return [hashlib.sha256(data).hexdigest(), hashlib.sha256(got).hexdigest()]


def move_an_alias(model: str) -> str:
    client = MlflowClient()
    with mlflow.start_run() as run:
        mlflow.log_text("weights", "model/weights.txt")
    version = client.create_model_version(model, f"{run.info.artifact_uri}/model", run.info.run_id).version
    client.set_registered_model_alias(model, "a", version)
    client.delete_registered_model_alias(model, "a")
    return version


def try_to_create(name: str) -> str:
    try:
        MlflowClient().create_registered_model(name)
    except MlflowException as error:
        return str(error)
    return "it was created"


if __name__ == "__main__":
    command = {"train-and-move": train_and_move, "up-and-down": up_and_down, "move-an-alias": move_an_alias,
               "try-to-create": try_to_create}[sys.argv[1]]
    print(json.dumps(command(*sys.argv[2:])))
