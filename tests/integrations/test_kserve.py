"""KServe and other senders of CloudEvents, by the CloudEvents SDK, against a real server.

Ten thousand requests with losses, repetitions, contradictions and disorder put in: what `reconcile` counts is what was
put in, id by id.
"""
from __future__ import annotations

import concurrent.futures
import json
import subprocess
import sys
import threading
import time
import urllib.error
from collections import Counter
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("cloudevents")

from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event  # noqa: E402
from cloudevents.core.formats.json import JSONFormat  # noqa: E402
from cloudevents.core.v1.event import CloudEvent  # noqa: E402

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "kserve"
sys.path.insert(0, str(EXAMPLE))

from conftest import Trail  # noqa: E402
from served import until  # noqa: E402
from inference_service import InferenceService, Logger, Model, Sink  # noqa: E402

PAIRS = 10_000
THREADS = 8
BASE = datetime(2026, 3, 1, tzinfo=timezone.utc)


def binary(event: CloudEvent) -> HTTPMessage:
    return to_binary_event(event)


def batch(events: list[CloudEvent]) -> HTTPMessage:
    return HTTPMessage({"content-type": "application/cloudevents-batch+json"},
                       b"[" + b",".join(JSONFormat().write(e) for e in events) + b"]")


class Planned:
    """One request: its events, and what was done to them on the way."""

    def __init__(self, number: int, logger: Logger, model: Model):
        self.id, self.rows = f"req-{number:05d}", 3 if number % 3 == 2 else 1
        at = BASE + timedelta(milliseconds=50 * number)
        data = [[30 + number % 50, number % 7] for _ in range(self.rows)]
        if number % 3 == 1:
            asked = {"id": self.id, "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": data[0]}]}
            said = model.v2(asked)
        else:
            asked = {"instances": data}
            said = model.v1(asked)
        request = logger.event("request", self.id, json.dumps(asked).encode(), at)
        response = logger.event("response", self.id, json.dumps(said).encode(), at + timedelta(milliseconds=7))
        self.events, self.done = [request, response], number % 100
        if self.done == 1:  # the response is lost
            self.events = [request]
        elif self.done == 2:  # the request is lost
            self.events = [response]
        elif self.done == 3:  # the same message again, byte for byte
            self.events = [request, request, response]
        elif self.done == 4:  # another response under the same id
            other = json.loads(json.dumps(said).replace("0.", "0.9"))
            self.events = [request, response,
                           logger.event("response", self.id, json.dumps({**other, "forged": True}).encode(), at)]
        elif self.done == 5:  # the same response, logged at another time
            self.events = [request, response, logger.event("response", self.id, json.dumps(said).encode(),
                                                           at + timedelta(milliseconds=9))]
        elif number % 10 == 6:  # the response comes first
            self.events = [response, request]

    def messages(self) -> list[HTTPMessage]:
        if self.done == 7:
            return [to_structured_event(e) for e in self.events]
        if self.done == 8:
            return [batch(self.events)]
        return [binary(e) for e in self.events]


@pytest.fixture(scope="module")
def sent(trail):
    """All of it, sent by several threads, each request's messages in their order."""
    logger, model, token = Logger("bank", "credit", "credit-predictor-0"), Model(), trail.producer("kserve")
    plan = [Planned(i, logger, model) for i in range(PAIRS)]
    local, total, lock = threading.local(), Counter(), threading.Lock()

    def send(planned: Planned) -> None:
        if not hasattr(local, "sink"):
            local.sink = Sink(trail.url + "/v1/cloudevents", token)
        for message in planned.messages():
            answer = local.sink.post(message)
            with lock:
                total.update({k: answer[k] for k in ("accepted", "duplicates", "rejected")})

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(send, plan))
    return plan, total


def reconcile(trail, *args) -> tuple[int, dict]:
    ran = trail.run("reconcile", "requests", "--json", "--limit", PAIRS, "--trail", trail.dir, *args)
    assert ran.returncode in (0, 1), ran.stderr
    return ran.returncode, json.loads(ran.stdout)


def ids(answer: dict, what: str) -> set[str]:
    return {item["request_id"] for item in answer[what]["items"]}


def of(plan, done: int) -> set[str]:
    return {p.id for p in plan if p.done == done}


def records(plan, *done: int) -> int:
    return sum(p.rows for p in plan if p.done in done)


