"""The way from the spool to a server that misbehaves on purpose."""
from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

import mltrail
from mltrail import sender, spool
from mltrail.__main__ import main
from mltrail.transport import Transport

RECEIPT = {"accepted": 0, "duplicates": 0, "rejected": 0, "problems": []}


class Stub(BaseHTTPRequestHandler):
    """Answers by `answer(path, headers, body)`: a status and a document, or None to hang up."""

    protocol_version = "HTTP/1.1"
    seen: list = []
    answer = staticmethod(lambda path, headers, body: (200, RECEIPT))
    headers_out: dict = {}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        Stub.seen.append((self.path, dict(self.headers), body))
        answer = Stub.answer(self.path, self.headers, body)
        if answer is None:
            self.close_connection = True
            return
        status, document = answer
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in Stub.headers_out.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture()
def stub(serving):
    Stub.seen, Stub.headers_out = [], {}
    Stub.answer = staticmethod(lambda path, headers, body: (200, RECEIPT))
    return serving(Stub)


def uplink(url):
    return sender.Uplink(Transport(url, "t", 5, 1, None))


def records_seen():
    return [json.loads(line) for path, _, body in Stub.seen for line in body.splitlines() if path == "/v1/records"]


def record(n, **more):
    return json.dumps({"kind": "x-note", "n": n, **more}).encode()


def test_large_bodies_are_compressed_but_for_a_server_on_this_machine(stub):
    up = uplink(stub)
    up.records([record(n) for n in range(200)])
    assert "Content-Encoding" not in Stub.seen[0][1]
    up._gzip = True
    up.records([record(n) for n in range(200)])
    up.records([record(1)])
    assert Stub.seen[1][1]["Content-Encoding"] == "gzip" and Stub.seen[1][2] == Stub.seen[0][2]
    assert "Content-Encoding" not in Stub.seen[2][1]
    assert Transport("http://[::1]:1", None, 1, 1, None).is_local
    assert not Transport("https://trail.example.com", None, 1, 1, None).is_local


def test_a_server_that_cannot_decompress_gets_it_plain(stub):
    Stub.answer = staticmethod(lambda path, headers, body: (415, {"code": "encoding"}) if headers.get("Content-Encoding")
                               else (200, RECEIPT))
    up = uplink(stub)
    up._gzip = True
    for _ in range(2):
        assert up.records([record(n) for n in range(200)]) == []
    assert ["gzip" == headers.get("Content-Encoding") for _, headers, _ in Stub.seen] == [True, False, False]


def test_a_record_that_spoils_the_whole_request_is_found_and_the_others_sent(stub):
    def answer(path, headers, body):
        return (413, {"code": "too-large", "detail": "too large"}) if b'"n": 5' in body else (200, RECEIPT)
    Stub.answer = staticmethod(answer)
    rejected = uplink(stub).records([record(n) for n in range(9)])
    assert [(item.index, item.status, item.problem["code"]) for item in rejected] == [(5, 413, "too-large")]
    good = [r["n"] for path, _, body in Stub.seen if b'"n": 5' not in body for r in map(json.loads, body.splitlines())]
    assert sorted(good) == [0, 1, 2, 3, 4, 6, 7, 8]


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 407, 408, 409, 425, 429, 500, 502, 503, 504, 507])
def test_what_says_nothing_about_the_records_loses_none(stub, status):
    Stub.answer = staticmethod(lambda path, headers, body: (status, {"detail": "later"}))
    with pytest.raises(sender.NotDelivered, match=f"{status}: later"):
        uplink(stub).records([record(1)])


def test_a_page_that_is_no_trail_takes_nothing(stub):
    Stub.answer = staticmethod(lambda path, headers, body: (200, {"welcome": "to the hotel"}))
    with pytest.raises(sender.NotDelivered, match="is this a trail") as caught:
        uplink(stub).records([record(1)])
    assert caught.value.refused


def test_a_connection_that_breaks_is_not_an_answer(stub):
    Stub.answer = staticmethod(lambda path, headers, body: None)
    with pytest.raises(sender.NotDelivered, match="no answer"):
        uplink(stub).records([record(1)])


def test_waits_double_up_to_a_limit_and_begin_anew_after_a_success():
    backoff = sender.Backoff()
    waits = [backoff.failed(sender.NotDelivered("x")) for _ in range(12)]
    assert 0.05 <= waits[0] <= 0.1 and all(sender.BACKOFF_MOST_S / 2 <= w <= sender.BACKOFF_MOST_S for w in waits[-3:])
    backoff.succeeded()
    assert backoff.failed(sender.NotDelivered("x")) <= 0.1
    assert backoff.failed(sender.NotDelivered("x", wait_s=2.0)) >= 2.0
    assert backoff.failed(sender.NotDelivered("x", wait_s=9999.0)) <= sender.BACKOFF_MOST_S * 1.25
    assert backoff.failed(sender.NotDelivered("x", refused=True)) >= sender.REFUSED_S * 0.75


def writer_with(folder, bodies):
    writer = spool.SpoolWriter(folder, "n")
    for body in bodies:
        writer.append(body)
    return writer


