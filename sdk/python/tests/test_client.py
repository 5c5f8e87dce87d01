"""The client against a stub that misbehaves on purpose: retries, errors, threads."""
from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler

import pytest

import mltrail

CHECKPOINT = "example.org/log\n1\n" + "A" * 43 + "=\n\n— example.org/log c2ln\n"


class Stub(BaseHTTPRequestHandler):
    """Answers from a script: a status, "drop" (close without an answer), or nothing left: 201."""

    protocol_version = "HTTP/1.1"
    script: list = []
    seen: list = []
    connections: set = set()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Stub.seen.append((self.path, dict(self.headers), body))
        Stub.connections.add(self.client_address)
        step = Stub.script.pop(0) if Stub.script else 201
        if step == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        problem = {"code": "missing-member", "pointer": "/request_id", "detail": "want a string", "status": step}
        good = {"index": 0, "leaf": "00", "duplicate": False, "tree_size": 1, "checkpoint": CHECKPOINT}
        answer = json.dumps(good if step < 400 else problem).encode()
        self.send_response(step)
        self.send_header("Content-Type", "application/json" if step < 400 else "application/problem+json")
        if step == 503:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture()
def stub(serving):
    Stub.script, Stub.seen, Stub.connections = [], [], set()
    return serving(Stub)


def test_a_retry_sends_the_same_bytes(stub):
    Stub.script = ["drop", 503, 201]
    trail = mltrail.Trail(stub, token="mltrail-test")
    receipt = trail.log_access("read", "training_data", "d/1", principal="auditor")
    bodies = [body for _, _, body in Stub.seen]
    assert len(bodies) == 3 and len(set(bodies)) == 1
    assert json.loads(bodies[0])["event_id"]
    assert Stub.seen[0][1]["Authorization"] == "Bearer mltrail-test"
    assert receipt.tree_size == 1 and receipt.head == mltrail.TreeHead("example.org/log", 1, bytes(32))


def test_a_prediction_carries_no_event_id_because_its_names_identify_it(stub):
    mltrail.Trail(stub).log_prediction("r-1", model="m")
    record = json.loads(Stub.seen[0][2])
    assert "event_id" not in record and "prediction" not in record
    assert record["kind"] == "prediction" and record["timestamp"].endswith("Z")


def test_a_rejected_record_is_not_retried_and_says_why(stub):
    Stub.script = [400]
    with pytest.raises(mltrail.RecordRejected) as caught:
        mltrail.Trail(stub).log("prediction")
    assert (caught.value.code, caught.value.pointer, caught.value.detail) == ("missing-member", "/request_id",
                                                                             "want a string")
    assert len(Stub.seen) == 1


def test_full_and_forbidden_are_errors_of_their_own(stub):
    Stub.script = [507, 403]
    trail = mltrail.Trail(stub)
    with pytest.raises(mltrail.OutOfSpace):
        trail.log_prediction("r-1")
    with pytest.raises(mltrail.NotAllowed):
        trail.log_prediction("r-1")


def test_no_server_is_a_transport_error():
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        with pytest.raises(mltrail.TransportError, match="after 2 attempts"):
            mltrail.Trail(url, attempts=2, timeout=1).log_prediction("r-1")


def test_the_connection_is_kept_and_threads_share_a_trail(stub):
    trail = mltrail.Trail(stub)
    for _ in range(5):
        trail.log_prediction("r-1")
    assert len(Stub.connections) == 1
    threads = [threading.Thread(target=lambda: [trail.log_prediction("r") for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Stub.seen) == 85 and len(Stub.connections) <= 9


def test_a_stream_numbers_without_a_gap_from_many_threads_and_tallies_once(stub):
    stream = mltrail.PredictionStream(mltrail.Trail(stub), "node-1", model="m")
    threads = [threading.Thread(target=lambda: [stream.log("r") for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stream.close()
    stream.close()
    records = [json.loads(body) for _, _, body in Stub.seen]
    assert sorted(r["sequence"] for r in records if r["kind"] == "prediction") == list(range(1, 41))
    tallies = [r for r in records if r["kind"] == "tally"]
    assert len(tallies) == 1 and tallies[0]["count"] == 40 and tallies[0]["final"] is True
    assert tallies[0]["scope"] == {"serving_node": "node-1", "stream": stream.stream}
    with pytest.raises(ValueError, match="closed"):
        stream.log("r")


def test_a_stream_counts_what_did_not_arrive(stub):
    stream = mltrail.PredictionStream(mltrail.Trail(stub), "node-1")
    name = stream.stream
    stream.log("r-1", prediction=0.5, explanation=None)
    Stub.script = [400]
    with pytest.raises(mltrail.RecordRejected):
        stream.log("r-2")
    assert (stream.count, stream.stream) == (2, name)
    stream.tally(final=True)
    stream.close()
    records = [json.loads(body) for _, _, body in Stub.seen]
    assert [(r["kind"], r.get("sequence")) for r in records] == [("prediction", 1), ("prediction", 2), ("tally", None)]
    assert (records[2]["count"], records[2]["lost"], records[2]["event_id"]) == (2, 1, name + "-final")
    assert records[0]["timestamp"] and "explanation" not in records[0]


def test_a_disabled_stream_asks_nobody(monkeypatch):
    monkeypatch.setenv("MLTRAIL_MODE", "disabled")
    with mltrail.PredictionStream(mltrail.Trail(), "node-1") as stream:
        assert stream.log("r-1").index == -1 and stream.count == 1


def test_a_wrong_url_is_refused_with_what_would_be_right():
    for url in ("localhost:8470", "ftp://x", "unix://", "http://"):
        with pytest.raises(ValueError, match="want|missing"):
            mltrail.Trail(url)
