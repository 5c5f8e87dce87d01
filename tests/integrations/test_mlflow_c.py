"""MLflow from the outside: import and reconcile over its API, webhooks as a second witness, the proxy with its own client."""
from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("mlflow")
pytest.importorskip("sklearn")

from conftest import Trail  # noqa: E402
from mlflow_server import TRAIN, Mlflow, request  # noqa: E402
from served import end, listen, until  # noqa: E402

CHANGE = """
c.set_registered_model_alias("credit", "champion", "1")
c.set_registered_model_alias("credit", "champion", "2")
c.set_model_version_tag("credit", "2", "mltrail.reason", "quarterly refresh")
c.transition_model_version_stage("credit", "1", "Production")
c.transition_model_version_stage("credit", "2", "Production", archive_existing_versions=True)
said["prediction"] = mlflow.pyfunc.load_model("models:/credit@champion").predict(X).tolist()
c.delete_registered_model_alias("credit", "champion")
c.delete_model_version("credit", "2")
"""


def facts(item: dict) -> dict:
    return item["entry"]["facts"]


class Proxy:
    def __init__(self, binary: Path, folder: Path, upstream: str, trail: Trail, *options: str):
        folder.mkdir(parents=True, exist_ok=True)
        self.output = folder / "proxy.out"
        token = folder / "token"
        token.write_text(trail.producer(f"proxy-{folder.name}"))
        self.out = open(self.output, "w")
        self.process, self.port = listen(
            [binary, "proxy", "--upstream", upstream, "--trail", trail.url, "--token-file", token, "--listen", "127.0.0.1:0",
             "--name", folder.name, "--spool", folder / "spool", "--json", *options], folder / "port", stdout=self.out, stderr=subprocess.STDOUT)
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> dict:
        """Ends it; what it counted."""
        self.status = end(self.process)
        self.out.close()
        last = self.output.read_text().strip().splitlines()[-1]
        return json.loads(last) if last.startswith("{") else {}


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    server = Mlflow(tmp_path_factory.mktemp("mlflow"))
    yield server
    server.stop()


def of_server(trail: Trail, kind: str, name: str) -> list[dict]:
    return [i for i in trail.search(kind=kind) if ((i["payload"] or {}).get("session") or {}).get("server") == name
            or i["entry"]["producer"]["principal"] == f"token:proxy-{name}"]