def test_requests_go_out_as_they_came_and_in_their_place(stub, tmp_path):
    writer = writer_with(tmp_path, [record(1)])
    writer.append(spool.encode_request("POST", "/v1/traces?a=b", "application/x-protobuf", {"X-A": "1"}, b"\x00\xff"),
                  spool.REQUEST)
    writer.append(spool.encode_request("POST", "/v1/unknown", "text/plain", {}, b"?"), spool.REQUEST)
    writer.append(record(2))
    Stub.answer = staticmethod(lambda path, headers, body: (404, {"code": "no-route"}) if "unknown" in path else (200, RECEIPT))
    courier = sender.Courier(uplink(stub), tmp_path)
    while courier.step(writer) is not None:
        pass
    assert [path for path, _, _ in Stub.seen] == ["/v1/records", "/v1/traces?a=b", "/v1/unknown", "/v1/records"]
    _, headers, body = Stub.seen[1]
    assert (headers["Content-Type"], headers["X-A"], headers["Authorization"], body) == \
        ("application/x-protobuf", "1", "Bearer t", b"\x00\xff")
    line = json.loads((tmp_path / spool.REJECTED_NAME).read_text())
    assert (line["status"], line["frame"], line["problem"]) == (404, 3, {"code": "no-route"})
    assert (courier.sent, courier.rejected) == (3, 1)


def test_batches_are_bounded_by_number_and_by_size(stub, tmp_path):
    writer = writer_with(tmp_path, [record(n) for n in range(2500)] + [record(n, x="y" * 1_500_000) for n in range(4)])
    courier = sender.Courier(uplink(stub), tmp_path)
    while courier.step(writer) is not None:
        pass
    assert [body.count(b"\n") for _, _, body in Stub.seen] == [1000, 1000, 502, 2]
    assert all(len(body) <= sender.BATCH_BYTES_MAX + 1000 for _, _, body in Stub.seen)


def test_what_was_sent_before_a_crash_is_sent_again_with_the_same_bytes(stub, tmp_path):
    writer = writer_with(tmp_path, [record(1)])
    Stub.answer = staticmethod(lambda path, headers, body: None)
    courier = sender.Courier(uplink(stub), tmp_path)
    assert courier.step(writer) > 0
    Stub.answer = staticmethod(lambda path, headers, body: (200, RECEIPT))
    assert courier.step(writer) == 0.0 and courier.step(writer) is None
    assert len({body for _, _, body in Stub.seen}) == 1


def test_a_flush_tries_at_once_and_says_whether_all_is_there(stub, tmp_path, caplog):
    Stub.answer = staticmethod(lambda path, headers, body: (503, {"detail": "busy"}))
    trail = mltrail.Trail(stub, spool_dir=tmp_path, exit_timeout=1)
    pending = trail.enqueue("x-note", text="a")
    assert not pending.wait(0.5)
    time.sleep(1.0)  # the waits grow
    Stub.answer = staticmethod(lambda path, headers, body: (200, RECEIPT))
    begin = time.monotonic()
    assert pending.wait(10) and time.monotonic() - begin < 1.0
    assert [m for m in caplog.messages if "503" in m] and caplog.messages.count("the server takes records again") == 1
    trail.close()
    assert os.listdir(tmp_path) == []


def test_a_trail_that_is_dropped_ends_its_stream(stub, tmp_path):
    trail = mltrail.Trail(stub, spool_dir=tmp_path)
    trail.predictions(model="m").log("r", prediction=1)
    del trail
    import gc
    gc.collect()
    assert [r["kind"] for r in records_seen()] == ["prediction", "tally"] and os.listdir(tmp_path) == []


def test_after_close_a_new_stream_begins(stub, tmp_path):
    trail = mltrail.Trail(stub, spool_dir=tmp_path)
    recorder = trail.predictions(model="m")
    recorder.log("r", prediction=1)
    trail.close()
    recorder.log("r", prediction=1)
    trail.close()
    streams = [r["stream"] for r in records_seen() if r["kind"] == "prediction"]
    assert len(set(streams)) == len(streams) == 2 and os.listdir(tmp_path) == []


