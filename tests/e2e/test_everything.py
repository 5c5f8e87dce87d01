"""One trail with all of it: witnesses, time-stamps, segments, signed approvals, a rotated key, a recovery, kill -9."""
from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

import authority
import gotools
from built import ROOT
from served import end, listen
from test_page import CHROMIUM, check  # noqa: F401 (a fixture)

ORIGIN = "example.com/all"
ARTIFACT = "sha256:" + "ab" * 32


def prediction(request_id: str, **more) -> str:
    return json.dumps({"kind": "prediction", "request_id": request_id, "timestamp": "2026-11-24T10:00:00Z", "model": "credit",
                       "model_version": "7", "serving_node": "n1", "feature_values": {"age": 61}, "prediction": 0.2, **more})


STORY = [
    {"kind": "dataset.version", "dataset": "loans", "version": "3", "timestamp": "2026-11-20T08:00:00Z",
     "sources": [{"system": "core", "table": "loans"}]},
    {"kind": "training.run", "training_job_id": "job-1", "timestamp": "2026-11-20T09:00:00Z",
     "datasets": [{"dataset": "loans", "version": "3"}]},
    {"kind": "model.version", "model": "credit", "model_version": "7", "timestamp": "2026-11-20T10:00:00Z",
     "model_artifact_hash": ARTIFACT, "training_job_id": "job-1", "registered_by": "dana"},
]


class Place:
    """A directory where one trail, its witness and its authority are, and the program to work on them."""

    def __init__(self, binary: Path, base: Path) -> None:
        self.binary, self.base = binary, base
        self.env = {**os.environ, "HOME": str(base), "XDG_CONFIG_HOME": str(base / "config"), "MLTRAIL": "trail"}
        self.server: subprocess.Popen | None = None
        self.witness: subprocess.Popen | None = None
        self.root = authority.Root(base)
        self.tsa = authority.Service(authority.Authority(self.root))
        self.num = 0

    def run(self, *argv, stdin: str | None = None, status: int = 0) -> subprocess.CompletedProcess:
        done = subprocess.run([str(self.binary), *map(str, argv)], cwd=self.base, env=self.env, input=stdin, text=True,
                              capture_output=True, timeout=120)
        assert done.returncode == status, (argv, done.returncode, done.stdout, done.stderr)
        return done

    def append(self, *records: str) -> None:
        self.run("append", "-q", stdin="".join(record + "\n" for record in records))

    def open_port(self, *argv: str) -> tuple[subprocess.Popen, int]:
        self.num += 1
        with (self.base / f"log-{self.num}").open("w") as out:
            return listen([self.binary, *argv], self.base / f"port-{self.num}", cwd=self.base, env=self.env, stdout=out, stderr=out)

    def start_witness(self) -> None:
        self.witness, port = self.open_port("witness", "serve", "w", "--listen", "127.0.0.1:0")
        self.witness_url = f"http://127.0.0.1:{port}"

    def serve(self, mode: str = "require") -> None:
        self.server, self.port = self.open_port(
            "serve", "trail", "--listen", "127.0.0.1:0", "--policy", "serve.policy", "--witness-mode", mode, "--segment-entries",
            "16", "--publish-interval", "100ms", "--tsa", self.tsa.url, "--tsa-roots", str(self.root.pem), "--tsa-interval", "1h")

    def refused(self) -> str:
        """What `serve` says where it does not start."""
        done = subprocess.run([str(self.binary), "serve", "trail", "--listen", "127.0.0.1:0"], cwd=self.base, env=self.env,
                              stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=60)
        assert done.returncode == 3, done
        return done.stderr

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.server:
            assert end(self.server, number) == (0 if number == signal.SIGTERM else -number)
            self.server = None

    def close(self) -> None:
        for process in (self.server, self.witness):
            end(process)
        self.tsa.close()

    def key(self) -> str:
        return self.run("key", "export").stdout.strip()

    def head(self) -> list[str]:
        return (self.base / "trail" / "checkpoint").read_text().split("\n")

    def evidence(self, name: str, request_id: str) -> None:
        self.run("report", request_id, "--format", "bundle", "-o", f"{name}.zip", "-q")
        self.run("report", request_id, "--format", "html", "-o", f"{name}.html", "-q")

    def verified(self, *argv, status: int = 0) -> dict:
        return json.loads(self.run("verify", *argv, "--json", status=status).stdout)


