"""The Python SDK against the real server: every prediction arrives once, in sequence, whatever happens on the way.

MLTRAIL_OUTAGE_S says how long the server is away in the long test (default 3; a release is tested with 60).
"""
from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import mltrail
from built import ROOT
from mltrail import batch, spool
from served import START_S, Served, end, listen, until

OUTAGE_S = float(os.environ.get("MLTRAIL_OUTAGE_S", "3"))
SDK = ROOT / "sdk" / "python"


class Kept(Served):
    """A trail whose server comes back where it was."""

    def prepare(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.fixed = probe.getsockname()[1]

    def start(self) -> None:
        self.process, self.port = listen([self.binary, "serve", self.dir, "--listen", f"127.0.0.1:{self.fixed}", *self.serve],
                                         self.port_file)
        self.url = f"http://127.0.0.1:{self.port}"

    def client(self, **how) -> mltrail.Trail:
        return mltrail.Trail(self.url, token_file=self.token_file, **how)

    def facts(self, kind: str, **filters) -> list:
        with self.client() as trail:
            return [item["entry"]["facts"] for item in trail.search(kind=kind, limit=1000, order="asc", **filters)]

    def streams(self) -> dict:
        """Sequences of each stream, in the order of the trail."""
        found: dict = {}
        for facts in self.facts("prediction"):
            found.setdefault(facts["stream"], []).append(facts["sequence"])
        return found

    def tallies(self) -> dict:
        found: dict = {}
        for facts in self.facts("tally"):
            found.setdefault(facts["scope"]["stream"], []).append(facts)
        return found


@pytest.fixture()
def kept(binary, tmp_path):
    served = Kept(binary, tmp_path / "served", "example.com/sdk")
    yield served
    served.stop()


def run(program: str, *arguments, **how) -> subprocess.Popen:
    """A Python process with the SDK."""
    environment = {**os.environ, "PYTHONPATH": str(SDK), **how.pop("env", {})}
    return subprocess.Popen([sys.executable, "-u", "-c", textwrap.dedent(program), *map(str, arguments)], text=True,
                            stdout=subprocess.PIPE, env=environment, **how)


SERVE = """
    import sys, time, mltrail
    trail = mltrail.Trail(sys.argv[1], token_file=sys.argv[2], spool_dir=sys.argv[3], serving_node='node-k')
    recorder = trail.predictions(model='credit', version='7')
    n = 0
    while True:
        n += 1
        recorder.log(f'r-{n}', features={'n': n}, prediction=n)
        print(n, flush=True)
        time.sleep(0.0005)
"""


def drain(kept: Kept, folder: Path) -> None:
    assert subprocess.run([sys.executable, "-m", "mltrail", "drain", folder, "--url", kept.url, "--token-file", kept.token_file],
                          env={**os.environ, "PYTHONPATH": str(SDK)}, timeout=60).returncode == 0


def killed_after(process: subprocess.Popen, seconds: float) -> int:
    """Kills it, and gives the last prediction that it said was logged."""
    last = 0
    until_ = time.monotonic() + seconds
    while time.monotonic() < until_:
        last = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = [line for line in process.stdout.read().split("\n")[:-1] if line]
    process.wait(START_S)
    return max([last, *map(int, rest)])


def test_server_away_then_kill_9_then_adoption(kept, tmp_path):
    """Each prediction that was logged is there once, in order, with the count that its writer could not give any more."""
    folder = tmp_path / "spool"
    process = run(SERVE, kept.url, kept.token_file, folder)
    assert process.stdout.readline()
    time.sleep(1.0)
    kept.stop(signal.SIGKILL)
    logged = killed_after(process, OUTAGE_S)
    kept.start()
    second = kept.client(spool_dir=folder, serving_node="node-2")
    second.predictions(model="credit", version="7").log("other", prediction=1)
    assert second.flush(60)
    until(lambda: len(spool.streams_in(folder)) == 1, missing="the dead stream was not adopted")
    second.close()
    assert list(folder.iterdir()) == []
    streams, tallies = kept.streams(), kept.tallies()
    assert len(streams) == 2
    dead = next(stream for stream, sequences in streams.items() if len(sequences) > 1)
    count = len(streams[dead])
    assert streams[dead] == list(range(1, count + 1)) and logged <= count <= logged + 1
    assert [(t["count"], t["final"], t["recovered"]) if "recovered" in t else (t["count"], t["final"]) for t in tallies[dead]] \
        in ([(count, True, True)], [(count, True)])
    assert all(t["final"] for ts in tallies.values() for t in ts)


def test_two_drains_and_a_process_at_once_send_everything_once(kept, tmp_path):
    folder = tmp_path / "spool"
    kept.stop()
    logged = [killed_after(run(SERVE, kept.url, kept.token_file, folder), 0.5) for _ in range(3)]
    kept.start()
    drains = [subprocess.Popen([sys.executable, "-m", "mltrail", "drain", str(folder), "--url", kept.url, "--token-file",
                                str(kept.token_file)], env={**os.environ, "PYTHONPATH": str(SDK)}) for _ in range(2)]
    assert all(drain.wait(60) in (0, 1) for drain in drains)  # 1: the other still had one in hand
    again = subprocess.run([sys.executable, "-m", "mltrail", "drain", str(folder), "--url", kept.url, "--json"], text=True,
                           env={**os.environ, "PYTHONPATH": str(SDK), "MLTRAIL_TOKEN_FILE": str(kept.token_file)},
                           capture_output=True, timeout=60)
    assert again.returncode == 0 and json.loads(again.stdout)["left"] == 0
    streams = kept.streams()
    assert sorted(len(s) for s in streams.values()) >= sorted(logged) and len(streams) == 3
    assert all(sequences == list(range(1, len(sequences) + 1)) for sequences in streams.values())
    assert {stream: ts[0]["count"] for stream, ts in kept.tallies().items()} == {s: len(n) for s, n in streams.items()}


def test_a_clean_end_leaves_an_empty_spool_and_a_final_count(kept, tmp_path):
    program = """
        import sys, mltrail
        trail = mltrail.Trail(sys.argv[1], token_file=sys.argv[2], spool_dir=sys.argv[3], serving_node='node-c')
        @trail.predictions(model='credit', version='7', artifact_hash='sha256:' + 'ab' * 32)
        def score(age, income, request_id=None):
            return {'risk': 0.25}
        for n in range(2500):
            assert score(n, 1000.5, request_id=f'c-{n}') == {'risk': 0.25}
    """
    process = run(program, kept.url, kept.token_file, tmp_path / "spool")
    assert process.wait(60) == 0
    assert list((tmp_path / "spool").iterdir()) == []
    (stream, sequences), = kept.streams().items()
    assert sequences == list(range(1, 2501))
    tally, = kept.tallies()[stream]
    assert (tally["count"], tally["final"]) == (2500, True) and "recovered" not in tally
    with kept.client() as trail:
        item = trail.predictions("c-7")["items"][0]
    assert item["payload"] == {"feature_values": {"age": 7, "income": 1000.5}, "prediction": {"risk": 0.25}}
    assert item["entry"]["facts"]["status"] == "ok" and item["entry"]["facts"]["latency_ms"] >= 0


FORKS = """
    import os, sys, threading, time, mltrail
    trail = mltrail.Trail(sys.argv[1], token_file=sys.argv[2], spool_dir=sys.argv[3], serving_node='node-f')
    recorder = trail.predictions(model='credit', version='7')
    busy = True
    def work():
        while busy:
            recorder.log(prediction=1)
            time.sleep(0.0005)
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads: thread.start()
    children = []
    for child in range(4):
        time.sleep(0.05)
        pid = os.fork()
        if pid == 0:
            for n in range(50):
                recorder.log(prediction=n)
            trail.close()
            os._exit(0)
        children.append(pid)
    status = [os.waitpid(pid, 0)[1] for pid in children]
    busy = False
    for thread in threads: thread.join()
    assert status == [0] * 4, status
"""


def test_forks_in_the_middle_begin_streams_of_their_own(kept, tmp_path):
    process = run(FORKS, kept.url, kept.token_file, tmp_path / "spool")
    assert process.wait(90) == 0
    drain(kept, tmp_path / "spool")  # what a child could not send in the time that it had
    streams, tallies = kept.streams(), kept.tallies()
    assert len(streams) == 5 and sorted(map(len, streams.values()))[:4] == [50] * 4
    assert all(sequences == list(range(1, len(sequences) + 1)) for sequences in streams.values())
    assert {s: [t["count"] for t in ts] for s, ts in tallies.items()} == {s: [len(n)] for s, n in streams.items()}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_end_with_a_count(kept, tmp_path, method):
    module = tmp_path / "app.py"
    module.write_text(textwrap.dedent("""
        import multiprocessing, sys, mltrail
        trail = mltrail.Trail(spool_dir=sys.argv[1] if __name__ == '__main__' else None, serving_node='node-m')
        @trail.predictions(model='credit', version='7')
        def score(n):
            return n * 2
        if __name__ == '__main__':
            context = multiprocessing.get_context(sys.argv[2])
            score(0)
            workers = [context.Process(target=score, args=(n,)) for n in range(3)]
            for worker in workers: worker.start()
            for worker in workers: worker.join()
            assert [worker.exitcode for worker in workers] == [0, 0, 0]
    """))
    done = subprocess.run([sys.executable, module, tmp_path / "spool", method], timeout=90, cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": str(SDK), "MLTRAIL_URL": kept.url,
                               "MLTRAIL_TOKEN_FILE": str(kept.token_file), "MLTRAIL_SPOOL_DIR": str(tmp_path / "spool")})
    assert done.returncode == 0 and list((tmp_path / "spool").iterdir()) == []
    streams, tallies = kept.streams(), kept.tallies()
    assert list(streams.values()) == [[1]] * 4
    assert {s: (ts[0]["count"], ts[0]["final"], "recovered" in ts[0]) for s, ts in tallies.items()} == \
        {s: (1, True, False) for s in streams}


