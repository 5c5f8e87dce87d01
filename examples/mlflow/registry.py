"""A model from training to its first prediction, with MLflow as registry and every step in the trail.

    export MLTRAIL_URL=http://127.0.0.1:8470 MLTRAIL_TOKEN_FILE=demo.state/admin.token
    mlflow server --app-name mltrail &
    MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python registry.py

`train` and `promote` say nothing to the trail: MLflow does. `approve` and `predict` are what MLflow does not see.
"""
from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path
from typing import Any, Dict

import mlflow
import mlflow.data
import mlflow.sklearn
import pandas as pd
from mlflow import MlflowClient
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import mltrail
import mltrail.mlflow

MODEL = "tumour-risk"
APPROVAL = "CAB-2031"


def train(folder: Path) -> str:
    """Trains a model and registers it; gives its version."""
    patients = load_breast_cancer(as_frame=True).frame
    training, held_out = train_test_split(patients, test_size=0.25, random_state=7, stratify=patients["target"])
    source = folder / "patients.csv"
    training.to_csv(source, index=False)

    mlflow.set_experiment(MODEL)
    with mlflow.start_run() as run:
        mlflow.log_input(mlflow.data.from_pandas(training, source=str(source), name="patients", targets="target"),
                         context="training")
        model = LogisticRegression(C=0.5, solver="liblinear").fit(training.drop(columns="target"), training["target"])
        mlflow.log_param("C", 0.5)
        mlflow.log_metric("auc", roc_auc_score(held_out["target"], model.decision_function(held_out.drop(columns="target"))))
        logged = mlflow.sklearn.log_model(model, name="model")
    return str(mlflow.register_model(logged.model_uri, MODEL, tags={"training_job": run.info.run_id}).version)


def approve(trail: mltrail.Trail, version: str) -> None:
    """The verdict of whoever has to agree. MLflow has no place for it."""
    trail.log_approval(APPROVAL, MODEL, version, "approved", "head-of-risk", reason="reviewed on held-out patients")


def promote(version: str) -> None:
    """Makes it the champion, and says why."""
    with mltrail.mlflow.because(reason="AUC above 0.98 on held-out patients", approval_reference=APPROVAL):
        MlflowClient().set_registered_model_alias(MODEL, "champion", version)


def predict(trail: mltrail.Trail, patient: pd.DataFrame) -> str:
    """Asks the champion about one patient; gives the request id."""
    version = MlflowClient().get_model_version_by_alias(MODEL, "champion")
    folder = mlflow.artifacts.download_artifacts(f"models:/{MODEL}/{version.version}")
    model = mlflow.sklearn.load_model(folder)
    request_id = f"r-{uuid.uuid4()}"
    features: Dict[str, Any] = patient.iloc[0].to_dict()
    trail.log_prediction(request_id, model=MODEL, model_version=str(version.version),
                         model_artifact_hash=mltrail.mlflow.hash_model(folder).digests, feature_values=features,
                         prediction={"malignant": float(model.predict_proba(patient)[0][0])}, serving_node="example",
                         deployment={"environment": "production", "endpoint": MODEL})
    return request_id


def main() -> int:
    """All of it; prints the request id, from which `mltrail report` tells the story."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd()
    patient = load_breast_cancer(as_frame=True).data.head(1)
    version = train(folder)
    with mltrail.Trail(os.environ["MLTRAIL_URL"], token_file=os.environ["MLTRAIL_TOKEN_FILE"]) as trail:
        approve(trail, version)
        promote(version)
        print(predict(trail, patient))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
