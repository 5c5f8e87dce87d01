"""A monitor follows real servers over loopback. Logs that change their story raise alarms that carry their evidence."""
from __future__ import annotations

import http.server
import json
import shutil
import signal
import subprocess
import threading
import time
import urllib.request

import pytest

from served import listen, until

WAIT = 20  # seconds at most for anything that should happen at once


def record(n, **members):
    return {"kind": "prediction", "request_id": f"r{n}", "timestamp": "2026-11-01T10:00:00Z", "model": "credit",
            "model_version": "1", "serving_node": "node", "stream": "s", "feature_values": {"x": n}, "prediction": 1,
            **members}


class Log:
    """A trail that is served, stopped, copied and damaged."""

    def __init__(self, binary, directory):
        self.binary, self.dir = str(binary), directory
        self.process = None
        self.url = None

    def run(self, *args, **kwargs):
        return subprocess.run([self.binary, *map(str, args)], capture_output=True, text=True, timeout=60, **kwargs)

    def init(self):
        done = self.run("init", self.dir, "--origin", "monitored.example/log", "--public")
        assert done.returncode == 0, done.stderr
        return next(line.strip() for line in done.stdout.splitlines() if line.startswith("  monitored.example/log+"))

    def copy(self, to):
        shutil.copytree(self.dir, to)
        shutil.copytree(f"{self.dir}.state", f"{to}.state")
        return Log(self.binary, to)

    def append(self, records):
        lines = "".join(json.dumps(r) + "\n" for r in records)
        done = self.run("append", "--trail", self.dir, "--quiet", input=lines)
        assert done.returncode == 0, done.stderr

    def serve(self, *options):
        self.process, port = listen([self.binary, "serve", self.dir, "--listen", "127.0.0.1:0", "--publish-interval", "100ms", *options],
                                    self.dir.parent / f"{self.dir.name}.port", stderr=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{port}"

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            _, errors = self.process.communicate(timeout=WAIT)
            self.process = None
            return errors
        return ""


class Monitor:
    def __init__(self, binary, vkey, state):
        self.binary, self.vkey, self.state = str(binary), vkey, state

    def command(self, where, *options):
        return [self.binary, "monitor", str(where), "--key", self.vkey, "--state", str(self.state), *map(str, options)]

    def once(self, where, *options):
        done = subprocess.run(self.command(where, "--once", "--json", *options), capture_output=True, text=True,
                              timeout=60)
        return done

    def good(self, where, *options):
        done = self.once(where, *options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def alarm(self, where, kind, *options):
        """One round that must raise `kind`; its evidence."""
        remembered = (self.state / "state.json").read_text() if (self.state / "state.json").exists() else None
        done = self.once(where, *options)
        assert done.returncode == 1, done.stdout + done.stderr
        assert f"ALARM {kind}: " in done.stderr, done.stderr
        directory = next(d for d in sorted((self.state / "alarms").iterdir()) if f"-{kind}-" in d.name)
        report = json.loads((directory / "alarm.json").read_text())
        assert report["alarm"] == kind
        if remembered:  # the checkpoint that contradicts is not taken for the next state
            now = json.loads((self.state / "state.json").read_text())
            assert now["checkpoint"] == json.loads(remembered)["checkpoint"]
        return directory, report


@pytest.fixture
def log(binary, tmp_path):
    log = Log(binary, tmp_path / "trail")
    log.vkey = log.init()
    log.append([record(n, sequence=n) for n in range(300)])
    yield log
    log.stop()


@pytest.fixture
def monitor(binary, log, tmp_path):
    return Monitor(binary, log.vkey, tmp_path / "monitor")


def test_an_honest_log_raises_no_alarm_and_the_mirror_stands_on_its_own(log, monitor, binary, tmp_path):
    mirror = tmp_path / "mirror"
    log.serve()
    first = monitor.good(log.url, "--mirror", mirror)
    assert first["size_before"] == 0 and first["new_entries"] == first["size"] >= 300
    log.append([record(n, sequence=n) for n in range(300, 1000)])
    time.sleep(0.5)
    second = monitor.good(log.url, "--mirror", mirror)
    assert second["size"] >= 1000 and second["size_before"] == first["size"]
    assert monitor.good(log.url, "--mirror", mirror)["new_entries"] == 0
    other = Monitor(binary, log.vkey, tmp_path / "other")
    assert other.good(mirror)["root"] == second["root"]
    # The mirror is the log: a byte of it changed is an alarm.
    bundle = mirror / "tile" / "entries" / "001"
    damaged = bytearray(bundle.read_bytes())
    damaged[100] ^= 1
    bundle.write_bytes(damaged)
    Monitor(binary, log.vkey, tmp_path / "third").alarm(mirror, "changed-entry")


def test_over_tls_the_certificate_counts(log, monitor, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("the openssl program is not installed")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    log.serve("--tls-cert", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key"))
    url = log.url.replace("http://", "https://")
    assert monitor.good(url, "--cacert", tmp_path / "server.pem")["size"] >= 300
    assert monitor.once(url).returncode == 3


def test_two_histories_under_one_key_are_a_fork(log, monitor, tmp_path):
    twin = log.copy(tmp_path / "twin")
    log.append([record(1000 + n) for n in range(50)])
    twin.append([record(2000 + n) for n in range(80)])
    log.serve()
    monitor.good(log.url)
    twin.serve()
    try:
        directory, report = monitor.alarm(twin.url, "fork")
        remembered = (directory / "checkpoint.remembered").read_text()
        served = (directory / "checkpoint.served").read_text()
        assert remembered != served
        assert remembered.startswith("monitored.example/log\n") and served.startswith("monitored.example/log\n")
        assert (directory / "consistency.proof").exists()
        # Told once, and false each time.
        again = monitor.once(twin.url)
        assert again.returncode == 1 and "ALARM" not in again.stderr
    finally:
        twin.stop()
    monitor.good(log.url)


def test_an_older_copy_is_a_rollback(log, monitor, tmp_path):
    older = log.copy(tmp_path / "older")
    log.append([record(1000 + n) for n in range(500)])
    log.serve()
    monitor.good(log.url)
    older.serve()
    try:
        directory, _ = monitor.alarm(older.url, "rollback")
        assert (directory / "checkpoint.remembered").read_text() != (directory / "checkpoint.served").read_text()
    finally:
        older.stop()


def flip(path, needle):
    content = bytearray(path.read_bytes())
    at = content.index(needle)
    content[at] ^= 1
    path.write_bytes(content)


def test_an_entry_changed_before_it_is_seen_is_found(log, monitor):
    log.serve()
    monitor.good(log.url)
    log.append([record(5000 + n) for n in range(300)])
    time.sleep(0.5)
    flip(log.dir / "entries.dat", b"r5100")
    directory, report = monitor.alarm(log.url, "bad-tile")  # the tile has the hash of what was signed
    assert "changed-entry" in {json.loads((d / "alarm.json").read_text())["alarm"]
                               for d in (monitor.state / "alarms").iterdir()}


def test_an_entry_changed_after_it_was_seen_is_found_while_its_bundle_grows(log, monitor):
    log.serve()
    monitor.good(log.url)
    log.append([record(5000)])
    time.sleep(0.5)
    flip(log.dir / "entries.dat", b"\"r290\"")
    _, report = monitor.alarm(log.url, "changed-entry")
    assert report["entry"] is not None and "served before" in report["text"]


def test_a_wrong_tile_is_found(log, monitor):
    log.serve()
    content = bytearray((log.dir / "hash" / "0").read_bytes())
    content[32 * 17] ^= 1
    (log.dir / "hash" / "0").write_bytes(content)
    _, report = monitor.alarm(log.url, "bad-tile")
    assert report["path"] == "tile/0/000" and report["entry"] == 17


def test_another_key_is_a_bad_signature(log, monitor, binary, tmp_path):
    stranger = Log(binary, tmp_path / "stranger")
    stranger.init()
    stranger.serve()
    try:
        log.serve()
        monitor.good(log.url)
        monitor.alarm(stranger.url, "bad-signature")
    finally:
        stranger.stop()


def test_commitments_to_segments_are_recomputed(log, monitor):
    log.serve("--segment-entries", "16")
    found = 0
    end = time.monotonic() + WAIT
    while found < 18 and time.monotonic() < end:  # 300 entries: eighteen segments, and one over sixteen of them
        log.append([record(9000 + time.monotonic_ns())])
        time.sleep(0.3)
        seen = monitor.good(log.url)
        assert seen["segments_unchecked"] == 0
        found += seen["segments"]
    assert found >= 18


def test_a_log_that_stands_still_is_stale(log, monitor):
    log.serve()
    monitor.good(log.url, "--max-age", "1h")
    # Its own start may be published meanwhile.
    done = until(lambda: (now := monitor.once(log.url, "--max-age", "1s")).returncode != 0 and now)
    assert done.returncode == 1 and "ALARM stale: " in done.stderr


def test_a_gap_that_stays_is_told_and_one_that_closes_is_not(log, monitor):
    log.append([record(5000, sequence=302), record(5001, sequence=301)])
    log.serve()
    monitor.good(log.url)
    log.append([record(5002, sequence=300)])
    time.sleep(0.5)
    monitor.good(log.url)
    log.append([record(5003, sequence=310)])
    time.sleep(0.5)
    monitor.good(log.url)
    done = monitor.once(log.url)
    assert done.returncode == 1 and "stream-gap: sequence numbers 303 to 309 are missing" in done.stderr
    assert monitor.good(log.url)["alarms"] == 0


def test_a_version_in_production_without_approval_is_told_once(log, monitor):
    log.append([{"kind": "model.version", "model": "credit", "model_version": "1", "registered_by": "a"},
                {"kind": "transition", "model": "credit", "model_version": "1", "to_stage": "production",
                 "from_stage": "none", "timestamp": "2026-11-01T09:00:00Z", "performed_by": "a", "reason": "r"}])
    log.serve()
    done = monitor.once(log.url)
    assert done.returncode == 1 and "ALARM finding: approval-missing (" in done.stderr, done.stderr
    assert monitor.good(log.url)["alarms"] == 0
    assert monitor.once(log.url, "--alarm-findings", "none").returncode == 0


def test_a_server_that_is_away_is_no_evidence(log, monitor):
    log.serve()
    monitor.good(log.url)
    log.stop()
    assert monitor.once(log.url).returncode == 3


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


def test_a_running_monitor_tells_webhook_and_command_and_ends_by_signal(log, monitor, tmp_path):
    older = log.copy(tmp_path / "older")
    log.append([record(1000 + n) for n in range(10)])
    log.serve()
    monitor.good(log.url)
    log.stop()
    hook = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    hook.told = []
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    older.serve()
    said = tmp_path / "said"
    process = subprocess.Popen(
        monitor.command(older.url, "--interval", "1s", "--webhook", f"http://127.0.0.1:{hook.server_port}/alarm",
                        "--exec", f"cat > {said}"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: hook.told and said.exists() and said.read_text().endswith("\n"))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=WAIT)
    finally:
        if process.poll() is None:
            process.kill()
        hook.shutdown()
        older.stop()
    assert process.returncode == 1 and errors.count("ALARM rollback") == 1
    assert len(hook.told) == 1 and hook.told[0]["alarm"] == "rollback"
    assert hook.told[0]["checkpoint_remembered"] != hook.told[0]["checkpoint_served"]
    assert json.loads(said.read_text())["alarm"] == "rollback"


def test_a_damaged_state_is_refused_and_not_begun_anew(log, monitor):
    log.serve()
    monitor.good(log.url)
    state = monitor.state / "state.json"
    state.write_text(state.read_text().replace('"round":1', '"round":2'))
    done = monitor.once(log.url)
    assert done.returncode == 3 and "damaged" in done.stderr


def test_two_monitors_do_not_share_a_state(log, monitor):
    log.serve()
    running = subprocess.Popen(monitor.command(log.url, "--interval", "60s"), stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        assert running.stdout.readline().startswith("good: ")  # it has the state now
        done = monitor.once(log.url)
        assert done.returncode == 3 and "another monitor" in done.stderr
    finally:
        running.terminate()
        running.communicate(timeout=WAIT)


def test_scrubbing_finds_damage_and_records_it(log):
    log.serve("--scrub-interval", "1s")
    flip(log.dir / "entries.dat", b"r150")

    def faulty():
        with urllib.request.urlopen(f"{log.url}/readyz", timeout=WAIT) as answer:
            ready = json.load(answer)
        return ready if ready.get("scrub_faults") else None

    assert until(faulty)["ready"] is True
    found = log.run("search", "--trail", log.dir, "--kind", "control", "--json", "--limit", "50")
    assert '"control":"scrub"' in found.stdout and '"what":"entry"' in found.stdout, found.stdout[:2000] + found.stderr
    errors = log.stop()
    assert "scrub found damage: what=entry" in errors
