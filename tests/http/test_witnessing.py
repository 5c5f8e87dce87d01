"""Checkpoints cosigned by real witnesses: what is published, what is said about it, and what stops a log that forked."""
from __future__ import annotations

import base64
import hashlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from api_server import Server, prediction, token_of
from served import START_S, WAIT_S, end, listen, until


class Witness:
    def __init__(self, binary: Path, folder: Path, name: str):
        self.binary, self.name, self.dir, self.port_file = binary, name, folder / name, folder / (name + ".port")
        self.vkey = subprocess.run([binary, "witness", "init", self.dir, "--name", name + ".example.com"], check=True,
                                   capture_output=True, text=True, timeout=START_S).stdout.strip()
        self.process = None

    def add(self, vkey: str):
        subprocess.run([self.binary, "witness", "add-log", self.dir, vkey, "--quiet"], check=True, timeout=START_S)

    def start(self, port: int = 0):
        self.process, self.port = listen([self.binary, "witness", "serve", self.dir, "--listen", f"127.0.0.1:{port}"], self.port_file)

    def stop(self):
        if self.process and self.process.poll() is None:
            assert end(self.process) == 0

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=START_S)

    def ask(self, method: str, path: str, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, body)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer, text

    def head(self, origin="example.org/http"):
        answer, text = self.ask("GET", f"/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint")
        return text.decode() if answer.status == 200 else None


class Watched(Server):
    """A trail with witnesses."""

    def __init__(self, binary, folder, witnesses, quorum, *serve):
        self.witnesses, self.policy = witnesses, folder / "policy"
        self.quorum = quorum
        self.err_file = folder / "stderr"
        self.extra = serve
        super().__init__(binary, folder)

    def start(self):
        self.vkey = json.loads((self.dir / "trail.json").read_text())["keys"][0]
        lines = []
        for w in self.witnesses:
            w.add(self.vkey)
            if w.process is None:
                w.start()
            lines.append(f"witness {w.name} {w.vkey} http://127.0.0.1:{w.port}")
        lines.append(f"group all {self.quorum} " + " ".join(w.name for w in self.witnesses))
        self.policy.write_text("\n".join(lines) + "\nquorum all\n")
        self.serve = ["--policy", str(self.policy), *self.extra]
        super().start()

    def checkpoint(self) -> list[str]:
        return self.get("/checkpoint", who=None).body.decode().split("\n")

    def size_published(self) -> int:
        return int(self.checkpoint()[1])

    def signers(self) -> list[str]:
        return [line.split(" ")[1] for line in self.checkpoint() if line.startswith("\u2014 ")]

    def standing(self) -> dict:
        return self.get("/v1/witnesses").json()

    def grow(self) -> int:
        """Appends one record and waits until it is published."""
        self.count = getattr(self, "count", 0) + 1
        answer = self.append(prediction(f"grow-{self.count}"))
        assert answer.status == 201
        size = answer.json()["tree_size"]
        until(lambda: self.size_published() >= size)
        return size


def run_serve(server: Server) -> subprocess.CompletedProcess:
    """Starts a server that is expected to refuse."""
    return subprocess.run([server.binary, "serve", server.dir, "--listen", "127.0.0.1:0", *server.serve],
                          capture_output=True, text=True, timeout=START_S)


@pytest.fixture
def make(binary, tmp_path):
    made = []

    def make_one(num: int, quorum: int, *serve) -> Watched:
        witnesses = [Witness(binary, tmp_path, f"w{i}") for i in range(num)]
        made.extend(witnesses)
        server = Watched(binary, tmp_path, witnesses, quorum, *serve)
        made.insert(0, server)
        return server

    yield make_one
    for thing in made:
        end(thing.process)


def test_published_checkpoint_carries_cosignatures(make):
    server = make(3, 2)
    server.grow()
    until(lambda: len(server.signers()) == 4)
    assert set(server.signers()) == {"example.org/http", "w0.example.com", "w1.example.com", "w2.example.com"}
    standing = server.standing()
    assert standing["quorum_met"] is True
    assert standing["assurance"] == "witnessed 3 of 3"
    assert {w["state"] for w in standing["items"]} == {"ok"}
    ready = server.get("/readyz", who=None).json()
    assert ready["witnesses"]["quorum_met"] is True and ready["witnesses"]["of"] == 3
    metrics = server.get("/metrics").body.decode()
    assert "mltrail_witness_quorum 1\n" in metrics
    assert 'mltrail_witness_up{witness="w0"} 1\n' in metrics
    size = server.size_published()
    assert f"\n{size}\n" in until(lambda: server.witnesses[0].head() if f"\n{size}\n" in (server.witnesses[0].head() or "") else None)


