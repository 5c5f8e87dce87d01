"""Witnesses of others cosign our log, and clients of others are cosigned by our witness."""
from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import socket
import sqlite3
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import gotools
from served import START_S, end, listen, until

TORCHWOOD = ("filippo.io/torchwood", "v0.6.1")
WITNESS = ("github.com/transparency-dev/witness", "v0.0.0-20260720115447-2e1c6971d19e")
ORIGIN = "example.org/interop"
COSIGNATURE_V1 = 4
ED25519 = 1


def key_id(name: str, kind: int, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def vkey_of(name: str, kind: int, public: bytes) -> str:
    return f"{name}+{key_id(name, kind, public).hex()}+{base64.b64encode(bytes([kind]) + public).decode()}"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen) -> None:
    def taken() -> bool:
        assert process.poll() is None, "it did not start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    until(taken, START_S, "it did not start")


@pytest.fixture
def processes():
    started: list[subprocess.Popen] = []
    yield started
    for process in reversed(started):
        try:
            end(process)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start(processes: list, command: list, **more) -> subprocess.Popen:
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    processes.append(process)
    return process


def make_trail(binary: Path, folder: Path) -> str:
    made = subprocess.run([binary, "init", folder / "trail", "--origin", ORIGIN], capture_output=True, text=True, check=True,
                          timeout=START_S)
    return re.search(rf"{re.escape(ORIGIN)}\+[0-9a-f]{{8}}\+\S+", made.stdout)[0]


def serve(binary: Path, folder: Path, processes: list, policy: Path) -> None:
    processes.append(listen([binary, "serve", folder / "trail", "--listen", "127.0.0.1:0", "--policy", policy, "--witness-mode", "require"],
                            folder / "port")[0])


def append(binary: Path, folder: Path, num: int) -> None:
    record = {"kind": "prediction", "request_id": f"r{num}", "timestamp": "2026-11-23T10:00:00Z", "model": "m", "model_version": "1",
              "serving_node": "n", "feature_values": {"a": 1}, "prediction": 1}
    subprocess.run([binary, "append", "--trail", folder / "trail", "--quiet"], input=json.dumps(record), text=True, check=True,
                   capture_output=True, timeout=START_S)


def grow_and_check(binary: Path, folder: Path, policy: Path) -> None:
    """Sizes that the witness has to be led through by proofs; each published checkpoint must satisfy our own verifier."""
    published = 0
    for num in range(5):
        append(binary, folder, num)
        until(lambda: int((folder / "trail" / "checkpoint").read_text().split("\n")[1]) > published, missing="nothing was published")
        published = int((folder / "trail" / "checkpoint").read_text().split("\n")[1])
    done = subprocess.run([binary, "verify", folder / "trail", "--policy", policy, "--json"], capture_output=True, text=True, timeout=60)
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert report["policy"]["holds"] is True and report["policy"]["num_cosigned"] == 1


def write_policy(folder: Path, log: str, name: str, vkey: str, url: str) -> Path:
    policy = folder / "policy"
    policy.write_text(f"log {log}\nwitness {name} {vkey} {url}\nquorum {name}\n")
    return policy


