"""A real server on real sockets: a trail of its own, tokens with the grants that the tests need, ended by its pid."""
from __future__ import annotations

import hashlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
from built import binary  # noqa: E402, F401
START_S = 20

GRANTS = {
    "admin": {"rights": ["append", "read", "approve", "erase", "mirror", "admin"], "payloads": True},
    "reader": {"rights": ["read"], "payloads": False},
    "auditor": {"rights": ["read"], "payloads": True},
    "mirror": {"rights": ["mirror"], "payloads": False},
    "approver": {"rights": ["approve"], "payloads": False},
    "producer": {
        "rights": ["append"],
        "payloads": False,
        "kinds": ["prediction", "dataset.version", "training.run", "model.version", "transition", "access", "tally"],
    },
    "team-a": {"rights": ["append", "read"], "payloads": True, "models": ["a-*"]},
    "expired": {"rights": ["read"], "payloads": True, "expires": "2020-01-01T00:00:00Z"},
}


def token_of(name: str) -> str:
    return "mlt_" + (name + "-" * 43)[:43]


class Answer:
    def __init__(self, response: http.client.HTTPResponse):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    @property
    def code(self) -> str:
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        problem = self.json()
        assert problem["status"] == self.status
        assert problem["detail"]
        return problem["code"]


class Server:
    def __init__(self, binary: Path, folder: Path, raw: bool = False, serve=()):
        self.serve = list(serve)
        self.binary, self.dir, self.state = binary, folder / "trail", folder / "trail.state"
        self.port_file = folder / "port"
        subprocess.run([binary, "init", self.dir, "--origin", "example.org/http", *(["--raw"] if raw else [])], check=True,
                       stdout=subprocess.DEVNULL, timeout=START_S)
        tokens = [{"name": name, "sha256": hashlib.sha256(token_of(name).encode()).hexdigest(), "created": None,
                   "expires": None, "kinds": [], "models": [], "datasets": [], **grant} for name, grant in GRANTS.items()]
        (self.state / "tokens.json").write_text(json.dumps({"tokens": tokens}))
        self.start()

    def start(self):
        self.port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [self.binary, "serve", self.dir, "--listen", "127.0.0.1:0", "--port-file", self.port_file,
             *self.serve],
            stdout=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while not (self.port_file.exists() and self.port_file.read_text().strip()):
            assert self.process.poll() is None and time.monotonic() < until, "the server did not start"
            time.sleep(0.02)
        self.port = int(self.port_file.read_text())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=START_S)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, method: str, target: str, body=None, who: str | None = "admin", headers=None) -> Answer:
        connection = self.connect()
        sent = dict(headers or {})
        if who:
            sent["Authorization"] = "Bearer " + token_of(who)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        connection.request(method, target, body, sent)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def get(self, target: str, **more) -> Answer:
        return self.ask("GET", target, **more)

    def append(self, record, **more) -> Answer:
        return self.ask("POST", "/v1/records", record, **more)

    def batch(self, text, target="/v1/records", **more) -> Answer:
        return self.ask("POST", target, text, headers={"Content-Type": "application/x-ndjson"}, **more)

    def size(self) -> int:
        return self.get("/readyz", who=None).json()["tree_size"]


def prediction(request_id: str, **more) -> dict:
    return {"kind": "prediction", "request_id": request_id, "timestamp": "2026-11-23T10:00:00Z", "model": "a-credit",
            "model_version": "3", "serving_node": "n1", "feature_values": {"age": 41}, "prediction": 0.7, **more}


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    running = Server(binary, tmp_path_factory.mktemp("trail"))
    yield running
    if running.process.poll() is None:
        assert running.stop() == 0


@pytest.fixture(scope="module")
def raw_server(binary, tmp_path_factory):
    running = Server(binary, tmp_path_factory.mktemp("raw"), raw=True)
    yield running
    assert running.stop() == 0