def test_prefer_publishes_self_attested_and_says_so(make):
    server = make(2, 2)
    server.grow()
    server.witnesses[1].stop()
    size = server.grow()
    assert server.size_published() >= size
    until(lambda: server.standing()["quorum_met"] is False)
    assert "self-attested" in server.standing()["assurance"]
    assert "mltrail_witness_quorum 0\n" in server.get("/metrics").body.decode()
    # and comes back by itself, though nothing is appended any more
    server.witnesses[1].start(server.witnesses[1].port)
    until(lambda: server.standing()["quorum_met"] is True)


def test_require_delays_the_publication(make):
    server = make(2, 2, "--witness-mode", "require")
    server.grow()
    server.witnesses[1].stop()
    before = server.size_published()
    answer = server.append(prediction("late"))
    assert answer.status == 201, "records are taken all the same"
    time.sleep(2.5)
    assert server.size_published() == before
    assert server.standing()["quorum_met"] is True, "of what is published"
    server.witnesses[1].start(server.witnesses[1].port)
    until(lambda: server.size_published() >= answer.json()["tree_size"])


def test_require_refuses_to_start_without_the_quorum(make):
    server = make(2, 2, "--witness-mode", "require")
    server.grow()
    assert server.stop() == 0
    server.witnesses[0].stop()
    done = run_serve(server)
    assert done.returncode == 3
    assert "1 of 2 witnesses" in done.stderr
    server.serve = ["--policy", str(server.policy), "--witness-mode", "prefer"]
    Server.start(server)  # warned, not refused
    assert server.stop() == 0


def test_rolled_back_trail_and_state_do_not_start(make, tmp_path):
    """A backup of both, put back: nothing on this machine knows better, the witness does."""
    server = make(1, 1)
    server.grow()
    assert server.stop() == 0
    for name in ("trail", "trail.state"):
        shutil.copytree(tmp_path / name, tmp_path / (name + ".old"))
    server.start()
    server.grow()
    assert server.stop() == 0
    for name in ("trail", "trail.state"):
        shutil.rmtree(tmp_path / name)
        shutil.move(tmp_path / (name + ".old"), tmp_path / name)
    published = (server.dir / "checkpoint").read_bytes()
    done = run_serve(server)
    assert done.returncode == 3
    assert "an older copy was put in its place" in done.stderr
    assert (server.dir / "checkpoint").read_bytes() == published, "nothing was published"
    evidence = list((server.state / "evidence").iterdir())
    assert len(evidence) == 1
    assert "HTTP status 409" in evidence[0].read_text()
    # A command that works in its own process asks the witness that the server was given.
    done = subprocess.run([server.binary, "append", "--trail", server.dir], input=json.dumps(prediction("x")),
                          capture_output=True, text=True, timeout=START_S)
    assert done.returncode == 3 and "older copy" in done.stderr


def test_two_logs_under_one_key(make, binary, tmp_path):
    """One trail served to two readers: the second history gets no cosignature, and its server stops."""
    server = make(1, 1)
    server.grow()
    assert server.stop() == 0
    for name in ("trail", "trail.state"):
        shutil.copytree(tmp_path / name, tmp_path / ("fork." + name))
    server.start()
    server.append(prediction("shown to one"))
    server.grow()
    first = server.size_published()
    assert server.stop() == 0
    # The other history runs without witnesses until it is as long, and shows itself then.
    other = ["--trail", tmp_path / "fork.trail", "--state", tmp_path / "fork.trail.state"]
    (tmp_path / "fork.trail.state" / "policy").unlink()
    for i in range(first + 3):
        subprocess.run([binary, "append", *other, "--quiet"], input=json.dumps(prediction(f"shown to another {i}")), check=True,
                       text=True, capture_output=True, timeout=START_S)
    head = server.witnesses[0].head()
    done = subprocess.run([binary, "serve", tmp_path / "fork.trail", "--state", tmp_path / "fork.trail.state", "--listen", "127.0.0.1:0",
                           "--policy", server.policy], capture_output=True, text=True, timeout=START_S)
    assert done.returncode == 3
    assert "another tree under this log's key" in done.stderr
    assert server.witnesses[0].head() == head
    assert list((tmp_path / "fork.trail.state" / "evidence").iterdir())


