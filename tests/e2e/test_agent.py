"""`mltrail agent`: what services hand to it arrives once and in order, whatever stops in between."""
from __future__ import annotations

import collections
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from proofs import read_entries
from served import Served, end, listen, until

ROOT = Path(__file__).resolve().parents[2]
OUTAGE_S = float(os.environ.get("MLT_OUTAGE_S", "4"))  # 60 for the full minute
SERVICES = 3
NOW = "2026-11-25T08:00:00Z"


class LocalConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(self._path)


class Agent:
    """An agent that can be killed and started again, at the same spool."""

    def __init__(self, binary: Path, folder: Path, server: Served, *options: str) -> None:
        self.folder, self.spool, self.options = folder, folder / "spool", options
        self.command = [binary, "agent", "--spool", self.spool, "--to", server.url, "--token-file", server.token_file,
                        "--serving-node", "node-1", "--socket", folder / "agent.sock", *options]
        self.log = folder / "agent.log"
        self.process = None
        self.port = 0

    def start(self) -> None:
        with open(self.log, "ab") as log:
            self.process, self.port = listen([*self.command, "--listen", "127.0.0.1:0"], self.folder / "agent.port",
                                             stderr=log)

    def post(self, path: str, body: bytes, content_type: str = "application/json", *, local: bool = False, **headers: str):
        connection = LocalConnection(self.folder / "agent.sock") if local else \
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", path, body, {"Content-Type": content_type,
                                                    **{k.replace("_", "-"): v for k, v in headers.items()}})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def metrics(self) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/metrics")
            lines = connection.getresponse().read().decode().splitlines()
        finally:
            connection.close()
        return {name.removeprefix("mltrail_agent_"): int(value) for name, value in
                (line.split(" ") for line in lines if not line.startswith("#"))}


def prediction(request_id: str, **members) -> bytes:
    return json.dumps({"kind": "prediction", "request_id": request_id, "timestamp": NOW, "model": "m", "model_version": "1",
                       "feature_values": {"x": 1}, "prediction": 0.5, **members}).encode()


def records(server: Served, kind: str) -> list:
    """The facts of all records of a kind, in the order of the log: what is acknowledged is in the file."""
    entries = (json.loads(entry) for entry in read_entries(server.dir))
    return [entry["facts"] for entry in entries if entry["kind"] == kind]


@pytest.fixture
def server(binary, tmp_path):
    server = Served(binary, tmp_path / "server", "example.com/agent")
    yield server
    server.stop()


@pytest.fixture
def agent(binary, tmp_path, server):
    agent = Agent(binary, tmp_path, server, "--adopt", str(tmp_path / "sdk"))
    agent.start()
    yield agent
    end(agent.process)


class Service(threading.Thread):
    """Logs predictions until it is told to stop; one that the agent did not answer to is not repeated."""

    def __init__(self, agent: Agent, name: str, local: bool) -> None:
        super().__init__()
        self.agent, self.name, self.local = agent, name, local
        self.stop = threading.Event()
        self.answered, self.open = [], []

    def run(self) -> None:
        n = 0
        while not self.stop.is_set():
            n += 1
            request_id = f"{self.name}-{n}"
            try:
                status, answer = self.agent.post("/v1/records", prediction(request_id), local=self.local,
                                                 X_Mltrail_Stream=self.name)
            except (OSError, http.client.HTTPException):
                self.open.append(request_id)  # it may have been taken or not
                time.sleep(0.02)
                continue
            assert status == 202, answer
            self.answered.append((request_id, answer["stream"], answer["sequence"]))
            time.sleep(0.005)


def sdk_process(spool: Path, url: str, token_file: Path, count: int) -> subprocess.Popen:
    """A process that logs with the Python SDK's spool and is killed: its predictions stay."""
    code = f"""
import os, sys
from mltrail import spool
w = spool.SpoolWriter({str(spool)!r}, "sdk-node")
for n in range(1, {count} + 1):
    w.predict(b'{{"kind":"prediction","serving_node":"sdk-node","stream":"%b","sequence":' % w.stream.encode(),
              b',"request_id":"sdk-%d","timestamp":"{NOW}","model":"m","model_version":"1","prediction":1,"feature_values":1}}' % n)
print(w.stream, flush=True)
sys.stdin.read()
"""
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            env={**os.environ, "PYTHONPATH": str(ROOT / "sdk" / "python")})