def test_a_background_thread_that_meets_a_surprise_goes_on(stub, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(sender, "BACKOFF_MOST_S", 0.1)
    trail = mltrail.Trail(stub, spool_dir=tmp_path)
    real, calls = sender.Courier._send, []

    def send(self, frames):
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("surprise")
        return real(self, frames)

    monkeypatch.setattr(sender.Courier, "_send", send)
    trail.predictions(model="m").log("r", prediction=1)
    assert trail.flush(10) and any("surprise" in m for m in caplog.messages)
    trail.close()


def test_a_drop_is_told_before_the_stream_ends(stub, tmp_path):
    release = threading.Event()

    def answer(path, headers, body):
        release.wait(10)
        return 200, RECEIPT
    Stub.answer = staticmethod(answer)
    trail = mltrail.Trail(stub, spool_dir=tmp_path, spool_max=spool.SEGMENT_LEAST, on_full="drop")
    recorder = trail.predictions(model="m")
    dropped = sum(recorder.log(f"r-{n}", features="x" * 5000).sequence == 0 for n in range(30))
    assert dropped > 10
    release.set()
    assert trail.flush(10)
    until = time.monotonic() + 10
    while not [r for r in records_seen() if r["kind"] == "tally"]:
        assert time.monotonic() < until
        time.sleep(0.02)
    tally = [r for r in records_seen() if r["kind"] == "tally"][0]
    assert (tally["lost"], tally["count"]) == (dropped, 30) and "final" not in tally
    trail.close()


def test_a_fork_leaves_the_lock_with_the_parent_alone(stub, tmp_path):
    """A child that lives longer does not keep the parent's stream from being adopted."""
    program = ("import os, sys, time, mltrail\n"
               "trail = mltrail.Trail('http://127.0.0.1:1', spool_dir=sys.argv[1], exit_timeout=0)\n"
               "trail.predictions(model='m').log('r', prediction=1)\n"
               "if os.fork() == 0:\n    os.close(1); time.sleep(20); os._exit(0)\n"
               "os.kill(os.getpid(), 9)\n")
    subprocess.run([sys.executable, "-c", program, tmp_path], cwd=Path(__file__).resolve().parents[1], timeout=10)
    dead = next(spool.dead_streams(tmp_path))
    assert dead.survey.count == 1
    dead.give_back()


def test_drain_and_status_say_what_is_there(stub, tmp_path, capsys):
    writer = spool.SpoolWriter(tmp_path / "s", "n")
    writer.predict(b'{"kind":"prediction","sequence":', b"}")
    assert main(["status", str(tmp_path / "s"), "--json"]) == 1
    state = json.loads(capsys.readouterr().out)
    assert [(s["alive"], s["frames"]) for s in state["streams"]] == [(True, 1)]
    assert main(["drain", str(tmp_path / "s"), "--url", stub]) == 1  # its writer lives
    writer.close()
    writer.release()
    assert main(["status", str(tmp_path / "s")]) == 1
    assert "its writer is gone, 2 records" in capsys.readouterr().out
    assert main(["drain", str(tmp_path / "s"), "--url", stub]) == 0
    assert "2 records sent, 1 streams done, 0 left" in capsys.readouterr().out
    assert main(["status", str(tmp_path / "s")]) == 0
    assert main(["drain", str(tmp_path / "nowhere"), "--url", stub]) == 3
    with pytest.raises(SystemExit) as usage:
        main(["empty"])
    assert usage.value.code == 2


def test_drain_gives_up_on_a_server_that_is_away_and_leaves_everything(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MLTRAIL_URL", raising=False)
    writer = spool.SpoolWriter(tmp_path, "n")
    writer.predict(b'{"kind":"prediction","sequence":', b"}")
    writer.release()
    assert main(["drain", str(tmp_path), "--url", "http://127.0.0.1:1", "--timeout", "0.3"]) == 3
    assert "no answer" in capsys.readouterr().err
    assert main(["drain", str(tmp_path)]) == 2
    dead = next(spool.dead_streams(tmp_path))
    assert dead.survey.count == 1 and dead.survey.finished  # the tally is there, and not made again
    dead.give_back()


def leave_behind(folder, count):
    """Streams of writers that died, each with one prediction."""
    for _ in range(count):
        writer = spool.SpoolWriter(folder, "dead")
        writer.predict(b'{"kind":"prediction","stream":"%b","sequence":' % writer.stream.encode(), b"}")
        spool.release_lock(writer._lock_fd)  # and no close: no final count
        writer._lock_fd = -1


def test_streams_of_dead_writers_are_sent_while_ours_never_rests(stub, tmp_path, monkeypatch):
    monkeypatch.setattr(sender, "BATCH_RECORDS_MAX", 1)
    leave_behind(tmp_path, 3)
    trail = mltrail.Trail(stub, spool_dir=tmp_path, exit_timeout=20)
    recorder = trail.predictions(model="m")
    for n in range(300):
        recorder.log(f"r-{n}", prediction=n)
    assert trail.flush(30)
    recovered = [i for i, r in enumerate(records_seen()) if r.get("recovered")]
    assert len(recovered) == 3 and recovered[-1] < 290
    trail.close()
    assert os.listdir(tmp_path) == []


def test_a_dead_stream_that_makes_trouble_holds_nobody_up(stub, tmp_path, monkeypatch, caplog):
    leave_behind(tmp_path, 1)

    def broken(self, clock=None):
        raise OSError("the disk")
    monkeypatch.setattr(spool.DeadStream, "owe", broken)
    trail = mltrail.Trail(stub, spool_dir=tmp_path)
    trail.predictions(model="m").log("r", prediction=1)
    assert trail.flush(10)
    monkeypatch.undo()
    until = time.monotonic() + 10
    while not [m for m in caplog.messages if "cannot be" in m and "the disk" in m]:
        assert time.monotonic() < until
        time.sleep(0.02)
    trail.close()
    dead = next(spool.dead_streams(tmp_path))  # its lock was given back
    assert dead.survey.count == 1
    dead.give_back()