def test_litewitness_cosigns_our_log(binary, tmp_path, processes):
    litewitness = gotools.module_tool(*TORCHWOOD, "cmd/litewitness")
    for tool in ("ssh-agent", "ssh-add", "ssh-keygen"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    log = make_trail(binary, tmp_path)
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=START_S)
    fingerprint = subprocess.run(["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True).stdout.split()[1]
    public = base64.b64decode((tmp_path / "key.pub").read_text().split()[1])[-32:]
    agent = f"/tmp/mlt-agent-{tmp_path.name}-{free_port()}"  # a socket's path is short
    start(processes, ["ssh-agent", "-D", "-a", agent])
    until(lambda: subprocess.run(["ssh-add", "-q", key], env={"SSH_AUTH_SOCK": agent, "PATH": "/usr/bin:/bin"},
                                 capture_output=True).returncode == 0, missing="ssh-agent did not start")
    # Its own tool for this does not build from public modules alone; the tables are what litewitness makes itself.
    with sqlite3.connect(tmp_path / "lite.db") as db:
        db.execute("CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL)")
        db.execute("CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin))")
        db.execute("INSERT INTO log VALUES (?, 0, ?)", (ORIGIN, base64.b64encode(hashlib.sha256(b"").digest()).decode()))
        db.execute("INSERT INTO key VALUES (?, ?)", (ORIGIN, log))
    db.close()
    port = free_port()
    process = start(processes, [litewitness, "-ssh-agent", agent, "-name", "lite.example.com", "-key", fingerprint, "-db", tmp_path / "lite.db",
                                "-listen", f"127.0.0.1:{port}"])
    wait_for_port(port, process)
    policy = write_policy(tmp_path, log, "lite", vkey_of("lite.example.com", COSIGNATURE_V1, public), f"http://127.0.0.1:{port}")
    serve(binary, tmp_path, processes, policy)
    grow_and_check(binary, tmp_path, policy)


def note_key(binary: Path, folder: Path, name: str) -> tuple[str, str]:
    """A signing key as Go's note package writes it (type 01), and the verifier key of its cosignatures (type 04)."""
    vkey = subprocess.run([binary, "witness", "init", folder / "key", "--name", name], check=True, capture_output=True, text=True,
                          timeout=START_S).stdout.strip()
    secret = (folder / "key" / "witness.key").read_text().strip()
    seed = base64.b64decode(secret.split("+", 4)[4])[1:]
    public = base64.b64decode(vkey.split("+", 2)[2])[1:]
    assert vkey == vkey_of(name, COSIGNATURE_V1, public)
    return f"PRIVATE+KEY+{name}+{key_id(name, ED25519, public).hex()}+{base64.b64encode(bytes([ED25519]) + seed).decode()}", vkey


def test_omniwitness_cosigns_our_log(binary, tmp_path, processes):
    omniwitness = gotools.module_tool(*WITNESS, "cmd/omniwitness")
    log = make_trail(binary, tmp_path)
    secret, vkey = note_key(binary, tmp_path, "omni.example.com")
    (tmp_path / "omni.key").write_text(secret)
    (tmp_path / "logs.yaml").write_text(f"Logs:\n  - Origin: {ORIGIN}\n    URL: http://127.0.0.1:9/\n    PublicKey: {log}\n")
    port = free_port()
    process = start(processes, [omniwitness, "--private_key_path", tmp_path / "omni.key", "--additional_logs", tmp_path / "logs.yaml",
                                "--db_file", tmp_path / "omni.db", "--listen", f"127.0.0.1:{port}", "--metrics_listen", "127.0.0.1:0"])
    wait_for_port(port, process)
    policy = write_policy(tmp_path, log, "omni", vkey, f"http://127.0.0.1:{port}")
    serve(binary, tmp_path, processes, policy)
    grow_and_check(binary, tmp_path, policy)


def test_feeder_of_others_is_cosigned_by_our_witness(binary, tmp_path, processes):
    """feedwitness reads our tiles, makes its own proofs, and takes our witness from size to size."""
    log = make_trail(binary, tmp_path)
    vkey = subprocess.run([binary, "witness", "init", tmp_path / "w", "--name", "w.example.com"], check=True, capture_output=True, text=True,
                          timeout=START_S).stdout.strip()
    subprocess.run([binary, "witness", "add-log", tmp_path / "w", log, "--quiet"], check=True, timeout=START_S)
    ports = {}
    for name, what in (("witness", ["witness", "serve", tmp_path / "w"]), ("log", ["serve", tmp_path / "trail"])):
        process, ports[name] = listen([binary, *what, "--listen", "127.0.0.1:0"], tmp_path / f"{name}.port")
        processes.append(process)
    # It knows the logs of a file that is compiled in: ours takes its place.
    feedwitness = gotools.module_tool(*WITNESS, "cmd/feedwitness", replace={"omniwitness/logs.yaml": (
        f"Logs:\n  - Origin: {ORIGIN}\n    URL: http://127.0.0.1:{ports['log']}/\n    PublicKey: {log}\n    Feeder: tiles\n")}, into=tmp_path)
    feeder = start(processes, [feedwitness, f"--witness_url=http://127.0.0.1:{ports['witness']}/", "--max_qps=10", "--metrics_listen="])

    def head() -> list[str]:
        url = f"http://127.0.0.1:{ports['witness']}/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
        try:
            return urllib.request.urlopen(url, timeout=20).read().decode().split("\n")
        except urllib.error.HTTPError:
            return ["", "0"]

    seen = set()
    for num in range(4):
        append(binary, tmp_path, num)
        until(lambda: feeder.poll() is not None or int(head()[1]) > max(seen, default=0), missing="the witness was not fed")
        assert feeder.poll() is None, "the feeder ended"
        seen.add(int(head()[1]))
    assert len(seen) == 4
    assert any(line.startswith("\u2014 w.example.com ") for line in head())
    assert vkey.startswith("w.example.com+")