def test_an_outage_and_kills(server, agent, tmp_path):
    """The server is away, the agent is killed meanwhile, a process of the SDK dies: each prediction arrives once."""
    services = [Service(agent, f"service-{i}", local=i % 2 == 1) for i in range(SERVICES)]
    for service in services:
        service.start()
    sdk = sdk_process(tmp_path / "sdk", server.url, server.token_file, 250)
    sdk_stream = sdk.stdout.readline().decode().strip()
    time.sleep(1)

    port = server.port
    server.stop()
    time.sleep(OUTAGE_S / 3)
    end(agent.process, signal.SIGKILL)
    sdk.kill()
    sdk.wait()
    agent.start()
    time.sleep(OUTAGE_S / 3)
    end(agent.process, signal.SIGKILL)
    agent.start()
    time.sleep(OUTAGE_S / 3)
    assert agent.metrics()["server_up"] == 0
    server.process, server.port = listen([server.binary, "serve", server.dir, "--listen", f"127.0.0.1:{port}"], server.port_file)
    time.sleep(1)
    for service in services:
        service.stop.set()
    for service in services:
        service.join()

    until(lambda: agent.metrics()["pending"] == 0 and len(list((tmp_path / "sdk").glob("*.seg"))) == 0, 60,
          f"not everything was sent: {agent.metrics()}")
    assert end(agent.process) == 0
    assert not list(agent.spool.glob("*.seg")), "a drained agent leaves nothing"

    found = records(server, "prediction")
    by_request = collections.Counter(r["request_id"] for r in found)
    assert not [r for r, n in by_request.items() if n > 1], "something arrived twice"
    for service in services:
        assert len(service.answered) > 50
        missing = [r for r, _, _ in service.answered if r not in by_request]
        assert not missing, f"{len(missing)} answered predictions did not arrive"
    numbered = {r["request_id"]: (r["stream"], r["sequence"]) for r in found}
    for service in services:
        assert all(numbered[r] == (stream, sequence) for r, stream, sequence in service.answered)

    streams = collections.defaultdict(list)
    for record in found:
        streams[(record["serving_node"], record["stream"])].append(record["sequence"])
    tallies = {(t["scope"]["serving_node"], t["scope"]["stream"]): t for t in records(server, "tally")}
    assert len(tallies) == len(records(server, "tally")), "a stream has two tallies"
    for stream, sequences in streams.items():
        assert sequences == list(range(1, len(sequences) + 1)), f"{stream} is not in sequence"
        assert tallies[stream]["count"] == len(sequences) and tallies[stream]["final"] is True
        assert "lost" not in tallies[stream]
    assert tallies[("sdk-node", sdk_stream)]["recovered"] is True
    assert len(streams[("sdk-node", sdk_stream)]) == 250
    assert len(streams) >= 3 * SERVICES - 1  # after each kill a service has another stream


def test_what_is_wrong_is_said_at_once(agent):
    status, answer = agent.post("/v1/records", prediction("r-1", timestamp="yesterday"))
    assert (status, answer["pointer"]) == (422, "/timestamp")
    status, answer = agent.post("/v1/records", b'{"kind":"prediction"')
    assert (status, answer["code"]) == (422, "not-json")
    lines = prediction("r-2") + b"\n" + b'{"kind":"predicton"}' + b"\n\n" + prediction("r-3")
    status, answer = agent.post("/v1/records", lines, "application/x-ndjson")
    assert (status, answer["accepted"], answer["rejected"]) == (202, 2, 1)
    assert [(p["line"], p["code"]) for p in answer["problems"]] == [(2, "unknown-kind")]
    assert agent.post("/v1/records", b"a=1", "application/x-www-form-urlencoded")[0] == 415
    assert agent.post("/v1/records", prediction("r-4"), Origin="https://example.com")[0] == 403
    assert agent.post("/api/v1/lineage", b"{", "application/json")[0] == 400
    assert agent.post("/v1/nothing", b"{}")[0] == 404
    assert agent.metrics()["refused_total"] >= 4


def test_messages_of_others_are_sent_as_they_came(server, agent):
    event = {"eventType": "START", "eventTime": NOW, "producer": "https://example.com/job",
             "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
             "run": {"runId": "0193a000-0000-7000-8000-000000000001"}, "job": {"namespace": "n", "name": "j"},
             "inputs": [], "outputs": []}
    assert agent.post("/api/v1/lineage", json.dumps(event).encode())[0] == 202
    until(lambda: agent.metrics()["pending"] == 0)
    assert agent.metrics()["rejected_total"] == 0
    assert [r["format"] for r in records(server, "capture")] == ["openlineage"]


def test_what_the_server_refuses_is_kept(server, agent):
    """A foreign message that is none: the agent cannot know, the server does, and nothing behind it waits."""
    assert agent.post("/api/v1/lineage", b'{"no":"event"}')[0] == 202
    assert agent.post("/v1/records?durable=1", prediction("behind"))[0] == 202
    until(lambda: agent.metrics()["pending"] == 0)
    assert agent.metrics()["rejected_total"] == 1
    kept = [json.loads(line) for line in (agent.spool / "rejected.ndjson").read_text().splitlines()]
    assert len(kept) == 1 and 400 <= kept[0]["status"] < 500 and kept[0]["frame"] == 1
    assert [r["request_id"] for r in records(server, "prediction")] == ["behind"]