# -- the proxy --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", ["--fail-closed", "--fail-open"])
def test_proxy_records_every_request_once(binary, trail, tmp_path, mode):
    """What the client of MLflow does through the proxy is in the trail, once each, as often as MLflow itself counted."""
    name = "every" + mode.replace("--", "-")
    server = Mlflow(tmp_path / "mlflow")
    proxy = Proxy(binary, tmp_path / name, server.url, trail, mode, "--record-all")
    try:
        before = len(server.access_log())
        said = server.client(TRAIN + CHANGE, proxy.url, MLFLOW_TRACKING_USERNAME="alice", MLFLOW_TRACKING_PASSWORD="correct-horse")
        assert said["prediction"] == [0, 0, 1, 1]
        status, _, _ = request("GET", proxy.url + "/ajax-api/2.0/mlflow/registered-models/search?max_results=1")
        assert status == 200
        status, _, page = request("GET", proxy.url + "/")
        assert status == 200 and b"<html" in page
        status, _, answer = request("POST", proxy.url + "/graphql", {
            "operationName": "GetRun", "variables": {"data": {"runId": said["run"]}},
            "query": "query GetRun($data: MlflowGetRunInput!) { mlflowGetRun(input: $data) { run { info { runId } } } }"})
        assert status == 200, answer
        status, _, _ = request("GET", proxy.url + "/api/2.0/mlflow/registered-models/get?name=nothing")
        assert status == 404
        counts = proxy.stop()
    finally:
        proxy.stop() if proxy.process.poll() is None else None
        server.stop()
    assert proxy.status == 0, counts
    assert counts["lost"] == counts["refused_by_trail"] == counts["refused_requests"] == 0
    accesses = of_server(trail, "access", name)
    over = [i for i in accesses if "outcome" in facts(i)]
    assert len({facts(i)["event_id"] for i in over}) == len(over) == counts["requests"] == counts["exchanges"]
    begun = [facts(i)["event_id"] for i in accesses if "outcome" not in facts(i)]
    assert sorted(begun) == (sorted(facts(i)["event_id"] for i in over) if mode == "--fail-closed" else [])
    # MLflow's own log, and the proxy's own reads apart, says the same.
    assert len(server.access_log()) - before == counts["requests"] + counts["own_reads"]
    logged = Counter(re.search(r'"([A-Z]+) (/[^ ?]*)', line).groups() for line in server.access_log()[before:])
    native = Counter(facts(i)["native_action"] for i in over)
    assert native["mlflow.setRegisteredModelAlias"] == logged["POST", "/api/2.0/mlflow/registered-models/alias"] == 2
    assert native["mlflow.transitionModelVersionStage"] == logged["POST", "/api/2.0/mlflow/model-versions/transition-stage"] == 2
    assert native["mlflow.uploadArtifact"] == sum(n for (m, p), n in logged.items() if m == "PUT" and "mlflow-artifacts" in p) >= 5
    assert native["mlflow.graphql.GetRun"] == 1
    # Who, from where, with what outcome. This server lets everybody in: the name is claimed.
    one = next(i for i in over if facts(i)["native_action"] == "mlflow.setRegisteredModelAlias")
    assert one["payload"]["source"]["address"] == "127.0.0.1" and "mlflow-python-client" in one["payload"]["source"]["user_agent"]
    assert one["payload"]["claimed_user"] == "alice" and "principal" not in one["payload"]
    assert facts(one)["resource"] == {"type": "model_registry", "id": "credit/1"} and facts(one)["outcome"] == "allowed"
    missing = next(i for i in over if facts(i)["resource"].get("id") == "nothing")
    assert facts(missing)["outcome"] == "error"
    # What changed.
    moves = [(f["model_version"], f["move"], f.get("from_stage"), f["to_stage"], f.get("reason"))
             for f in map(facts, of_server(trail, "transition", name))]
    assert moves == [("1", "alias", "none", "champion", None), ("1", "alias", "champion", "none", None),
                     ("2", "alias", "none", "champion", None), ("1", "stage", "none", "Production", None),
                     ("2", "stage", "none", "Production", "quarterly refresh"),
                     ("1", "stage", "Production", "Archived", "quarterly refresh"),
                     ("2", "alias", "champion", "none", None), ("2", "stage", "Production", "none", "quarterly refresh")]
    versions = {f["model_version"]: f for f in map(facts, of_server(trail, "model.version", name))}
    assert versions["1"]["training_job_id"] == said["run"]
    assert versions["1"]["model_artifact_hash"] == digests_of(next((tmp_path / "mlflow" / "artifacts").glob("**/MLmodel")).parent)
    run = [f for f in map(facts, of_server(trail, "training.run", name)) if "ended_at" in f]
    assert run[0]["hyperparameters"] == {"C": "1.0"} and run[0]["metrics"] == {"auc": 0.9}
    assert run[0]["datasets"][0]["role"] == "train" and set(run[0]["datasets"][0]["hash"]) == {"mlflow-md5-8"}
    # No secret of anybody is anywhere.
    for place in (trail.dir, trail.state, proxy.output.parent):
        for file in place.rglob("*"):
            if file.is_file():
                assert b"correct-horse" not in file.read_bytes(), file


def digests_of(folder: Path) -> dict:
    """OpenSSF Model Signing's root and in-toto's dirHash, computed independently."""
    files = [p.relative_to(folder) for p in folder.rglob("*") if p.is_file()]
    sha = {p: hashlib.sha256((folder / p).read_bytes()) for p in files}
    root = hashlib.sha256(b"".join(sha[p].digest() for p in sorted(files))).hexdigest()
    lines = "".join(f"{sha[p].hexdigest()}  {p.as_posix()}\n" for p in sorted(files, key=lambda p: p.as_posix().encode()))
    return {"oms": root, "dirHash": hashlib.sha256(lines.encode()).hexdigest()}


