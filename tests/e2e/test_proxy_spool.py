"""`mltrail proxy` and its spool: each request is recorded once, whichever of proxy and trail was away in between."""
from __future__ import annotations

import collections
import concurrent.futures
import http.client
import http.server
import json
import os
import signal
import stat
import subprocess
import threading
import urllib.parse
from pathlib import Path

import pytest

from proofs import read_entries
from served import Served, end, listen, until

API = "/api/2.0/mlflow"
CLIENTS = 4
FRAME = b'"path":"/v1/mlflow/exchanges"'  # once in each exchange that a segment keeps


class Registry:
    """An HTTP server with the routes of MLflow's registry that the proxy reads and passes on here, and their effect."""

    def __init__(self) -> None:
        registry = self
        self.aliases, self.seen, self.lock = {}, collections.Counter(), threading.Lock()
        self.entered, self.let_go = threading.Event(), threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_) -> None:
                pass

            def answer(self, status: int, value: object) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                name = dict(urllib.parse.parse_qsl(query)).get("name", "")
                with registry.lock:
                    registry.seen[path, name] += 1
                    aliases = [{"alias": a, "version": v} for a, v in registry.aliases.get(name, {}).items()]
                if path == API + "/registered-models/get" and name:
                    if name == "slow":
                        registry.entered.set()
                        registry.let_go.wait(timeout=30)
                    self.answer(200, {"registered_model": {"name": name, "aliases": aliases, "latest_versions": []}})
                elif path == API + "/model-versions/get":
                    self.answer(200, {"model_version": {"name": name, "version": "1", "current_stage": "None", "tags": []}})
                else:
                    self.answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": path})

            def do_POST(self) -> None:
                wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path != API + "/registered-models/alias":
                    self.answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": self.path})
                    return
                with registry.lock:
                    registry.aliases.setdefault(wanted["name"], {})[wanted["alias"]] = wanted["version"]
                self.answer(200, {})

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def close(self) -> None:
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Proxy:
    """A proxy that can be killed and started again, at the same spool."""

    def __init__(self, binary: Path, folder: Path, upstream: Registry, trail: Served, *options: str) -> None:
        self.folder, self.spool, self.log = folder, folder / "spool", folder / "proxy.log"
        self.command = [binary, "proxy", "--upstream", upstream.url, "--trail", trail.url, "--token-file", trail.token_file,
                        "--name", "registry", "--json", "--listen", "127.0.0.1:0", *options]
        self.process, self.port = None, 0

    def start(self, *options: str, **how) -> None:
        with open(self.log, "ab") as log:
            self.process, self.port = listen([*self.command, *(options or ("--spool", self.spool))], self.folder / "proxy.port",
                                             stdout=log, stderr=subprocess.STDOUT, **how)

    def kill(self) -> None:
        end(self.process, signal.SIGKILL)

    def stop(self) -> "tuple[int, dict]":
        status = end(self.process)
        return status, json.loads(self.log.read_text().strip().splitlines()[-1])

    def request(self, method: str, target: str, body: object = None, headers: "dict[str, str] | None" = None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, API + target, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def read(self, *names: str) -> None:
        """Looks at models with these names, several clients at a time."""
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
            for status in clients.map(lambda n: self.request("GET", f"/registered-models/get?name={n}"), names):
                assert status == 200

    def frames(self) -> int:
        return sum(segment.read_bytes().count(FRAME) for segment in self.spool.glob("*.seg"))


def records(trail: Served, kind: str) -> "list[dict]":
    entries = (json.loads(entry) for entry in read_entries(trail.dir))
    return [entry["facts"] for entry in entries if entry["kind"] == kind]


def models(trail: Served) -> "list[str]":
    """The models that accesses are of."""
    return [a["resource"]["id"] for a in records(trail, "access") if a.get("native_action") == "mlflow.getRegisteredModel"]


def check_once(found: "list[str]", wanted: "list[str]") -> None:
    """Each of them is there, once, and nothing else."""
    count = collections.Counter(found)
    assert not [n for n in wanted if n not in count], "something did not arrive"
    assert not [n for n in count if n not in wanted], "something arrived that nobody asked for"
    assert not [n for n, times in count.items() if times > 1], "something arrived twice"


@pytest.fixture
def upstream():
    registry = Registry()
    yield registry
    registry.close()


@pytest.fixture
def trail(binary, tmp_path):
    trail = Served(binary, tmp_path / "server", "example.com/proxy-spool")
    yield trail
    trail.stop()


@pytest.fixture
def proxy(binary, tmp_path, upstream, trail, request):
    proxy = Proxy(binary, tmp_path, upstream, trail, *getattr(request, "param", ("--fail-open",)))
    yield proxy
    if proxy.process.poll() is None:
        proxy.kill()


def come_back(trail: Served) -> None:
    """The server again, where it was."""
    trail.process, trail.port = listen([trail.binary, "serve", trail.dir, "--listen", f"127.0.0.1:{trail.port}"], trail.port_file)


def test_the_check_sees_what_is_missing_and_what_is_there_twice():
    check_once(["a", "b"], ["a", "b"])
    for found in (["a"], ["a", "b", "b"], ["a", "b", "c"]):
        with pytest.raises(AssertionError):
            check_once(found, ["a", "b"])


def test_an_outage_and_kills(trail, proxy, upstream):
    """The trail is away, proxies are killed meanwhile: requests go on, and the next proxy there delivers each once."""
    first, second, third = ([f"{part}-{n}" for n in range(60)] for part in ("up", "down", "later"))
    proxy.start()
    proxy.read(*first)
    until(lambda: proxy.frames() == 60, 30, "exchanges were not spooled")
    proxy.kill()  # some are in the trail already, and .ack need not say so yet

    trail.stop()
    proxy.start()
    proxy.read(*second)
    assert proxy.request("POST", "/registered-models/alias", {"name": "credit", "alias": "champion", "version": "1"},
                         {"X-Mltrail-Reason": "gepr%C3%BCft, 100% sure", "X-Mltrail-Approval-Reference": "CAB%2D7"}) == 200
    until(lambda: proxy.frames() >= 61, 30, "exchanges were not spooled")
    assert not set(models(trail)) & set(second)
    proxy.kill()

    proxy.start()
    come_back(trail)
    proxy.read(*third)
    until(lambda: set(models(trail)) >= {*first, *second, *third}, 60, "not everything was sent")
    until(lambda: len(list(proxy.spool.glob("*.seg"))) == 1, 60, "what dead proxies left is still there")
    status, counts = proxy.stop()
    assert status == 0, proxy.log.read_text()
    assert counts["lost"] == counts["refused_by_trail"] == counts["waiting"] == 0 and counts["sent"] == 60
    assert not list(proxy.spool.iterdir()), "a drained proxy leaves nothing"

    check_once(models(trail), [*first, *second, *third])
    assert all(upstream.seen[API + "/registered-models/get", name] == 1 for name in (*first, *second, *third))
    moves = [(t["model"], t["model_version"], t["to_stage"], t["reason"], t["approval_reference"])
             for t in records(trail, "transition")]
    assert moves == [("credit", "1", "champion", "geprüft, 100% sure", "CAB-7")]
    assert not records(trail, "tally"), "nothing was lost, so nothing is counted"


@pytest.mark.parametrize("proxy", [("--fail-closed",)], indirect=True)
def test_the_second_half_outlives_the_proxy(trail, proxy, upstream):
    """Fail-closed, a request that ends while the trail is away has its outcome when a later proxy delivers it."""
    proxy.start()
    with concurrent.futures.ThreadPoolExecutor(1) as client:
        running = client.submit(proxy.read, "slow")
        assert upstream.entered.wait(timeout=30)
        trail.stop()
        assert proxy.request("GET", "/registered-models/get?name=refused") == 503
        upstream.let_go.set()
        running.result()
    until(lambda: proxy.frames() == 1, 30, "the second half was not spooled")
    proxy.kill()
    come_back(trail)
    assert [a.get("outcome") for a in records(trail, "access")] == [None]
    proxy.start()
    until(lambda: len(records(trail, "access")) == 2, 60, "the second half did not arrive")
    status, _ = proxy.stop()
    assert status == 0
    begun, over = records(trail, "access")
    assert begun["event_id"] == over["event_id"] and over["outcome"] == "allowed" and over["resource"]["id"] == "slow"
    assert upstream.seen[API + "/registered-models/get", "refused"] == 0


@pytest.mark.parametrize("proxy", [("--fail-open", "--max-bytes", "100kB")], indirect=True)
def test_a_full_spool_says_what_is_lost(trail, proxy):
    """What finds no room is lost: the client does not notice, the log, the exit status and a record say how many."""
    names = [f"m-{n}" for n in range(300)]
    trail.stop()
    proxy.start()
    proxy.read(*names)
    until(lambda: "exchanges are lost so far" in proxy.log.read_text(), 30, "nothing was lost")
    come_back(trail)
    until(lambda: "answers again" in proxy.log.read_text(), 60, "the proxy does not see the trail")
    status, counts = proxy.stop()
    assert status == 1, proxy.log.read_text()
    assert counts["requests"] == 300 and counts["waiting"] == 0 and 0 < counts["lost"] < 300
    assert counts["sent"] == 300 - counts["lost"]
    arrived = models(trail)
    check_once(arrived, [n for n in names if n in arrived])
    assert len(arrived) == counts["sent"]
    tallies = records(trail, "tally")
    assert all(t["counted"] == "access" and t["source"] == "registry" for t in tallies)
    assert [(t["count"], t["lost"]) for t in tallies][-1] == (300, counts["lost"])


def test_what_waits_stays_and_a_spool_is_found_by_itself(trail, proxy, tmp_path):
    """Without --spool there is one for the server's name; a proxy that ends in an outage leaves it to the next."""
    usual = tmp_path / "state" / "mltrail" / "proxy-a_b_5000"
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    trail.stop()
    proxy.start("--name", "a/b:5000", env=environment)
    proxy.read("kept")
    status, counts = proxy.stop()
    assert (status, counts["waiting"], counts["lost"]) == (0, 1, 0), proxy.log.read_text()
    assert stat.S_IMODE(usual.stat().st_mode) == 0o700
    come_back(trail)
    proxy.start("--name", "a/b:5000", env=environment)
    until(lambda: models(trail) == ["kept"], 60, "it was not delivered")
    assert proxy.stop()[0] == 0 and not list(usual.iterdir())
