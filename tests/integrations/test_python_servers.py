"""The Python SDK under gunicorn, whose workers are forked from a master that has loaded everything, and under uvicorn."""
from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections import Counter

import pytest

from built import ROOT
from served import END_S, until

APP = """
    import os
    import mltrail

    trail = mltrail.Trail(serving_node="node-g")

    @trail.predictions(model="credit", version="7", features=lambda given: given["features"])
    def score(features, request_id=None):
        return {"risk": features["age"] / 100}

    %s

    def application(environ, start_response):
        with mltrail.request(environ["QUERY_STRING"]):
            result = score({"age": 61})
        start_response("200 OK", [("X-Worker", str(os.getpid()))])
        return [str(result["risk"]).encode()]
"""

ASGI = """
    import mltrail
    from fastapi import FastAPI

    trail = mltrail.Trail(serving_node="node-u")
    app = FastAPI()

    @trail.predictions(model="credit", version="7")
    async def score(age: int):
        return {"risk": age / 100}

    @app.get("/score")
    async def handler(request_id: str, age: int):
        with mltrail.request(request_id):
            return await score(age)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(command, trail, tmp_path, port):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "sdk" / "python"), "MLTRAIL_URL": trail.url,
                   "MLTRAIL_TOKEN_FILE": str(trail.token_file), "MLTRAIL_SPOOL_DIR": str(tmp_path / "spool")}
    server = subprocess.Popen([sys.executable, "-m", *command], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)

    def listens():
        assert server.poll() is None, "the server ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    until(listens, 30, "the server does not listen")
    return server


def predictions(trail, node):
    streams: dict = {}
    for item in trail.search(kind="prediction", node=node):
        facts = item["entry"]["facts"]
        streams.setdefault(facts["stream"], []).append(facts)
    finals = {item["entry"]["facts"]["scope"]["stream"]: item["entry"]["facts"] for item in trail.search(kind="tally")
              if item["entry"]["facts"].get("final")}
    return streams, finals


@pytest.mark.parametrize("preload", [True, False])
def test_gunicorn_workers_have_streams_of_their_own_and_one_killed_loses_nothing(trail, tmp_path, preload):
    pytest.importorskip("gunicorn")
    node = f"node-g{int(preload)}"
    warm = 'score({"age": 1}, request_id="warm-up")' if preload else ""
    (tmp_path / "app.py").write_text(textwrap.dedent(APP % warm).replace("node-g", node))
    port = free_port()
    server = started(["gunicorn", "-w", "3", "-b", f"127.0.0.1:{port}", "--graceful-timeout", "20",
                      *(["--preload"] if preload else []), "app:application"], trail, tmp_path, port)
    answered, workers, failed = Counter(), Counter(), Counter()

    def ask(thread):
        for n in range(100):
            name = f"{node}-{thread}-{n}"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/?{name}", timeout=20) as answer:
                    assert answer.read() == b"0.61"
                    workers[int(answer.headers["X-Worker"])] += 1
                    answered[name] += 1
            except (OSError, http.client.HTTPException):
                failed[name] += 1  # its worker was killed, perhaps in the middle of the answer

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(workers) >= 3, missing="not every worker answered")
    os.kill(workers.most_common(1)[0][0], signal.SIGKILL)
    for thread in threads:
        thread.join()
    server.send_signal(signal.SIGTERM)
    assert server.wait(END_S) == 0
    drained = subprocess.run([sys.executable, "-m", "mltrail", "drain", tmp_path / "spool", "--url", trail.url, "--token-file",
                              trail.token_file, "--json"], capture_output=True, text=True, timeout=60,
                             env={**os.environ, "PYTHONPATH": str(ROOT / "sdk" / "python")})
    assert drained.returncode == 0, drained.stdout + drained.stderr
    streams, finals = predictions(trail, node)
    logged = Counter(facts["request_id"] for stream in streams.values() for facts in stream)
    assert len(answered) >= 200, "too few were answered to show anything"  # how many fail is how fast a worker comes back
    assert not set(answered) - set(logged), "answered and not in the trail"
    assert set(logged) - set(answered) <= set(failed) | {"warm-up"} and max(logged.values()) == 1
    for stream, facts in streams.items():
        assert [f["sequence"] for f in facts] == list(range(1, len(facts) + 1))
        assert finals[stream]["count"] == len(facts)
    assert sum(bool(finals[stream].get("recovered")) for stream in streams) >= 1
    assert len(streams) >= 3 + (1 if preload else 0)


def test_uvicorn_with_concurrent_requests(trail, tmp_path):
    pytest.importorskip("uvicorn")
    pytest.importorskip("fastapi")
    (tmp_path / "asgi.py").write_text(textwrap.dedent(ASGI))
    port = free_port()
    server = started(["uvicorn", "--port", str(port), "--log-level", "warning", "asgi:app"], trail, tmp_path, port)

    def ask(thread):
        for n in range(50):
            url = f"http://127.0.0.1:{port}/score?request_id=u-{thread}-{n}&age={n}"
            with urllib.request.urlopen(url, timeout=20) as answer:
                assert json.loads(answer.read()) == {"risk": n / 100}

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.send_signal(signal.SIGTERM)
    server.wait(END_S)
    time.sleep(0.1)
    # Newer ones give the signal back to themselves at the end and die by it: the rest is in the spool.
    subprocess.run([sys.executable, "-m", "mltrail", "drain", tmp_path / "spool", "--url", trail.url, "--token-file",
                    trail.token_file], timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT / "sdk" / "python")}, check=True)
    streams, finals = predictions(trail, "node-u")
    (stream, facts), = streams.items()
    assert {f["request_id"] for f in facts} == {f"u-{t}-{n}" for t in range(4) for n in range(50)}
    assert finals[stream]["count"] == len(facts) == 200