def test_a_wrong_token_loses_nothing(binary, tmp_path, server):
    agent = Agent(binary, tmp_path, server)
    (tmp_path / "wrong").write_text("mlt_wrong\n")
    right = list(agent.command)
    agent.command[agent.command.index("--token-file") + 1] = tmp_path / "wrong"
    agent.start()
    try:
        agent.post("/v1/records", prediction("r-1"))
        until(lambda: agent.metrics()["send_failures_total"] > 0)
        assert agent.metrics()["rejected_total"] == 0
    finally:
        end(agent.process)
    assert "401" in agent.log.read_text() and "stay in" in agent.log.read_text()
    agent.command = right
    agent.start()
    try:
        until(lambda: [r["request_id"] for r in records(server, "prediction")] == ["r-1"])
    finally:
        end(agent.process)


def test_a_spool_has_one_agent(binary, tmp_path, server, agent):
    second = subprocess.run([*map(str, agent.command), "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=30)
    assert second.returncode == 3 and "another agent has" in second.stderr
    assert agent.post("/v1/records", prediction("r-1"), local=True)[0] == 202


def test_a_full_spool_says_so(binary, tmp_path, server):
    """Without a server: block answers 503 after a moment, drop takes numbers, and the tally says how many."""
    agent = Agent(binary, tmp_path, server, "--max-bytes", "65536", "--on-full", "drop")
    server.stop()
    agent.start()
    try:
        for n in range(300):
            assert agent.post("/v1/records", prediction(f"r-{n}"))[0] == 202
        dropped = agent.metrics()["dropped_total"]
        assert 0 < dropped < 300
        server.process, server.port = listen([server.binary, "serve", server.dir, "--listen", f"127.0.0.1:{server.port}"],
                                             server.port_file)
        until(lambda: agent.metrics()["pending"] == 0)
    finally:
        end(agent.process)
    tally = records(server, "tally")[-1]
    assert (tally["count"], tally["lost"]) == (300, dropped)
    assert len(records(server, "prediction")) == 300 - dropped
    agent.options, agent.command[-1] = (), "error"
    server.stop()
    agent.start()
    try:
        statuses = [agent.post("/v1/records", prediction(f"s-{n}"))[0] for n in range(300)]
        assert statuses[0] == 202 and statuses[-1] == 503
    finally:
        end(agent.process, signal.SIGKILL)


def test_the_sdk_sends_what_an_agent_left(server, agent):
    """Both ways: the SDK's spool is adopted above, and here the agent's by `python -m mltrail drain`."""
    port = server.port
    server.stop()
    until(lambda: agent.post("/v1/records", prediction("a-1"))[0] == 202)
    assert agent.post("/v1/records", prediction("a-2"))[0] == 202
    assert agent.post("/v1/records", b'{"kind":"x-note","text":"gr\xc3\xb6\xc3\x9fe"}')[0] == 202
    end(agent.process, signal.SIGKILL)
    server.process, server.port = listen([server.binary, "serve", server.dir, "--listen", f"127.0.0.1:{port}"], server.port_file)
    drained = subprocess.run([sys.executable, "-m", "mltrail", "drain", str(agent.spool), "--url", server.url, "--token-file",
                              str(server.token_file)], capture_output=True, text=True, timeout=60,
                             env={**os.environ, "PYTHONPATH": str(ROOT / "sdk" / "python")})
    assert drained.returncode == 0, drained.stdout + drained.stderr
    assert not list(agent.spool.glob("*.seg"))
    assert [(r["request_id"], r["sequence"]) for r in records(server, "prediction")] == [("a-1", 1), ("a-2", 2)]
    assert [(t["count"], t["recovered"]) for t in records(server, "tally")] == [(2, True)]


def test_the_net_not_only_the_fish(server, agent):
    """The checks above must see a number that is missing."""
    agent.post("/v1/records", prediction("a", serving_node="x", stream="s", sequence=1))
    agent.post("/v1/records", prediction("c", serving_node="x", stream="s", sequence=3))
    until(lambda: agent.metrics()["pending"] == 0)
    sequences = [r["sequence"] for r in records(server, "prediction")]
    assert sequences == [1, 3] and sequences != list(range(1, len(sequences) + 1))


def test_help_names_what_the_manual_names(binary):
    text = subprocess.run([binary, "help", "agent"], capture_output=True, text=True, check=True).stdout
    page = (ROOT / "man" / "mltrail-agent.1").read_text()
    assert all(f"Fl Fl {o}" in page for o in re.findall(r"--([a-z-]+)", text.split("options of every")[0]))