def test_every_message_is_accounted_for(trail, sent):
    """What was accepted, recognised and refused adds up to what was sent."""
    plan, total = sent
    repeated = records(plan, 3)
    assert total["duplicates"] == repeated
    assert total["rejected"] == 0
    # V1 answers with a member `forged` still have their rows, V2 answers theirs.
    assert total["accepted"] == sum(p.rows * len(p.events) for p in plan) - repeated


def test_reconcile_finds_what_was_put_in(trail, sent):
    """Lost, contradicting and repeated messages are found, each and no other."""
    plan, total = sent
    code, answer = reconcile(trail, "--endpoint", "bank/credit")
    assert code == 1
    assert answer["records"] == answer["halves"] == total["accepted"]
    assert answer["ids"] == PAIRS
    for what, done in (("unanswered", 1), ("unasked", 2), ("conflicting", 4), ("duplicate", 5)):
        assert answer[what]["ids"] == PAIRS // 100, what
        assert ids(answer, what) == of(plan, done), what
        assert answer[what]["items"][0]["entries"]
    assert answer["unanswered"]["records"] == records(plan, 1)
    assert answer["duplicate"]["records"] == records(plan, 5)


def test_reconcile_a_range(trail, sent):
    """A range has the requests of its time, and a pair across its edge is no loss."""
    plan, _ = sent
    edge = (BASE + timedelta(milliseconds=50 * 5000 + 3)).isoformat()  # between a request and its response
    _, before = reconcile(trail, "--to", edge, "--endpoint", "bank/credit")
    _, after = reconcile(trail, "--from", edge, "--endpoint", "bank/credit")
    assert before["unanswered"]["ids"] + after["unanswered"]["ids"] == PAIRS // 100
    assert before["unasked"]["ids"] + after["unasked"]["ids"] == PAIRS // 100
    assert before["ids"] == 5001
    assert after["ids"] == PAIRS - 5000  # the one at the edge is in both
    code, none = reconcile(trail, "--endpoint", "bank/other")
    assert code == 0 and none["ids"] == 0


def test_a_response_by_another_producer_is_no_answer(trail):
    """Whoever knows the id of a request can send a response to it: neither the list nor the dossier takes it for one."""
    logger = Logger("bank", "forged", "forged-predictor-0")
    Sink(trail.url + "/v1/cloudevents", trail.producer("kserve-2")).post(binary(
        logger.event("request", "forged-1", b'{"instances":[[1]]}', BASE)))
    Sink(trail.url + "/v1/cloudevents", trail.producer("mallory")).post(binary(
        logger.event("response", "forged-1", b'{"predictions":[0.99]}', BASE + timedelta(milliseconds=5))))
    code, answer = reconcile(trail, "--endpoint", "bank/forged")
    assert code == 1 and ids(answer, "unanswered") == ids(answer, "unasked") == {"forged-1"}
    told, = [f for f in dossier(trail, "forged-1")["findings"] if f["code"] == "members-by-another"]
    assert "prediction" in told["condition"]


def dossier(trail, what: str) -> dict:
    ran = trail.run("report", what, "--format", "json", "--trail", trail.dir)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def codes(told: dict) -> set[str]:
    return {f["code"] for f in told["findings"]}


@pytest.mark.parametrize("number, finding", [(1, "prediction-unanswered"), (2, "prediction-unasked"),
                                             (4, "conflicting-records")])
def test_the_dossier_says_so(trail, sent, number, finding):
    """What reconcile lists is a finding of the dossier, and of no other."""
    told = codes(dossier(trail, f"req-{number:05d}"))
    others = {"prediction-unanswered", "prediction-unasked", "conflicting-records"} - {finding}
    assert finding in told
    assert not told & others


@pytest.mark.parametrize("number", [0, 3, 5, 6, 7, 8, 16, 17, 61])
def test_a_pair_is_one_prediction(trail, sent, number):
    """In any order, mode and protocol, sent once or again, two halves are one prediction without contradiction."""
    plan, _ = sent
    told = dossier(trail, f"req-{number:05d}")
    assert len(told["predictions"]) == plan[number].rows
    for prediction in told["predictions"]:
        assert prediction["feature_values"] is not None and prediction["prediction"] is not None
        assert prediction["deployment"] == {"endpoint": "bank/credit", "variant": "champion"}
        assert prediction["serving_node"] == "credit-predictor-0"
    assert not codes(told) & {"prediction-unanswered", "prediction-unasked", "conflicting-records", "served-unclear"}


