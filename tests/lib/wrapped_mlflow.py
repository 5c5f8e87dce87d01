"""A real `mlflow server --app-name mltrail`, and what its own access log says."""
from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from served import end, until

SDK = Path(__file__).resolve().parents[2] / "sdk" / "python"
START_S = 180  # MLflow imports for half a minute on a busy machine, once per worker
LINE = re.compile(r'(\S+):\d+ - "([A-Z]+) (\S+) HTTP/[\d.]+" (\d{3})')
# What the wrapper leaves out, unless it is refused.
PROGRAM = re.compile(r"/(?:static-files/.*|health|version|favicon\.ico|metrics)?|/(?:ajax-)?api/3\.0/mlflow/(?:ui-telemetry|server-info)")


@dataclass(frozen=True)
class Line:
    """One request, as uvicorn wrote it down."""

    address: str
    method: str
    target: str
    status: int

    def counts(self, prefix: str) -> bool:
        """Whether the trail has a record of it."""
        return PROGRAM.fullmatch(self.target.partition("?")[0].removeprefix(prefix)) is None or self.status in (401, 403)


def installed(folder: Path) -> Path:
    """The SDK as pip would install it, so that MLflow finds its entry points: a folder for PYTHONPATH."""
    site = folder / "site"
    shutil.copytree(SDK, site, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    subprocess.run([sys.executable, "-c", "from setuptools import setup; setup()", "-q", "egg_info"], cwd=site, check=True,
                   capture_output=True, timeout=120)
    return site


class MlflowServer:
    """MLflow with the wrapper, in a folder of its own. `env` goes to the server alone."""

    def __init__(self, folder: Path, site: Path, env: dict[str, str], *options: str, workers: int = 2, prefix: str = ""):
        self.prefix, self.folder, self.site, self.env, self.options, self.workers = prefix, folder, site, env, options, workers
        folder.mkdir(parents=True, exist_ok=True)
        self.log_file = folder / "mlflow.log"
        self.process: subprocess.Popen | None = None
        with socket.socket() as free:  # MLflow does not say which port it took
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}{prefix}"

    def environment(self, **more: str) -> dict[str, str]:
        """Of a process that uses this server."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLTRAIL", "MLFLOW"))}
        return {**kept, "PYTHONPATH": str(self.site), "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true",
                "MLFLOW_TRACKING_URI": self.url, "GIT_PYTHON_REFRESH": "quiet", "PYTHONWARNINGS": "ignore", **more}

    def start(self) -> "MlflowServer":
        self.launch()
        try:
            until(self._answers, START_S, f"MLflow did not start, see {self.log_file}")
        except BaseException:
            self.kill()
            raise
        return self

    def launch(self) -> None:
        """Starts it and does not wait."""
        env = self.environment(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", **self.env)
        del env["MLFLOW_TRACKING_URI"]
        command = [sys.executable, "-m", "mlflow", "server", "--app-name", "mltrail", "--host", "127.0.0.1", "--port", str(self.port),
                   "--workers", str(self.workers), "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
                   "--artifacts-destination", str(self.folder / "artifacts"), *(["--static-prefix", self.prefix] if self.prefix else []), *self.options]
        with self.log_file.open("ab") as log:
            # A session of its own: uvicorn's workers end with it even when something goes wrong.
            self.process = subprocess.Popen(command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)

    def stop(self) -> int:
        return end(self.process)

    def kill(self) -> None:
        """Every process of it, at once."""
        assert self.process is not None
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended by itself
        self.process.wait(timeout=60)

    def lines(self) -> list[Line]:
        """The server's own access log."""
        found = (LINE.search(line) for line in self.log_file.read_text(errors="replace").splitlines())
        return [Line(match[1], match[2], match[3], int(match[4])) for match in found if match]

    def counted(self) -> list[Line]:
        """Those of which the trail has a record."""
        return [line for line in self.lines() if line.counts(self.prefix)]

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.log_file.read_text()[-4000:]
        try:
            with urllib.request.urlopen(self.url + "/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False
