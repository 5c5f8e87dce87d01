#!/usr/bin/python3
"""A scoring service over HTTP. Each prediction is durable in the trail before the caller gets it.

POST /score {"request_id", "subject", "features": {…}}  →  {"request_id", "class", "probability"}
"""
from __future__ import annotations

import argparse
import json
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Dict, List

import numpy

import paths
import clinic
import mltrail
from registry import ModelRegistry

FACTORS_SHOWN = 5


class Scorer:
    """The model in memory and the stream that its predictions go to."""

    def __init__(self, options: argparse.Namespace) -> None:
        trail = mltrail.Trail(options.trail, token_file=options.token_file)
        registry = ModelRegistry(Path(options.registry), trail, "scoring-service")
        self.pipeline, digest = registry.load(options.model, options.model_version, "serving")
        self.stream = mltrail.PredictionStream(
            trail, options.node, model=options.model, model_version=options.model_version,
            model_artifact_hash=digest.digests, deployment=json.loads(options.deployment),
            feature_set_version="1", threshold_version="0.5")

    def score(self, request: Dict[str, Any], caller: str) -> Dict[str, Any]:
        """Predicts, records, and only then answers."""
        begin = time.monotonic()
        features = {name: float(request["features"][name]) for name in clinic.FEATURES}
        row = numpy.array([clinic.logarithm_of_areas(features)])
        probability = float(self.pipeline.predict_proba(row)[0, 1])
        answer = {"class": "malignant" if probability >= 0.5 else "benign", "probability": round(probability, 6)}
        self.stream.log(request["request_id"], feature_values=features, prediction=answer, status="ok",
                        subject=request["subject"], confidence=round(max(probability, 1 - probability), 6),
                        explanation=self._factors(row), caller={"address": caller},
                        latency_ms=round((time.monotonic() - begin) * 1000, 3))
        return {"request_id": request["request_id"], **answer}

    def _factors(self, row: Any) -> List[Dict[str, Any]]:
        scaler, regression = self.pipeline[0], self.pipeline[1]
        contributions = scaler.transform(row)[0] * regression.coef_[0]
        order = sorted(range(len(contributions)), key=lambda i: -abs(float(contributions[i])))
        return [{"feature": clinic.FEATURES[i], "contribution": round(float(contributions[i]), 6)}
                for i in order[:FACTORS_SHOWN]]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    scorer: Scorer

    def do_POST(self) -> None:
        """Scores one patient."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            status, answer = 200, self.scorer.score(json.loads(body), self.client_address[0])
        except (KeyError, TypeError, ValueError) as error:
            status, answer = 400, {"error": f"{type(error).__name__}: {error}"}
        except mltrail.MltrailError as error:
            # Not in the trail, so not answered.
            status, answer = 503, {"error": str(error)}
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the trail is the log."""


def main() -> None:
    """Serves until SIGTERM; then records the final count of its stream."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("trail", "token-file", "registry", "model", "model-version", "node", "deployment"):
        parser.add_argument("--" + name, required=True)
    scorer = Scorer(parser.parse_args())
    Handler.scorer = scorer
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(json.dumps({"port": server.server_port, "stream": scorer.stream.stream}), flush=True)
    server.serve_forever()
    server.server_close()
    scorer.stream.close()
    print(json.dumps({"count": scorer.stream.count}), flush=True)


if __name__ == "__main__":
    main()