def test_fire_mode_counts_what_it_drops_and_the_gap_shows(kept):
    kept.stop()
    trail = kept.client(mode="fire", fire_max=100, serving_node="node-l")
    recorder = trail.predictions(model="credit", version="7")
    pending = [recorder.log(f"l-{n}", prediction=n) for n in range(500)]
    dropped = sum(p.sequence == 0 for p in pending)
    assert dropped >= 400 - 1
    kept.start()
    assert trail.flush(60)
    more = recorder.log("l-after", prediction=1)
    assert more.sequence == 501 and trail.flush(60)
    until(lambda: kept.tallies(), missing="no tally tells the loss")
    trail.close()
    (stream, sequences), = kept.streams().items()
    assert len(sequences) == 501 - dropped and sequences == sorted(set(sequences)) and sequences[-1] == 501
    tallies = kept.tallies()[stream]
    assert all(t["lost"] == dropped for t in tallies) and (tallies[-1]["count"], tallies[-1]["final"]) == (501, True)


def test_sync_gives_the_receipt_and_fails_closed(kept):
    trail = kept.client(mode="sync", serving_node="node-s", timeout=2, attempts=1)
    called = []

    @trail.predictions(model="credit", version="7")
    def score(age):
        called.append(age)
        return age / 100

    receipt = trail.predictions(model="credit", version="7").log("s-1", features={"age": 61}, prediction=0.61)
    assert isinstance(receipt, mltrail.Receipt) and receipt.head.origin == "example.com/sdk"
    assert score(50) == 0.5
    kept.stop()
    with pytest.raises(mltrail.TransportError):
        score(51)
    with pytest.raises(mltrail.TransportError):
        with trail.prediction("s-2", model="credit", version="7") as p:
            p.output(1)
    assert called == [50, 51]
    kept.start()
    assert score(52) == 0.52
    trail.close()
    (stream, sequences), = kept.streams().items()
    assert sequences == [1, 2, 5]
    assert [(t["count"], t["lost"]) for t in kept.tallies()[stream]] == [(5, 2)]