def test_proxy_knows_who_the_server_let_in(binary, trail, tmp_path):
    """With MLflow's own basic-auth, whoever it took is the principal; a wrong password is denied, its name a claim."""
    (tmp_path / "auth.ini").write_text(
        "[mlflow]\ndefault_permission = READ\n"
        f"database_uri = sqlite:///{tmp_path}/auth.db\nadmin_username = admin\nadmin_password = an-other-one-42\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n")
    try:
        server = Mlflow(tmp_path / "mlflow", app="basic-auth", environment={
            "MLFLOW_AUTH_CONFIG_PATH": str(tmp_path / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "a-key"})
    except AssertionError as failed:
        if "ModuleNotFoundError" in str(failed) or "mlflow[auth]" in str(failed):
            pytest.skip("mlflow[auth] is not installed")
        raise
    proxy = Proxy(binary, tmp_path / "who", server.url, trail)

    def ask(user, password):
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        return request("GET", proxy.url + "/api/2.0/mlflow/registered-models/search?max_results=1", None,
                       {"Authorization": f"Basic {credentials}"})[0]
    try:
        assert ask("admin", "an-other-one-42") == 200
        assert ask("admin", "wrong") == 401
        assert request("GET", proxy.url + "/api/2.0/mlflow/registered-models/search?max_results=1")[0] == 401
        proxy.stop()
    finally:
        proxy.stop() if proxy.process.poll() is None else None
        server.stop()
    over = [i for i in of_server(trail, "access", "who") if "outcome" in facts(i)]
    assert [(facts(i)["outcome"], i["payload"].get("principal"), i["payload"].get("claimed_user")) for i in over] == [
        ("allowed", "admin", "admin"), ("denied", None, "admin"), ("denied", None, None)]


def test_proxy_asks_again_whether_passwords_are_looked_at(binary, trail, tmp_path):
    """Behind a server that comes back without its passwords, a name is a claim from then on."""
    upstream = Upstream()
    proxy = Proxy(binary, tmp_path / "again", upstream.url, trail)
    alice = "Basic " + base64.b64encode(b"alice:secret").decode()
    try:
        for upstream.authorization in (None, alice, None):
            assert request("GET", proxy.url + "/echo", None, {"Authorization": alice})[0] == 200
            time.sleep(1.2)  # no server starts again in less than the second that an answer holds for
        proxy.stop()
    finally:
        proxy.stop() if proxy.process.poll() is None else None
        upstream.close()
    over = [i["payload"] for i in of_server(trail, "access", "again") if "outcome" in facts(i)]
    assert [(p.get("principal"), p["claimed_user"], p["session"]["auth"]) for p in over] == [
        (None, "alice", "none"), ("alice", "alice", "basic"), (None, "alice", "none")]


def test_proxy_streams_and_passes_on_faithfully(binary, trail, tmp_path):
    """Long bodies in either direction, ranges, HEAD, chunks and odd headers arrive as they were sent."""
    upstream = Upstream()
    proxy = Proxy(binary, tmp_path / "stream", upstream.url, trail)
    try:
        body = os.urandom(1 << 20) * 24
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
        connection.request("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/big%20file.bin", body)
        assert connection.getresponse().read() == hashlib.sha256(body).hexdigest().encode()
        connection.request("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/chunked", iter([b"a" * 70000, b"b", b"c" * 9]),
                           encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        assert connection.getresponse().read() == hashlib.sha256(b"a" * 70000 + b"b" + b"c" * 9).hexdigest().encode()
        connection.request("GET", f"/api/2.0/mlflow-artifacts/artifacts/bytes/{32 << 20}")
        answer = connection.getresponse()
        assert answer.getheader("Content-Length") == str(32 << 20) and len(answer.read()) == 32 << 20
        connection.request("GET", "/api/2.0/mlflow-artifacts/artifacts/range", headers={"Range": "bytes=2-4"})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Content-Range"), answer.read()) == (206, "bytes 2-4/10", b"234")
        connection.request("HEAD", "/api/2.0/mlflow-artifacts/artifacts/range")
        answer = connection.getresponse()
        assert answer.getheader("Content-Length") == "10" and answer.read() == b""
        connection.request("GET", "/api/2.0/mlflow-artifacts/artifacts/unknown-length")
        assert connection.getresponse().read() == b"x" * 100000
        connection.request("GET", "/api/2.0/mlflow-artifacts/artifacts/gzip", headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        assert answer.getheader("Content-Encoding") == "gzip" and answer.read() == b"\x1f\x8bnot really"
        connection.request("GET", "/echo", headers={"Connection": "keep-alive, X-Hop", "X-Hop": "1", "X-End": "2", "TE": "trailers",
                                                    "Authorization": "Bearer abc"})
        answer = connection.getresponse()
        seen = json.loads(answer.read())
        assert seen["x-end"] == "2" and seen["authorization"] == "Bearer abc" and "x-hop" not in seen and "te" not in seen
        assert seen["x-forwarded-for"] == "127.0.0.1" and seen["host"] == f"127.0.0.1:{upstream.port}"
        assert answer.getheader("Set-Cookie") == "a=1, b=2" and answer.getheader("X-Hop-Back") is None
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as s:
            s.sendall(b"PUT /api/2.0/mlflow-artifacts/artifacts/1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                      b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
            assert b"100 Continue" in s.recv(1000)
            s.sendall(b"abc")
            assert hashlib.sha256(b"abc").hexdigest().encode() in b"".join(iter(lambda: s.recv(1000), b""))
        # Memory did not grow with the files.
        peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{proxy.process.pid}/status").read_text())[1])
        assert peak < 120_000, f"{peak} kB"
        counts = proxy.stop()
    finally:
        proxy.stop() if proxy.process.poll() is None else None
        upstream.close()
    assert counts["lost"] == 0
    over = {facts(i)["resource"].get("id"): facts(i) for i in of_server(trail, "access", "stream") if "outcome" in facts(i)}
    assert over["1/big file.bin"]["action"] == "create" and over[f"bytes/{32 << 20}"]["bytes"] == 32 << 20


def test_proxy_without_trail_or_upstream(binary, trail, tmp_path):
    """Fail-closed nothing goes past a trail that is away, fail-open everything does and comes later; a server that is away is 502."""
    upstream = Upstream()
    own = Trail(binary, tmp_path / "own")
    closed = Proxy(binary, tmp_path / "closed", upstream.url, own)
    opened = Proxy(binary, tmp_path / "opened", upstream.url, own, "--fail-open")
    try:
        assert request("GET", closed.url + "/echo")[0] == 200
        own.stop()
        port = own.port
        seen = upstream.count
        status, headers, answer = request("GET", closed.url + "/echo")
        assert status == 503 and headers["Retry-After"] == "5" and json.loads(answer)["error_code"] == "TEMPORARILY_UNAVAILABLE"
        assert upstream.count == seen
        assert request("GET", opened.url + "/echo?n=1")[0] == 200
        own.serve = ["--listen", f"127.0.0.1:{port}"]
        own.start()
        upstream.close()
        status, _, answer = request("GET", opened.url + "/echo?n=2")
        assert status == 502 and "does not answer" in json.loads(answer)["message"]
        until(lambda: len(of_server(own, "access", "opened")) == 2, 60)
        outcomes = [(i["payload"]["query"], facts(i)["outcome"]) for i in of_server(own, "access", "opened")]
        assert sorted(outcomes) == [("n=1", "allowed"), ("n=2", "error")]
        assert opened.stop()["lost"] == 0
        assert not list((tmp_path / "opened" / "spool").iterdir())
    finally:
        closed.stop()
        opened.stop() if opened.process.poll() is None else None
        upstream.close()
        own.stop()


def test_proxy_refuses_changes_that_it_cannot_read(binary, trail, tmp_path):
    """A change of the registry whose body means one thing here and another there is not passed on."""
    upstream = Upstream()
    proxy = Proxy(binary, tmp_path / "refuse", upstream.url, trail)
    move = proxy.url + "/api/2.0/mlflow/model-versions/transition%2Dstage"
    try:
        assert request("POST", move, b'{"name":"a","version":"1","version":"2","stage":"Production"}')[0] == 400
        assert request("POST", move, b"{" + b" " * (1 << 20) + b"}")[0] == 400
        assert upstream.changes == 0
        assert request("POST", move, {"name": "a", "version": "1", "stage": "Production"})[0] == 200
        assert upstream.changes == 1
        # A client that goes away in the middle of its upload leaves a record of that.
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as s:
            s.sendall(b"PUT /api/2.0/mlflow-artifacts/artifacts/1/gone HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc")
        until(lambda: any(facts(i)["resource"].get("id") == "1/gone" and facts(i).get("outcome") == "error"
                          for i in of_server(trail, "access", "refuse")), 30, "no record of the client that went away")
    finally:
        proxy.stop()
        upstream.close()
    outcomes = Counter((facts(i).get("native_action"), facts(i).get("outcome")) for i in of_server(trail, "access", "refuse"))
    assert outcomes["mlflow.transitionModelVersionStage", "error"] == 2
    assert outcomes["mlflow.transitionModelVersionStage", "allowed"] == 1


def test_proxy_user_from_what_stands_in_front(binary, trail, tmp_path):
    """With --trust-user-header the header is the principal, and the address is what stands in front saw."""
    upstream = Upstream()
    proxy = Proxy(binary, tmp_path / "front", upstream.url, trail, "--trust-user-header", "X-Forwarded-User")
    try:
        assert request("GET", proxy.url + "/echo", None, {"X-Forwarded-User": "carol", "X-Forwarded-For": "203.0.113.9, 192.0.2.4",
                                                          "X-Mltrail-Reason": "none"})[0] == 200
        proxy.stop()
    finally:
        proxy.stop() if proxy.process.poll() is None else None
        upstream.close()
    one = next(i for i in of_server(trail, "access", "front") if "outcome" in facts(i))
    assert one["payload"]["principal"] == "carol" and one["payload"]["session"]["auth"] == "header"
    assert one["payload"]["source"]["address"] == "192.0.2.4"


class Upstream:
    """A server that shows exactly what reached it: what a faithful proxy is measured against."""

    def __init__(self):
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        outer = self
        self.count = self.changes = 0
        self.authorization = None  # the one that is let in; None: anybody

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body=b"", **headers):
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key.replace("_", "-"), value)
                if "Transfer_Encoding" not in headers and "Content_Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def body(self):
                if self.headers.get("Transfer-Encoding") == "chunked":
                    data = b""
                    while size := int(self.rfile.readline(), 16):
                        data += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                    return data
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def do_GET(self):
                outer.count += 1
                if outer.authorization not in (None, self.headers.get("Authorization")):
                    self.answer(401)
                    return
                part = self.path.rsplit("/", 2)
                if self.path.startswith("/echo"):
                    self.send_response(200)
                    text = json.dumps({k.lower(): v for k, v in self.headers.items()}).encode()
                    for key, value in (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Connection", "X-Hop-Back"), ("X-Hop-Back", "1"),
                                       ("Content-Length", str(len(text)))):
                        self.send_header(key, value)
                    self.end_headers()
                    self.wfile.write(text)
                elif part[1] == "bytes":
                    self.send_response(200)
                    self.send_header("Content-Length", part[2])
                    self.end_headers()
                    for _ in range(int(part[2]) >> 16):
                        self.wfile.write(b"z" * (1 << 16))
                elif self.path.endswith("/range"):
                    ranged = self.headers.get("Range")
                    if ranged:
                        self.answer(206, b"234", Content_Range="bytes 2-4/10")
                    else:
                        self.answer(200, b"0123456789")
                elif self.path.endswith("/unknown-length"):
                    self.answer(200, b"".join(b"%x\r\n%s\r\n" % (50000, b"x" * 50000) for _ in range(2)) + b"0\r\n\r\n",
                                Transfer_Encoding="chunked")
                elif self.path.endswith("/gzip"):
                    self.answer(200, b"\x1f\x8bnot really", Content_Encoding="gzip")
                else:
                    self.answer(404, b"{}")

            do_HEAD = do_GET

            def do_PUT(self):
                outer.count += 1
                self.answer(200, hashlib.sha256(self.body()).hexdigest().encode())

            def do_POST(self):
                outer.changes += 1
                self.body()
                self.answer(200, b"{}", Content_Type="application/json")

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        self.closed = False

    def close(self):
        if not self.closed:
            self.closed = True
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()


# -- import and reconcile ---------------------------------------------------------------------------------------------

def test_import_twice_then_reconcile(binary, tmp_path, mlflow):
    """An import brings everything, a second one nothing; what is changed past the trail afterwards is found, each with what is right."""
    own = Trail(binary, tmp_path)
    try:
        mlflow.client(TRAIN + "c.set_registered_model_alias('credit', 'champion', '1')\n"
                              "c.transition_model_version_stage('credit', '2', 'Production')\n")

        def run(*args):
            ran = own.run(*args, "--trail", own.dir, "--json")
            assert ran.returncode in (0, 1), ran.stderr
            return ran.returncode, json.loads(ran.stdout)
        status, dry = run("import", "mlflow", mlflow.url, "--dry-run")
        assert status == 0 and dry["records"] > 0 and own.search(kind="model.version") == []
        status, first = run("import", "mlflow", mlflow.url)
        assert (status, first["versions"], first["transitions"], first["digests"], first["rejected"]) == (0, 2, 2, 2, 0)
        status, second = run("import", "mlflow", mlflow.url)
        assert (status, second["accepted"], second["versions"], second["transitions"]) == (0, 0, 0, 0) and second["duplicates"] > 0
        folder = next((mlflow.folder / "artifacts").glob("**/MLmodel")).parent
        for item in own.search(kind="model.version"):
            assert facts(item)["model_artifact_hash"] == digests_of(folder)
        assert run("reconcile", "mlflow", mlflow.url)[1]["items"] == []
        mlflow.client("c.set_registered_model_alias('credit', 'champion', '2')\n"
                      "c.transition_model_version_stage('credit', '1', 'Staging')\n"
                      "v = c.get_model_version('credit', '1')\n"
                      "mlflow.register_model(f'runs:/{v.run_id}/model', 'credit')\n"
                      "c.transition_model_version_stage('credit', '2', 'None')\nc.delete_model_version('credit', '2')\n"
                      "c.set_registered_model_alias('credit', 'champion', '1')\nc.set_registered_model_alias('credit', 'new', '3')\n")
        with open(folder / "conda.yaml", "a") as changed:
            changed.write("# changed\n")
        status, found = run("reconcile", "mlflow", mlflow.url)
        assert status == 1
        assert sorted((i["code"], i.get("model_version"), i.get("alias")) for i in found["items"]) == [
            ("alias-differs", None, "new"), ("artifact-differs", "1", None), ("stage-differs", "1", None),
            ("version-gone", "2", None), ("version-missing", "3", None)] or found["items"]
        assert all(i["action"] for i in found["items"])
        assert run("import", "mlflow", mlflow.url)[0] == 0
        status, left = run("reconcile", "mlflow", mlflow.url)
        assert {i["code"] for i in left["items"]} == {"artifact-differs", "version-gone"} and status == 1
    finally:
        own.stop()


def test_usage(binary, tmp_path):
    """What is no server, a wrong subject and a URL with a password are told apart from differences."""
    def run(*args):
        return subprocess.run([binary, *args, "--trail", tmp_path / "none"], capture_output=True, text=True, timeout=30)
    assert run("import", "mlflow", "not-a-url").returncode == 2
    refused = run("reconcile", "mlflow", "http://bob:hunter2@127.0.0.1:9")
    assert refused.returncode == 2 and "hunter2" not in refused.stderr
    assert run("import", "nonsense", "x").returncode == 2
    assert run("proxy").returncode == 2
    assert run("proxy", "--upstream", "http://127.0.0.1:9", "--fail-open", "--fail-closed").returncode == 2


# -- webhooks ---------------------------------------------------------------------------------------------------------

SECRET = "a shared secret"


def test_real_webhooks_are_a_second_witness(binary, tmp_path):
    """MLflow's own deliveries are taken, and what they name and nobody recorded is a difference."""
    own = Trail(binary, tmp_path / "own")
    (own.state / "mlflow-webhook.secret").write_text(SECRET + "\n")
    server = Mlflow(tmp_path / "mlflow")
    proxy = Proxy(binary, tmp_path / "hook", server.url, own)
    try:
        server.client("from mlflow.entities.webhook import WebhookEvent\n"
                      f"c.create_webhook('trail', '{own.url}/v1/mlflow/webhook', secret='{SECRET}', events=["
                      "'registered_model.created', 'model_version.created', 'model_version_alias.created', 'model_version_tag.set'])\n")
        server.client("c.create_registered_model('m')\nwith mlflow.start_run() as run:\n"
                      "    mlflow.log_text('flavors: {}', 'model/MLmodel')\n"
                      "c.create_model_version('m', run.info.artifact_uri + '/model', run.info.run_id)\n"
                      "c.set_registered_model_alias('m', 'champion', '1')\n", proxy.url)
        until(lambda: len(captures(own)) == 3, 60, "the deliveries did not come")
        clean = own.run("reconcile", "mlflow", server.url, "--trail", own.dir, "--json", "--no-digests")
        assert clean.returncode == 0, clean.stdout
        server.client("c.set_registered_model_alias('m', 'challenger', '1')\nc.set_model_version_tag('m', '1', 'k', 'v')\n")
        until(lambda: len(captures(own)) == 5, 60, "the deliveries did not come")
        found = own.run("reconcile", "mlflow", server.url, "--trail", own.dir, "--json", "--no-digests")
        codes = Counter(i["code"] for i in json.loads(found.stdout)["items"])
        assert found.returncode == 1 and codes == {"alias-differs": 1, "webhook-unrecorded": 2}, found.stdout
    finally:
        proxy.stop()
        server.stop()
        own.stop()


def captures(trail: Trail) -> list[dict]:
    return [i for i in trail.search(kind="capture") if facts(i)["format"] == "mlflow-webhook"]


def deliver(trail: Trail, delivery: str, body: bytes, at: int | None = None, secret: str = SECRET, signature: str | None = None):
    stamp = str(int(time.time()) if at is None else at)
    mac = hmac.new(secret.encode(), f"{delivery}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return request("POST", trail.url + "/v1/mlflow/webhook", body, {
        "X-MLflow-Delivery-Id": delivery, "X-MLflow-Timestamp": stamp,
        "X-MLflow-Signature": signature or "v1," + base64.b64encode(mac).decode()})


def test_webhook_needs_its_signature(trail):
    """Only what the secret signed, lately, is taken; again it is the same record."""
    body = json.dumps({"entity": "model_version", "action": "created", "timestamp": "2026-11-25T01:00:00+00:00",
                       "data": {"name": "credit", "version": "7"}}).encode()
    secret = trail.state / "mlflow-webhook.secret"
    assert deliver(trail, "d-0", body)[0] == 401, "there is no secret yet"
    secret.write_text(SECRET)
    before = len(captures(trail))
    assert deliver(trail, "d-1", body)[0] == 200
    status, _, answer = deliver(trail, "d-1", body)
    assert status == 200 and json.loads(answer)["duplicates"] == 1
    assert len(captures(trail)) == before + 1
    for wrong in (lambda: deliver(trail, "d-2", body, secret="another"), lambda: deliver(trail, "d-2", body, at=int(time.time()) - 301),
                  lambda: deliver(trail, "d-2", body, at=int(time.time()) + 301), lambda: deliver(trail, "d-2", body, signature="v1,"),
                  lambda: deliver(trail, "d-2", body, signature="v2," + base64.b64encode(bytes(32)).decode()),
                  lambda: request("POST", trail.url + "/v1/mlflow/webhook", body)):
        assert wrong()[0] == 401
    assert len(captures(trail)) == before + 1
    assert deliver(trail, "d-3", b'{"no":"entity"}')[0] == 422


def test_a_lost_request_is_noticed():
    """The count that the tests above rest on can fail: a request less is a difference."""
    log = ['INFO: 127.0.0.1:1 - "GET /x HTTP/1.1" 200 OK'] * 3
    with pytest.raises(AssertionError):
        assert len(log) == 2
