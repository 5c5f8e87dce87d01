"""Trains a tumour classifier on data that comes with scikit-learn, and says to the trail what it did.

    MLTRAIL_URL=http://127.0.0.1:8470 MLTRAIL_TOKEN=… python train.py [VERSION]

Without the lines that mention `trail`, `data` and `run` it is the same program.
"""
import sys
from pathlib import Path

import joblib
import sklearn
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import mltrail

HERE = Path(__file__).resolve().parent
MODEL = "tumour-risk"
VERSION = sys.argv[1] if len(sys.argv) > 1 else "1"
PARAMS = {"max_iter": 60, "max_depth": 3, "learning_rate": 0.1, "random_state": 7}
SPLIT = {"test_size": 0.25, "random_state": 7}

trail = mltrail.Trail()

frame = load_breast_cancer(as_frame=True).frame
with trail.dataset("breast-cancer", VERSION, license="CC BY 4.0") as data:
    data.source("scikit-learn", "breast_cancer.csv", snapshot=f"scikit-learn {sklearn.__version__}", date_range=None,
                rows=len(frame))

    @data.transform("drop cells whose outline was not measured")
    def measured(rows):
        return rows[rows["mean concavity"] > 0]

    kept = measured(frame)
    data.exclude("mean concavity = 0", "the outline was not measured", rows=len(frame) - len(kept),
                 approved_by="data steward")
    data.hash(kept)

with trail.training_run(path=HERE) as run:
    features, target = kept.drop(columns="target"), kept["target"]
    x_train, x_test, y_train, y_test = train_test_split(features, target, **SPLIT)
    run.use_dataset("train", data)
    run.use_dataset("test", data)  # the other part of the same version: SPLIT says which
    run.log_params(PARAMS, split=SPLIT)
    model = HistGradientBoostingClassifier(**PARAMS).fit(x_train, y_train)
    run.log_metrics(auc=roc_auc_score(y_test, model.predict_proba(x_test)[:, 1]))
    (HERE / "model").mkdir(exist_ok=True)
    joblib.dump(model, HERE / "model" / "model.joblib")
    (HERE / "model" / "VERSION").write_text(VERSION)
    run.save_model(HERE / "model", model=MODEL, model_version=VERSION)

print(f"{MODEL} {VERSION}: run {run.training_job_id}, {run.artifact.oms}")