def test_a_wrong_token_keeps_everything_until_there_is_a_right_one(kept, tmp_path, caplog):
    token = tmp_path / "token"
    token.write_text("mlt_" + "A" * 43)
    trail = mltrail.Trail(kept.url, token_file=token, spool_dir=tmp_path / "spool", serving_node="node-t")
    recorder = trail.predictions(model="credit", version="7")
    for n in range(10):
        recorder.log(f"t-{n}", prediction=n)
    assert not trail.flush(2)
    assert not trail.flush(1)
    assert sum("401" in record.getMessage() for record in caplog.records) == 1
    token.write_text(kept.token_file.read_text())
    assert trail.flush(20)
    trail.close()
    assert [len(s) for s in kept.streams().values()] == [10]
    assert not (tmp_path / "spool" / spool.REJECTED_NAME).exists()


def test_a_record_that_is_refused_is_kept_and_holds_nobody_up(kept, tmp_path):
    trail = kept.client(spool_dir=tmp_path / "spool", serving_node="node-r")
    recorder = trail.predictions(model="credit", version="7")
    recorder.log("good-1", prediction=1)
    recorder.log("bad", prediction=1, confidence="very")
    recorder.log("good-2", prediction=1)
    trail.close()
    line, = (tmp_path / "spool" / spool.REJECTED_NAME).read_text().splitlines()
    kept_line = json.loads(line)
    assert kept_line["record"]["request_id"] == "bad" and kept_line["problem"]["pointer"] == "/confidence"
    assert kept_line["frame"] == 2 and kept_line["status"] == 200 and kept_line["stream"]
    assert list(kept.streams().values()) == [[1, 3]]
    assert os.listdir(tmp_path / "spool") == [spool.REJECTED_NAME]