def story(place: Place) -> None:
    """Makes the trail; what is asserted on the way is what each command must say and do."""
    place.run("init", "trail", "--origin", ORIGIN, "--public")
    place.run("witness", "init", "w", "--name", "w.example.com", "-q")
    place.keys = [place.key()]
    (place.base / "key-0").write_text(place.keys[0] + "\n")
    place.run("witness", "add-log", "w", "key-0", "-q")
    place.start_witness()
    witness = json.loads(place.run("witness", "status", "w", "--json").stdout)["vkey"]
    lines = f"witness w {witness} {place.witness_url}\nquorum w\n"
    (place.base / "serve.policy").write_text(lines)
    # The relying party's policy names the log by the first key, and is never told of another.
    (place.base / "policy").write_text(f"log {place.keys[0]}\n{lines}")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "erin", "-f", "erin"], cwd=place.base, check=True)
    (place.base / "allowed").write_text(f'erin namespaces="approval@mltrail" {(place.base / "erin.pub").read_text()}')

    place.serve()
    place.run("settings", "set", "allowed_signers", "@allowed", "--reason", "the board", "-q")
    place.append(*map(json.dumps, STORY))
    place.run("approve", "credit", "7", "--reference", "CAB-7", "--verdict", "approved", "--approver", "erin", "--reason", "validated",
              "--key", "erin", "-q")
    place.append(json.dumps({"kind": "transition", "model": "credit", "model_version": "7", "to_stage": "production",
                             "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1)),
                             "approval_reference": "CAB-7"}))
    place.append(*(prediction(f"old-{i}") for i in range(20)))
    # A record that is too long for what it corrects to stand in its entry.
    place.append(json.dumps({"kind": "correction", "corrects": {"entry": 3, "note": "x" * 20000}, "members": {"version": "3b"},
                             "reason": "a long one"}))
    place.run("anchor", "now")
    place.evidence("before", "old-1")
    place.run("export", "--format", "bundle", "-o", "before-extract.zip", "-q")
    place.run("export", "-o", "before-extract.ndjson", "-q")
    place.run("prove", 7, "-o", "before.tlog-proof", "--entry", "before.entry")

    for key in (["--key", "key-0"], ["--policy", "policy"]):
        monitor(place, *key)

    # A rotation publishes nothing by itself, and the server asks for what is missing.
    place.end()
    published = place.head()
    said = place.run("key", "rotate-signing", "--reason", "yearly").stderr
    assert "witness add-log DIR trail.json" in said
    assert place.head() == published
    place.keys.append(place.key())
    (place.base / "key-1").write_text(place.keys[1] + "\n")
    said = place.refused()
    assert "quorum" in said and "its operator needs trail.json" in said, said
    place.run("witness", "add-log", "w", "key-1", status=3)  # the new key alone is anybody's
    place.run("witness", "add-log", "w", "trail/trail.json", "-q")
    place.serve()
    place.append(*(prediction(f"new-{i}") for i in range(20)))
    for key in (["--key", "key-0"], ["--policy", "policy"]):
        monitor(place, *key)  # what was remembered is by the old key, what is served by the new one
    place.evidence("after", "new-1")
    place.evidence("after-old", "old-1")
    place.run("export", "--format", "bundle", "-o", "after-extract.zip", "-q")
    place.run("prove", 7, "-o", "after.tlog-proof", "--entry", "after.entry")

    # An older copy takes the trail's place.
    place.end()
    shutil.copytree(place.base / "trail", place.base / "backup")
    place.serve()
    place.append(prediction("lost"))
    place.end()
    shutil.rmtree(place.base / "trail")
    (place.base / "backup").rename(place.base / "trail")
    assert "older copy" in place.refused()
    said = place.run("recover", "trail", "--reason", "the disk failed", "--yes").stderr
    assert "witness add-log DIR trail.json" in said
    place.keys.append(place.key())
    (place.base / "key-2").write_text(place.keys[2] + "\n")
    assert place.keys[2].startswith(ORIGIN + "/2+")
    assert "its operator needs trail.json" in place.refused()
    place.run("witness", "add-log", "w", "trail/trail.json", "-q")
    place.serve()
    place.append(*(prediction(f"newest-{i}") for i in range(20)))
    for key in (["--key", "key-0"], ["--policy", "policy"]):
        monitor(place, *key)
    place.evidence("newest", "newest-1")
    place.run("prove", 7, "-o", "newest.tlog-proof", "--entry", "newest.entry")


def monitor(place: Place, how: str, key: str) -> None:
    """One round of a monitor that remembers the rounds before."""
    place.run("monitor", f"http://127.0.0.1:{place.port}", how, key, "--state", f"monitor{how}", "--once", "-q")


@pytest.fixture(scope="module")
def everything(binary, tmp_path_factory):
    place = Place(binary, tmp_path_factory.mktemp("everything"))
    try:
        story(place)
        yield place
    finally:
        place.close()