def test_rows(trail, sent):
    """A row of a batch is asked for by id#row."""
    plan, _ = sent
    asked = json.loads(plan[20].events[0].get_data())["instances"]
    for row in range(3):
        prediction, = dossier(trail, f"req-00020#{row}")["predictions"]
        assert prediction["row"] == row
        assert prediction["feature_values"] == asked[row]
    assert trail.run("report", "req-00020#3", "--trail", trail.dir).returncode == 1
    with pytest.raises(urllib.error.HTTPError, match="404"):
        trail.ask("/v1/predictions/req-00020%233", trail.token)
    items = json.loads(trail.ask("/v1/predictions/req-00020%231", trail.token))["items"]
    assert {i["entry"]["facts"]["row"] for i in items} == {1}
    assert {i["entry"]["facts"]["half"] for i in items} == {"request", "response"}


def post(trail, *events: CloudEvent) -> None:
    sink = Sink(trail.url + "/v1/cloudevents", trail.token)
    for event in events:
        assert sink.post(binary(event))["rejected"] == 0


def append(trail, record: dict) -> None:
    done = trail.run("append", "--trail", trail.dir, input=json.dumps(record))
    assert done.returncode == 0, done.stderr


def test_the_trail_resolves_the_version(trail, sent, tmp_path):
    """KServe names no version: the transitions of the endpoint do, with the registered artifact, proved in a bundle."""
    digest = "sha256:" + "ab" * 32
    append(trail, {"kind": "model.version", "model": "scorer", "model_version": "7", "model_artifact_hash": digest,
                   "timestamp": "2026-01-01T00:00:00Z"})
    append(trail, {"kind": "transition", "model": "scorer", "model_version": "7", "from_stage": "none",
                   "to_stage": "production", "timestamp": "2026-02-01T00:00:00Z", "performed_by": "cd",
                   "deployment": {"endpoint": "bank/resolved"}})
    logger = Logger("bank", "resolved", "http://localhost:9081/")
    post(trail, *InferenceService(Model(), logger).handle({"instances": [[1, 2]]}, "resolved-1"))
    # A server that makes up an id for its response, as MLServer does: the halves are one all the same.
    request = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1, 2]}]}
    events = list(InferenceService(Model(), logger).handle(request, "resolved-2"))
    post(trail, *events)
    for name in ("resolved-1", "resolved-2", json.loads(events[1].get_data())["id"]):
        told = dossier(trail, name)
        prediction, = told["predictions"]
        assert prediction["serving_node"] is None  # a URL of the agent's own loopback is nobody's name
        assert prediction["resolved"]["model"] == "scorer"
        assert prediction["resolved"]["model_version"] == "7"
        assert prediction["resolved"]["model_artifact_hash"] == digest
        assert "model-version-resolved" in codes(told)
        bundle = tmp_path / f"{name}.zip"
        made = trail.run("report", name, "--format", "bundle", "-o", bundle, "--trail", trail.dir)
        assert made.returncode == 0, made.stderr
        checked = trail.run("verify", bundle, "--key", trail.key_file)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    size = str(told["generated"]["tree_size"])
    again = [trail.run("report", "resolved-1", "--format", "json", "--at-size", size, "--trail", trail.dir).stdout
             for _ in range(2)]
    assert again[0] == again[1] and again[0]