def test_damage_is_reported_and_the_count_shows_what_is_missing(kept, tmp_path):
    folder = tmp_path / "spool"
    kept.stop()
    logged = killed_after(run(SERVE, kept.url, kept.token_file, folder), 1.0)
    segment = next(folder.glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    kept.start()
    drained = subprocess.run([sys.executable, "-m", "mltrail", "drain", str(folder), "--url", kept.url, "--token-file",
                              str(kept.token_file)], env={**os.environ, "PYTHONPATH": str(SDK)}, text=True,
                             capture_output=True, timeout=60)
    assert drained.returncode == 1 and "damaged at byte" in drained.stdout
    (stream, sequences), = kept.streams().items()
    assert sequences == list(range(1, len(sequences) + 1)) and 0 < len(sequences) < logged
    tally, = kept.tallies()[stream]
    assert tally["count"] >= logged and tally["lost"] == tally["count"] - len(sequences)
    assert [path.suffix for path in folder.iterdir()] == [".damaged"]


def test_what_a_node_signed_is_found_good(kept, tmp_path):
    """By the dossier, with the key that the trail was told; and by ssh-keygen."""
    key = tmp_path / "node"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    trail = kept.client(spool_dir=tmp_path / "spool", serving_node="node-b", signing_key=key)
    with kept.client() as admin:
        public = " ".join((tmp_path / "node.pub").read_text().split()[:2])
        admin._transport.request("POST", "/v1/settings", body=json.dumps(
            {"name": "allowed_signers", "value": f'node-b namespaces="batch@mltrail" {public}\n', "reason": "test"}).encode())
    recorder = trail.predictions(model="credit", version="7")
    for n in range(1500):
        recorder.log(f"b-{n}", features={"n": n, "é": "ü"}, prediction=n)
    trail.close()
    batches = kept.facts("batch")
    assert sum(b["count"] for b in batches) == 1500 and [b["first"] for b in batches][0] == 1
    assert all(b["first"] == a["last"] + 1 for a, b in zip(batches, batches[1:]))
    with kept.client() as admin:
        dossier = admin.report("b-1234")
    signed = dossier["completeness"]["stream"]["batch"]
    covering, = [b for b in batches if b["first"] <= 1235 <= b["last"]]
    assert signed["verdict"] == "good" and signed["key"].startswith("SHA256:")
    assert dossier["predictions"][0]["sequence"] == 1235 and covering["signature"].startswith("-----BEGIN SSH SIGNATURE")
    assert not [finding for finding in dossier["findings"] if finding["code"].startswith("batch-")]
    for facts in batches:
        (tmp_path / "sig").write_text(facts["signature"])
        done = subprocess.run(["ssh-keygen", "-Y", "check-novalidate", "-n", "batch@mltrail", "-s", tmp_path / "sig"],
                              input=facts["statement"], text=True, capture_output=True)
        assert done.returncode == 0, done.stderr


def test_what_a_node_did_not_sign_is_found(kept, tmp_path):
    """One prediction that was changed on its way, and one that was left out of every batch."""
    key = tmp_path / "node"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = " ".join((tmp_path / "node.pub").read_text().split()[:2])
    signer = batch.load_key(key)
    given = dict(kind="prediction", timestamp=mltrail.now(), serving_node="node-b", stream="s-1")
    records = [mltrail.encode_json({**given, "request_id": f"c-{n}", "sequence": n, "feature_values": {"n": n}})
               for n in (1, 2, 3)]
    made, _ = batch.make_batch(signer, "node-b", "s-1", [(1, records[0]), (2, records[1])], None, bytes(32), mltrail.now())
    changed = json.loads(records[1])
    changed["feature_values"] = {"n": 7}
    with kept.client(mode="sync") as admin:
        admin._transport.request("POST", "/v1/settings", body=json.dumps(
            {"name": "allowed_signers", "value": f"node-b {public}\n", "reason": "test"}).encode())
        assert not admin.log_batch([json.loads(records[0]), changed, json.loads(records[2]), made]).rejected
        verdicts = [admin.report(f"c-{n}") for n in (1, 2, 3)]
    assert [d["completeness"]["stream"]["batch"]["verdict"] for d in verdicts] == ["good", "record-differs", "missing"]
    codes = [[f["code"] for f in d["findings"] if f["code"].startswith("batch-")] for d in verdicts]
    assert codes == [[], ["batch-record-differs"], ["batch-missing"]]


def test_a_wheel_is_built_and_installs_alone(tmp_path):
    # Of a copy: setuptools builds beside the sources, and packs what an earlier build left there.
    copy = shutil.copytree(SDK, tmp_path / "sdk", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__", "tests"))
    built = subprocess.run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w",
                            tmp_path, copy], capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    wheel, = tmp_path.glob("mltrail-*.whl")
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target",
                    next((tmp_path / "venv" / "lib").glob("python*/site-packages")), wheel], check=True)
    done = subprocess.run([tmp_path / "venv" / "bin" / "python", "-I", "-c",
                           "import mltrail, mltrail.__main__, mltrail.mlflow.delivery; print(mltrail.__file__)"], capture_output=True, text=True, check=True)
    assert str(tmp_path) in done.stdout


def test_many_threads_and_a_server_that_comes_and_goes(kept, tmp_path):
    trail = kept.client(spool_dir=tmp_path / "spool", serving_node="node-x")
    recorder = trail.predictions(model="credit", version="7")
    threads = [threading.Thread(target=lambda: [recorder.log(prediction=n) or time.sleep(0.001) for n in range(300)])
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.2)
        kept.stop(signal.SIGKILL)
        time.sleep(0.1)
        kept.start()
    for thread in threads:
        thread.join()
    assert trail.flush(60)
    trail.close()
    (stream, sequences), = kept.streams().items()
    assert sequences == list(range(1, 1201)) and kept.tallies()[stream][0]["count"] == 1200
    assert end(None) == 0