def test_forked_while_running(make, binary, tmp_path):
    """A trail and its copy, both written: the witness goes with one of them, the other one ends with clear text."""
    server = make(1, 1)
    server.grow()
    assert server.stop() == 0
    for name in ("trail", "trail.state"):
        shutil.copytree(tmp_path / name, tmp_path / ("copy." + name))
    server.witnesses[0].stop()  # nobody sees them part
    server.serve = []  # the policy that it was given is remembered
    with open(server.err_file, "w") as err:
        server.how = {"stderr": err}
        Server.start(server)

    def append_to_copy(name: str) -> int:
        return subprocess.run([binary, "append", "--trail", tmp_path / "copy.trail", "--state", tmp_path / "copy.trail.state", "--quiet"],
                              input=json.dumps(prediction(name)), text=True, capture_output=True, timeout=START_S).returncode

    assert append_to_copy("elsewhere") == 0
    server.append(prediction("here"))
    server.witnesses[0].start(server.witnesses[0].port)
    latest = time.monotonic() + WAIT_S
    copy_ended = server_ended = False
    while not (copy_ended or server_ended) and time.monotonic() < latest:
        copy_ended = append_to_copy("again") == 3
        server_ended = server.process.poll() is not None
    assert copy_ended != server_ended
    if server_ended:
        assert server.process.returncode == 3
        assert "rolled back or forked" in server.err_file.read_text()


def test_policy_is_recorded_and_dossiers_do_not_change(make):
    server = make(1, 1)
    records = server.get("/v1/records?kind=control&order=asc").json()["items"]
    policies = [r for r in records if r["entry"]["facts"].get("name") == "witness_policy"]
    assert len(policies) == 1
    assert policies[0]["entry"]["facts"]["value"]["mode"] == "prefer"
    server.append(prediction("told"))
    size = server.size()
    path = f"/v1/predictions/told/dossier?at_size={size}"
    first = server.get(path).body
    until(lambda: server.size_published() >= size)
    server.grow()
    assert server.get(path).body == first, "cosignatures that arrive later stand outside"
    assert f"entry {policies[0]['index']}" in json.loads(first)["integrity"]["assurance"]
    assert server.stop() == 0
    server.start()
    records = server.get("/v1/records?kind=control").json()["items"]
    assert len([r for r in records if r["entry"]["facts"].get("name") == "witness_policy"]) == 1, "only when it changes"


def entry_bytes(server: Server, index: int, size: int) -> bytes:
    width = min(256, size - index // 256 * 256)
    suffix = f".p/{width}" if width < 256 else ""
    bundle = server.get(f"/tile/entries/{index // 256:03d}{suffix}", who="mirror").body
    at = 0
    for _ in range(index % 256):
        at += 2 + int.from_bytes(bundle[at:at + 2], "big")
    return bundle[at + 2:at + 2 + int.from_bytes(bundle[at:at + 2], "big")]


def test_proven_receipt_verifies_offline(make, binary, tmp_path):
    server = make(2, 2)
    answer = server.ask("POST", "/v1/records?ack=proven", prediction("proven"))
    assert answer.status == 201
    receipt = answer.json()
    assert receipt["acknowledged"] == "proven"
    assert receipt["proof"].startswith("c2sp.org/tlog-proof@v1\n") and receipt["proof"].count("\u2014 w") == 2
    size = int(receipt["proof"].split("\n\n", 1)[1].split("\n")[1])
    (tmp_path / "r.tlog-proof").write_text(receipt["proof"])
    (tmp_path / "entry").write_bytes(entry_bytes(server, receipt["index"], size))
    (tmp_path / "trusted").write_text(f"log {server.vkey}\n" + server.policy.read_text())
    verify = [binary, "verify", tmp_path / "r.tlog-proof", "--entry", tmp_path / "entry", "--policy", tmp_path / "trusted"]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=START_S)
    assert done.returncode == 0, done.stdout + done.stderr
    proof = tmp_path / "p.tlog-proof"
    subprocess.run([binary, "prove", str(receipt["index"]), "-o", proof, "--trail", server.dir], check=True, timeout=START_S)
    done = subprocess.run([*verify[:2], proof, *verify[3:]], capture_output=True, text=True, timeout=START_S)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "entry").write_bytes(entry_bytes(server, receipt["index"] - 1, size))
    assert subprocess.run(verify, capture_output=True, timeout=START_S).returncode == 1
    # a duplicate is proven as well, without growing the tree
    again = server.ask("POST", "/v1/records?ack=proven", prediction("proven"))
    assert again.status == 200 and again.json()["acknowledged"] == "proven"
    batch = server.batch("".join(json.dumps(prediction(f"b{i}")) + "\n" for i in range(5)),
                         "/v1/records?ack=proven&receipts=all").json()
    assert batch["acknowledged"] == "proven" and "\u2014 w1.example.com " in batch["proven_checkpoint"]
    assert all(r["proof"].startswith("c2sp.org/tlog-proof@v1\nindex %d\n" % r["index"]) for r in batch["receipts"])
    assert "acknowledged" not in server.append(prediction("plain")).json()


