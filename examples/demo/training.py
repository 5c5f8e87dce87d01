"""Training: logistic regression over standardised features."""
from __future__ import annotations

import json
import pickle
import platform
from pathlib import Path
from typing import Any, Dict

import numpy
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, recall_score, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import clinic

HYPERPARAMETERS: Dict[str, Any] = {"penalty": "l2", "solver": "lbfgs", "max_iter": 1000, "random_state": 7}
ENVIRONMENT = {"python": platform.python_version(), "scikit-learn": sklearn.__version__, "numpy": numpy.__version__}


def train(file: Path, strength: float) -> Pipeline:
    """Fits the model. `strength` is the inverse of the regularisation, scikit-learn's C."""
    features, labels = clinic.read_extract(file)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, **HYPERPARAMETERS))
    return model.fit(features, labels)


def evaluate(model: Pipeline, file: Path) -> Dict[str, float]:
    """Metrics on data that training did not see."""
    features, labels = clinic.read_extract(file)
    score = model.predict_proba(features)[:, 1]
    return {"validation_auc": round(float(roc_auc_score(labels, score)), 6),
            "validation_accuracy": round(float(accuracy_score(labels, score >= 0.5)), 6),
            "validation_sensitivity": round(float(recall_score(labels, score >= 0.5)), 6),
            "validation_log_loss": round(float(log_loss(labels, score)), 6),
            "validation_rows": len(labels)}


def save(model: Pipeline, folder: Path) -> None:
    """Writes the artifact: the model, and the order of its features."""
    folder.mkdir(parents=True)
    with (folder / "model.pickle").open("wb") as file:
        pickle.dump(model, file, protocol=4)
    (folder / "features.json").write_text(json.dumps(clinic.FEATURES, indent=1) + "\n", encoding="utf-8")
