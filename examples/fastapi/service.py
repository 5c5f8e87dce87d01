"""Scores tumours over HTTP. Two lines tell the trail: the middleware, and the decorator.

    MLTRAIL_URL=http://127.0.0.1:8470 MLTRAIL_TOKEN=… uvicorn service:app
"""
from pathlib import Path
from typing import Dict

import joblib
import pandas
from fastapi import FastAPI

import mltrail
from mltrail.asgi import TrailMiddleware, with_caller

FOLDER = Path(__file__).resolve().parent / "model"
VERSION = (FOLDER / "VERSION").read_text()
ARTIFACT = mltrail.hash_directory(FOLDER).digests  # of what is loaded, not of what somebody says was deployed
model = joblib.load(FOLDER / "model.joblib")

trail = mltrail.Trail()
app = FastAPI()
app.add_middleware(TrailMiddleware)


@trail.predictions(model="tumour-risk", version=VERSION, artifact_hash=ARTIFACT, extra=with_caller)
def score(features: Dict[str, float]) -> Dict[str, float]:
    row = pandas.DataFrame([features], columns=model.feature_names_in_)
    return {"benign": float(model.predict_proba(row)[0, 1])}


@app.post("/score")
def scored(features: Dict[str, float]) -> Dict[str, float]:
    return score(features)