def test_unproven_is_durable_and_says_so(make):
    """Without the quorum nothing is proven; a server that stops answers what still waits."""
    server = make(1, 1)
    server.grow()
    server.witnesses[0].stop()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/v1/records?ack=proven", json.dumps(prediction("late")),
                       {"Content-Type": "application/json", "Authorization": "Bearer " + token_of("admin")})
    until(lambda: server.get("/v1/predictions/late").status == 200)
    server.process.send_signal(signal.SIGTERM)
    answer = connection.getresponse()
    receipt = json.loads(answer.read())
    assert answer.status == 202 and receipt["acknowledged"] == "durable" and "proof" not in receipt
    assert server.process.wait(timeout=START_S) == 0


def test_command_waits_for_the_proof(make, binary, tmp_path):
    server = make(1, 1)
    server.grow()
    (tmp_path / "token").write_text(token_of("admin"))
    command = [binary, "append", "--ack", "proven", "--receipts", tmp_path / "receipts", "--trail"]
    for trail in (f"http://127.0.0.1:{server.port}", server.dir):
        if trail == server.dir:
            assert server.stop() == 0  # then in its own process
        done = subprocess.run([*command, trail, "--token-file", tmp_path / "token"], input=json.dumps(prediction(f"c {trail}")), text=True,
                              capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        receipt = json.loads((tmp_path / "receipts").read_text().splitlines()[-1])
        assert "\u2014 w0.example.com " in receipt["proof"]
    server.witnesses[0].stop()


def test_witness_bounds(make):
    server = make(1, 1)
    witness = server.witnesses[0]
    answer, _ = witness.ask("GET", "/add-checkpoint")
    assert answer.status == 405 and answer.headers["Allow"] == "POST"
    assert witness.ask("POST", "/elsewhere", b"x")[0].status == 404
    assert witness.ask("POST", "/add-checkpoint", b"old 0\n\n" + b"x" * 200_000)[0].status == 413
    assert witness.ask("POST", "/add-checkpoint", b"")[0].status == 400
    assert witness.ask("GET", "/" + "0" * 64 + "/checkpoint")[0].status == 404
    assert witness.ask("GET", "/%2e%2e/checkpoint")[0].status == 404
    # A body that is longer than announced at first is not taken either.
    with socket.create_connection(("127.0.0.1", witness.port), timeout=20) as s:
        s.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            s.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
        s.sendall(b"0\r\n\r\n")
        assert b" 413 " in s.recv(100)


def test_witness_killed_at_any_moment(make, binary):
    """Killed over and over while it cosigns, the witness never falls behind what it said."""
    server = make(1, 1, "--publish-interval", "100ms")
    witness = server.witnesses[0]
    said = 0
    for i in range(10):
        server.grow()
        time.sleep(0.013 * i)
        witness.kill()
        cosigned = server.standing()["items"][0]["cosigned_size"]
        said = max(said, cosigned or 0)
        witness.start(witness.port)
        assert int(witness.head().split("\n")[1]) >= said
    until(lambda: server.standing()["quorum_met"])
    # What the witness keeps bears its own signature over exactly this size.
    line = [x for x in witness.head().split("\n") if x.startswith("\u2014 w0.example.com ")][0]
    assert len(base64.b64decode(line.split(" ")[2])) == 4 + 8 + 64


def test_an_evidence_bundle_carries_the_cosignatures(binary, make, tmp_path):
    """The checkpoint in it was cosigned, so a policy that asks for the witnesses is satisfied offline; one that asks for others is not."""
    server = make(2, 2)
    server.append(prediction("r-1"))
    answer = server.get("/v1/predictions/r-1/dossier?format=bundle")
    assert answer.status == 200, answer.body
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(answer.body)
    lines = [f"log {server.vkey}"] + [f"witness {w.name} {w.vkey}" for w in server.witnesses]
    policy = tmp_path / "offline.policy"
    policy.write_text("\n".join(lines + ["group all 2 w0 w1", "quorum all"]) + "\n")
    for thing in [server, *server.witnesses]:  # nobody is there to be asked
        thing.stop()

    def verify(*options):
        return subprocess.run([binary, "verify", bundle, *options], capture_output=True, text=True, timeout=START_S)

    done = verify("--policy", policy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cosigned by 2 of the policy's 2 witnesses" in done.stdout
    report = json.loads(verify("--policy", policy, "--json").stdout)
    assert report["policy"]["holds"] and report["policy"]["num_cosigned"] == 2
    stranger = Witness(binary, tmp_path, "stranger")
    policy.write_text("\n".join(lines + [f"witness x {stranger.vkey}", "group all all w0 w1 x", "quorum all"]) + "\n")
    done = verify("--policy", policy)
    assert done.returncode == 1 and "the policy is not satisfied" in done.stdout
    assert "the dossier says of itself: self-attested; the witness policy of entry" in verify("--key", server.vkey).stdout