def test_a_grant_covers_both_halves(trail, sent):
    """Who may not see a model does not see its answer by the id of the request, which names no model."""
    logger = Logger("bank", "granted", "pod-1")
    request = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1, 2]}]}
    post(trail, *InferenceService(Model(), logger).handle(request, "granted-1"))
    read = {}
    for name, model in (("may", "credit"), ("may-not", "other")):
        made = trail.run("token", "create", name, "--allow", "read", "--payloads", "--models", model, "--trail", trail.dir, "--quiet")
        assert made.returncode == 0, made.stderr
        read[name] = made.stdout.strip()
        until(lambda: trail.knows(read[name]), 10)
    assert json.loads(trail.ask("/v1/predictions/granted-1/dossier", read["may"]))["predictions"][0]["prediction"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        trail.ask("/v1/predictions/granted-1/dossier", read["may-not"])


def test_other_events_are_kept(trail):
    """An event of a type that nobody knows is kept as it came, and found by its name."""
    event = CloudEvent({"id": "1", "source": "/orders", "type": "com.example.done", "subject": "é \"x\" %",
                        "datacontenttype": "text/plain", "time": BASE}, b"hello")
    sink = Sink(trail.url + "/v1/records", trail.token)
    assert sink.post(binary(event))["accepted"] == 1
    assert sink.post(binary(event))["duplicates"] == 1
    item, = trail.search(kind="capture")
    message = item["payload"]["message"]
    assert message["subject"] == "é \"x\" %"
    assert message["data_base64"] == "aGVsbG8="
    assert item["entry"]["facts"]["format"] == "cloudevents"


def test_a_bad_event_is_refused(trail):
    """What is no event is answered with what would be right, and kept."""
    sink = Sink(trail.url + "/v1/cloudevents", trail.token)
    with pytest.raises(RuntimeError, match="422.*cloudevent-version"):
        sink.post(HTTPMessage({"ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "0.3"}, b""))
    kept = [i for i in trail.search(kind="control") if i["entry"]["facts"]["control"] == "rejected-input"]
    assert kept


def test_the_example_runs(trail):
    """examples/kserve is a program that works."""
    ran = subprocess.run([sys.executable, EXAMPLE / "inference_service.py", "--url", trail.url + "/v1/cloudevents",
                          "--token", trail.token, "--requests", "4"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("'accepted'") == 8


class Downstream:
    """Whom events are forwarded to, as TrustyAI would be: it keeps what comes, and can be slow, refuse or be away."""

    def __init__(self):
        self.got: list[tuple[dict, bytes]] = []
        self.statuses: list[int] = []  # of the next answers; then 200
        self.wait = threading.Event()
        self.wait.set()
        downstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                downstream.wait.wait(30)
                status = downstream.statuses.pop(0) if downstream.statuses else 200
                if status == 200:
                    downstream.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/consumer"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.wait.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def program(request):
    """The fixture `binary`, whose name is that of a mode here."""
    return request.getfixturevalue("binary")


@pytest.fixture
def downstream():
    there = Downstream()
    yield there
    there.close()


def metric(trail, name: str) -> int:
    line = next(l for l in trail.ask("/metrics", trail.token).decode().splitlines() if l.startswith(f"mltrail_{name}{{"))
    return int(line.rsplit(" ", 1)[1])


def test_forwarding(program, tmp_path, downstream):
    """Events go on as they came, with tries; a receiver that hangs delays no answer; what it never got is recorded."""
    trail = Trail(program, tmp_path / "f", serve=["--forward-cloudevents", downstream.url])
    try:
        logger, sink = Logger("bank", "credit", "pod-1"), Sink(trail.url + "/v1/cloudevents", trail.token)
        downstream.statuses = [503, 500]  # taken at the third try
        headers = {"X-Request-Id": "é%20\""}
        events = list(InferenceService(Model(), logger).handle({"instances": [[1, 2]]}, "f-1", headers))
        for event in events:
            sink.post(binary(event))
        until(lambda: len(downstream.got) == 2, 20, "the events were not forwarded")
        for event, (got, body) in zip(events, downstream.got):
            came = binary(event)
            assert body == came.body
            assert {k: v for k, v in got.items() if k.startswith("ce-")} == {
                k.lower(): v for k, v in came.headers.items() if k.lower().startswith("ce-")}
            assert got["content-type"] == "application/json"
            assert "authorization" not in got
        assert metric(trail, "forwarded_total") == 2
        downstream.statuses = [400]  # refused for good
        sink.post(binary(events[0]))
        until(lambda: metric(trail, "forward_dropped_total") == 1, 20, "the refusal was not counted")
        downstream.wait.clear()  # it hangs
        began = time.monotonic()
        for i in range(20):
            sink.post(binary(logger.event("request", f"hang-{i}", b"{}", BASE)))
        assert time.monotonic() - began < 10
        until(lambda: metric(trail, "forward_queued") >= 19, 20, "nothing is queued")
        assert trail.stop() == 0  # and the end does not wait for it
        downstream.wait.set()
        trail.start()
        lost = [i["entry"]["facts"] for i in trail.search(kind="control")
                if i["entry"]["facts"]["control"] == "forward-lost"]
        assert sum(f["count"] for f in lost) == 21
        assert all(f["name"] == downstream.url for f in lost)
    finally:
        trail.stop()