def test_the_whole_trail_is_true(everything):
    """With every key that the trail had, and with the policy that names the first; also while it is being served, and from afar."""
    url = f"http://127.0.0.1:{everything.port}"
    for more in (["--key", "key-0"], ["--key", "key-1"], ["--key", "key-2"], ["--policy", "policy"]):
        for what in ("trail", url):
            report = everything.verified(what, *more)
            assert report["verdict"] and report["authenticated"], (what, more, report)
    assert everything.verified("trail", "--tsa-roots", "root.pem")["verdict"]
    assert "1 of 1" in everything.run("witness", "status").stdout
    anchors = json.loads(everything.run("search", "--kind", "anchor", "--json").stdout)["items"]
    assert len(anchors) >= 1


@pytest.mark.parametrize("name, key", [("before", 0), ("after", 1), ("after-old", 1), ("newest", 2)])
def test_bundles_of_every_age_hold_for_every_key(everything, name, key):
    """An older key is led to the newer one by the bundle itself, a newer one to the older by trail.json of today."""
    for given in range(3):
        chain = ["--chain", "trail/trail.json"] if given > key else []
        report = everything.verified(f"{name}.zip", "--key", f"key-{given}", *chain)
        assert report["verdict"] and report["authenticated"] and report["key"] == everything.keys[key], report
        if chain:
            assert not everything.verified(f"{name}.zip", "--key", f"key-{given}", status=1)["authenticated"]
    report = everything.verified(f"{name}.zip", "--policy", "policy")
    assert report["verdict"] and report["authenticated"] and report["policy"]["num_cosigned"] == 1
    assert not any("more than they commit to" in said for said in report["asserted"]), report["asserted"]


@pytest.mark.parametrize("name, key", [("before-extract.zip", 0), ("before-extract.ndjson", 0), ("after-extract.zip", 1)])
def test_extracts_hold_for_every_key(everything, name, key):
    for given in range(3):
        chain = ["--chain", "trail/trail.json"] if given != key else []
        assert everything.verified(name, "--key", f"key-{given}", *chain)["verdict"]


@pytest.mark.parametrize("name, key", [("before", 0), ("after", 1), ("newest", 2)])
def test_proofs_hold_for_every_key(everything, name, key):
    for given in range(3):
        chain = ["--chain", "trail/trail.json"] if given != key else []
        proof = [f"{name}.tlog-proof", "--entry", f"{name}.entry"]
        assert everything.verified(*proof, "--key", f"key-{given}", *chain)["verdict"]
        if chain:
            assert not everything.verified(*proof, "--key", f"key-{given}", status=1)["verdict"]
    assert everything.verified(f"{name}.tlog-proof", "--entry", f"{name}.entry", "--policy", "policy", "--chain", "trail/trail.json")["verdict"]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the page in")
@pytest.mark.parametrize("name", ["before", "after", "after-old", "newest"])
def test_pages_of_every_age_are_green(everything, check, name):  # noqa: F811
    result, text = check((everything.base / f"{name}.html").read_text())
    assert result == "good", text


def test_go_agrees(everything):
    """The Go project's own packages, with the key in use."""
    tool = gotools.own_tool(ROOT / "tests" / "interop" / "tlogcheck")
    done = subprocess.run([tool, "-key", everything.keys[-1], "-url", f"http://127.0.0.1:{everything.port}", "-proof",
                           everything.base / "newest.tlog-proof"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_after_kill_9_all_is_still_true(everything):
    """Last in this file: it ends the server in the middle of appends, three times."""
    chance = random.Random(20261124)
    for turn in range(3):
        writer = subprocess.Popen([str(everything.binary), "append", "-q"], cwd=everything.base, env=everything.env,
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        feeder = threading.Thread(target=lambda w=writer, t=turn: feed(w, t), daemon=True)
        feeder.start()
        time.sleep(chance.uniform(0.2, 1.0))
        everything.end(signal.SIGKILL)
        writer.wait(60)
        feeder.join(60)
        assert everything.verified("trail")["verdict"]
        everything.serve()
    test_the_whole_trail_is_true(everything)
    everything.evidence("killed", "old-1")
    assert everything.verified("killed.zip", "--policy", "policy")["verdict"]


def feed(writer: subprocess.Popen, turn: int) -> None:
    """A few hundred records a second until the writer is gone, as it is when its server is."""
    try:
        for i in range(20_000):
            writer.stdin.write(prediction(f"kill-{turn}-{i}") + "\n")
            if i % 10 == 0:
                writer.stdin.flush()
                time.sleep(0.01)
        writer.stdin.close()
    except OSError:
        pass
