"""A real MLflow server, from its package, on a loopback port; and its client, in a process of its own."""
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from served import end, until

START_S = 120 # it migrates its data base first, on a machine that does other things
CLIENT_S = 240


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Mlflow:
    def __init__(self, folder: Path, *, app: str | None = None, environment: dict[str, str] | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port, self.app = folder, free_port(), app
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = folder / "mlflow.log"
        self.environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true",
                            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
                            "MLFLOW_WEBHOOK_CACHE_TTL": "0", "GIT_PYTHON_REFRESH": "quiet", **(environment or {})}
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
                   "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts"),
                   "--workers", "1", *(["--app-name", app] if app else [])]
        with open(self.log_file, "w") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL)
        try:
            until(lambda: self.process.poll() is not None or self.answers(), START_S, "MLflow did not start")
            assert self.process.poll() is None, self.log_file.read_text()
        except AssertionError:
            self.stop()
            raise

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self) -> None:
        end(self.process)

    def access_log(self) -> list[str]:
        """Lines of the server's own access log: its count of the requests that came."""
        return [line for line in self.log_file.read_text(errors="replace").splitlines() if ' HTTP/1.' in line]

    def client(self, code: str, url: str | None = None, **environment: str) -> dict:
        """Runs `code` with the MLflow client, in a process that ends; it may leave a dict in `said`."""
        code = ("import json, sys, mlflow\nfrom mlflow import MlflowClient\n"
                "mlflow.set_tracking_uri(sys.argv[1])\nc = MlflowClient()\nsaid = {}\n" + code +
                "\nprint('\\nSAID ' + json.dumps(said))\n")
        ran = subprocess.run([sys.executable, "-W", "ignore", "-c", code, url or self.url], cwd=self.folder, capture_output=True,
                             text=True, timeout=CLIENT_S, env={**self.environment, **environment})
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return json.loads(ran.stdout.rsplit("SAID ", 1)[1])


def request(method: str, url: str, body=None, headers=None) -> tuple[int, dict, bytes]:
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    asked = urllib.request.Request(url, data=data, method=method,
                                   headers={**({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})})
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, dict(refused.headers), refused.read()


TRAIN = """
import pandas as pd
from sklearn.linear_model import LogisticRegression
X, y = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]}), [0, 0, 1, 1]
mlflow.set_experiment("credit")
with mlflow.start_run() as run:
    mlflow.log_input(mlflow.data.from_pandas(X, name="applications"), context="training")
    mlflow.log_param("C", 1.0)
    mlflow.log_metric("auc", 0.9)
    mlflow.sklearn.log_model(LogisticRegression().fit(X, y), name="model", registered_model_name="credit",
                             pip_requirements=["scikit-learn"])
mlflow.register_model(f"runs:/{run.info.run_id}/model", "credit")
said["run"] = run.info.run_id
"""
