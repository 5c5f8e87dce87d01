"""A real server on real sockets, and what is asked of it."""
from __future__ import annotations

import hashlib
import http.client
import json
import socket
from pathlib import Path

from served import Served

GRANTS = {
    "admin": {"rights": ["append", "read", "approve", "erase", "mirror", "admin"], "payloads": True},
    "reader": {"rights": ["read"], "payloads": False},
    "auditor": {"rights": ["read"], "payloads": True},
    "mirror": {"rights": ["mirror"], "payloads": False},
    "approver": {"rights": ["approve"], "payloads": False},
    "producer": {
        "rights": ["append"],
        "payloads": False,
        "kinds": ["prediction", "dataset.version", "training.run", "model.version", "transition", "access", "tally",
                  "batch", "capture"],
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


class Server(Served):
    """A trail of its own, with tokens that have the grants that the tests need."""

    def __init__(self, binary: Path, folder: Path, raw: bool = False, serve=()):
        super().__init__(binary, folder, "example.org/http", *(["--raw"] if raw else []), serve=serve)

    def prepare(self):
        tokens = [{"name": name, "sha256": hashlib.sha256(token_of(name).encode()).hexdigest(), "created": None,
                   "expires": None, "kinds": [], "models": [], "datasets": [], **grant} for name, grant in GRANTS.items()]
        (self.state / "tokens.json").write_text(json.dumps({"tokens": tokens}))

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
