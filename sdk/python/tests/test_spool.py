"""The spool on disk: what a writer leaves, what a reader makes of it, whatever happened in between."""
from __future__ import annotations

import base64
import errno
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mltrail import spool
from mltrail.errors import SpoolBusy, SpoolClosed, SpoolError, SpoolFull
from mltrail.sender import Background, Courier, Uplink
from mltrail.transport import Exchange

VECTORS = Path(__file__).resolve().parents[3] / "tests" / "vectors" / "spool"
EXPECTED = json.loads((VECTORS / "expected.json").read_text())
STREAM = "4711-00112233aabb"
HEAD = b'{"kind":"prediction","sequence":'


def read_all(stream):
    """Every frame, acknowledged batch by batch, and the damage met."""
    frames, damage = [], []
    while True:
        batch = stream.batch(1000, 1 << 22)
        frames += batch.frames
        if batch.damage:
            damage.append(batch.damage)
        if batch.end != stream.acked:
            stream.acknowledge(batch.end, batch.damage)
        elif not batch.frames:
            return frames, damage


def shown(frame):
    members = {"number": frame.number, "type": frame.type}
    try:
        members["body"] = frame.body.decode()
    except UnicodeDecodeError:
        members["base64"] = base64.b64encode(frame.body).decode()
    return members


def adopted(folder, stream=STREAM):
    dead = spool.DeadStream.adopt(folder, stream)
    assert dead is not None
    return dead


def vector(name, tmp_path):
    return Path(shutil.copytree(VECTORS / name, tmp_path / name))


def load_make():
    import importlib.util
    spec = importlib.util.spec_from_file_location("make", VECTORS / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make


def test_the_writer_makes_the_published_bytes(tmp_path):
    load_make().make(tmp_path)
    for name in EXPECTED:
        ours = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        theirs = {path.name: path.read_bytes() for path in (VECTORS / name).iterdir()}
        assert ours == theirs, name
    assert len(EXPECTED) == len(load_make().CASES)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_reader_makes_of_each_vector_what_is_expected(name, tmp_path):
    folder, expected = vector(name, tmp_path), EXPECTED[name]
    dead = adopted(folder)
    assert dead.survey.torn == expected["torn"]
    assert [[d.segment, d.offset] for d in dead.survey.damage] == expected["damage"]
    record = dead.owe(lambda: "2026-11-25T09:00:00Z")
    frames, _ = read_all(dead)
    if expected["tally"] is None:
        assert record is None
    else:
        assert frames[-1].body == record and frames[-1].number == expected["tally"]["number"]
        tally = json.loads(record)
        assert (tally["count"], tally.get("lost", 0)) == (expected["tally"]["count"], expected["tally"]["lost"])
        assert (tally["final"], tally["recovered"], tally["source"]) == (True, True, "node-1")
        assert (tally["from"], tally["to"]) == ("2026-11-25T08:00:00Z", "2026-11-25T09:00:00Z")
        assert tally["event_id"] == STREAM + "-final"
        frames.pop()
    assert [shown(frame) for frame in frames] == expected["send"]
    dead.remove()
    assert sorted(path.name for path in folder.iterdir()) == [f"{STREAM}.{n:08d}.damaged" for n in expected["kept"]]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_whoever_adopts_a_stream_half_adopted_sends_the_same(name, tmp_path):
    folder = vector(name, tmp_path)
    first = adopted(folder)
    record = first.owe(lambda: "2026-11-25T09:00:00Z")
    first.give_back()
    second = adopted(folder)
    assert second.owe() is None
    frames, _ = read_all(second)
    sent = [frame.body for frame in frames]
    if record is not None:
        assert sent.pop() == record
    assert [shown(f)["number"] for f in frames][:len(sent)] == [item["number"] for item in EXPECTED[name]["send"]]


def test_a_lost_byte_anywhere_is_never_silent(tmp_path):
    """A bit of each byte of a segment: what is not sent is torn at the very end, or reported."""
    random.seed(7)
    original = Path(shutil.copytree(VECTORS / "torn-header", tmp_path / "original"))
    (original / f"{STREAM}.00000002.seg").unlink()
    segment = f"{STREAM}.00000001.seg"
    data = (original / segment).read_bytes()
    for offset in range(len(data)):
        work = tmp_path / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(original, work)
        changed = bytearray(data)
        changed[offset] ^= 1 << random.randrange(8)
        (work / segment).write_bytes(changed)
        dead = spool.DeadStream.adopt(work, STREAM)
        torn = dead.survey.torn
        dead.owe()
        frames, _ = read_all(dead)
        sent = sum(b'"prediction"' in frame.body and b'"tally"' not in frame.body for frame in frames)
        last_frame = offset >= len(data) - 173
        assert sent == 4 or dead.survey.damage or (last_frame and sent == 3 and torn == 173), offset
        if dead.survey.damage and 178 <= offset < len(data) - 173:
            assert dead.survey.count == 4 and dead.survey.lost == 4 - sent, offset
        dead.give_back()


def test_frames_come_back_in_order_over_many_segments(tmp_path):
    writer = spool.SpoolWriter(tmp_path, "n", segment_max=4000)
    for n in range(500):
        assert writer.predict(HEAD, b',"x":"%d"}' % n) == n + 1
    assert len(writer.files.segments()) > 5
    frames, damage = read_all(writer)
    assert [frame.number for frame in frames] == list(range(1, 501)) and not damage
    assert [json.loads(frame.body)["sequence"] for frame in frames] == list(range(1, 501))
    assert len(writer.files.segments()) == 1


def test_many_threads_take_numbers_in_the_order_of_the_file(tmp_path):
    writer = spool.SpoolWriter(tmp_path, "n", segment_max=20000)
    threads = [threading.Thread(target=lambda: [writer.predict(HEAD, b"}") for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    frames, _ = read_all(writer)
    assert [json.loads(frame.body)["sequence"] for frame in frames] == list(range(1, 4001))


def test_predictions_in_one_go_are_numbered_like_single_ones(tmp_path):
    writer = spool.SpoolWriter(tmp_path, "n", segment_max=1000)
    assert writer.predict(HEAD, b"}") == 1
    assert writer.predict_many(HEAD, [b',"row":%d}' % n for n in range(100)]) == 101
    frames, _ = read_all(writer)
    assert [json.loads(frame.body)["sequence"] for frame in frames] == list(range(1, 102))


def test_a_writer_that_lives_is_not_adopted_and_one_that_ended_is(tmp_path):
    writer = spool.SpoolWriter(tmp_path, "n")
    writer.predict(HEAD, b"}")
    assert spool.DeadStream.adopt(tmp_path, writer.stream) is None
    writer.close()
    writer.release()
    dead = adopted(tmp_path, writer.stream)
    assert dead.survey.finished and dead.owe() is None
    assert [frame.number for frame in read_all(dead)[0]] == [1, 2]
    assert spool.DeadStream.adopt(tmp_path, writer.stream) is None  # held by `dead`
    dead.remove()
    assert os.listdir(tmp_path) == []


def test_a_closed_stream_that_was_sent_leaves_nothing(tmp_path):
    writer = spool.SpoolWriter(tmp_path, "n")
    writer.predict(HEAD, b"}")
    writer.close()
    frames, _ = read_all(writer)
    assert json.loads(frames[-1].body)["count"] == 1 and json.loads(frames[-1].body)["final"] is True
    with pytest.raises(SpoolError, match="closed"):
        writer.predict(HEAD, b"}")
    writer.release()
    assert os.listdir(tmp_path) == []


def test_a_stream_that_was_sent_is_removed_so_that_a_power_loss_cannot_halve_it(tmp_path, monkeypatch):
    """What is done, in order: .ack safe, segments gone for good, only then the rest."""
    writer = spool.SpoolWriter(tmp_path, "n", segment_max=300)
    for _ in range(9):
        writer.predict(HEAD, b'}' + b" " * 60)
    writer.close()
    segments = writer.files.segments()
    assert len(segments) > 2
    writer.acked = writer.written()
    done = []

    def noting(call, name):
        def wrapped(what, *others):
            done.append((name, what if isinstance(what, int) else Path(what).suffix))
            return call(what, *others)
        return wrapped

    monkeypatch.setattr(os, "fsync", noting(os.fsync, "sync"))
    monkeypatch.setattr(os, "replace", noting(os.replace, "replace"))
    monkeypatch.setattr(os, "unlink", noting(os.unlink, "unlink"))
    writer.release()
    assert os.listdir(tmp_path) == []
    done = [(name, what if isinstance(what, str) else "") for name, what in done]
    assert done[:3] == [("sync", ""), ("replace", ".tmp"), ("sync", "")]
    assert done[3:] == [("unlink", ".seg")] * len(segments) + [("sync", "")] + \
        [("unlink", ".tmp"), ("unlink", ".ack"), ("unlink", ".lock")]


def test_a_process_killed_leaves_every_prediction_that_was_reported(tmp_path):
    program = ("import sys, os\nfrom mltrail import spool\n"
               "w = spool.SpoolWriter(sys.argv[1], 'n')\n"
               "while True:\n    print(w.predict(b'{\"kind\":\"prediction\",\"sequence\":', b'}'), flush=True)\n")
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True,
                               cwd=Path(__file__).resolve().parents[1])
    for _ in range(200):
        reported = int(process.stdout.readline())
    process.kill()
    rest = process.stdout.read().split("\n")
    process.wait(20)
    reported = max([reported] + [int(line) for line in rest[:-1]])
    dead = next(spool.dead_streams(tmp_path))
    assert dead.survey.count >= reported and dead.survey.lost == 0 and not dead.survey.damage
    frames, _ = read_all(dead)
    assert [json.loads(frame.body)["sequence"] for frame in frames] == list(range(1, dead.survey.count + 1))


def test_a_full_spool_blocks_until_the_server_has_taken_some(tmp_path):
    writer = spool.SpoolWriter(tmp_path, "n", limit=spool.SEGMENT_LEAST, segment_max=20000, block_s=20)
    done = threading.Event()

    def fill():
        for _ in range(3000):
            writer.predict(HEAD, b',"x":"' + b"x" * 100 + b'"}')
        done.set()

    thread = threading.Thread(target=fill)
    thread.start()
    time.sleep(0.3)
    assert not done.is_set() and spool.spool_size(tmp_path) <= spool.SEGMENT_LEAST
    frames = []
    while not done.is_set():
        frames += read_all(writer)[0]
        assert spool.spool_size(tmp_path) <= spool.SEGMENT_LEAST
    thread.join()
    frames += read_all(writer)[0]
    assert [json.loads(frame.body)["sequence"] for frame in frames] == list(range(1, 3001)) and writer.lost == 0


def test_a_full_spool_that_stays_full_is_an_error_and_the_number_is_lost(tmp_path):
    writer = spool.SpoolWriter(tmp_path, "n", limit=spool.SEGMENT_LEAST, block_s=0.2)
    tail = b',"x":"' + b"x" * 10000 + b'"}'
    with pytest.raises(SpoolFull, match="full"):
        for _ in range(10):
            writer.predict(HEAD, tail)
    written = writer.sequence - 1
    assert writer.lost == 1
    begin = time.monotonic()
    with pytest.raises(SpoolFull):  # once that wait is over, nobody waits again
        writer.predict(HEAD, tail)
    assert time.monotonic() - begin < 0.1 and writer.lost == 2
    assert len(read_all(writer)[0]) == written
    assert writer.predict(HEAD, tail) == written + 3


def test_where_one_must_not_wait_no_number_is_taken(tmp_path):
    writer = spool.SpoolWriter(tmp_path, "n", limit=spool.SEGMENT_LEAST, block_s=5)
    tail = b',"x":"' + b"x" * 10000 + b'"}'
    with pytest.raises(SpoolBusy):
        for _ in range(10):
            writer.predict(HEAD, tail, wait=False)
    assert writer.sequence == len(read_all(writer)[0]) and writer.lost == 0


def test_drop_counts_what_it_drops_and_the_next_tally_says_so(tmp_path):
    writer = spool.SpoolWriter(tmp_path, "n", limit=spool.SEGMENT_LEAST, on_full="drop")
    tail = b',"x":"' + b"x" * 10000 + b'"}'
    numbers = [writer.predict(HEAD, tail) for _ in range(10)]
    dropped = numbers.count(0)
    assert dropped > 0 and writer.lost == dropped and writer.sequence == 10
    tally = json.loads(writer.tally())
    assert (tally["count"], tally["lost"]) == (10, dropped)


def test_a_full_disk_takes_back_half_a_write(tmp_path, monkeypatch):
    writer = spool.SpoolWriter(tmp_path, "n", on_full="error")
    writer.predict(HEAD, b"}")
    real = os.write

    def half(fd, data):
        if fd != writer._fd:
            return real(fd, data)
        real(fd, data[:5])
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(SpoolFull):
        writer.predict(HEAD, b"}")
    monkeypatch.undo()
    assert writer.predict(HEAD, b"}") == 3 and writer.lost == 1
    frames, damage = read_all(writer)
    assert [json.loads(frame.body)["sequence"] for frame in frames] == [1, 3] and not damage


def test_a_real_full_disk(tmp_path):
    """On a small file system of its own, where one can be mounted."""
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", mount], capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        writer = spool.SpoolWriter(mount, "n", on_full="error")
        tail = b',"x":"' + b"x" * 3000 + b'"}'
        with pytest.raises(SpoolFull):
            for _ in range(1000):
                writer.predict(HEAD, tail)
        frames, damage = read_all(writer)
        assert len(frames) == writer.sequence - 1 > 50 and not damage
        assert writer.predict(HEAD, tail) == writer.sequence  # the acknowledged segment gave its space back
        writer.close()
        writer.release()
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


def test_damage_while_the_writer_lives_is_passed_over_and_counted(tmp_path):
    writer = spool.SpoolWriter(tmp_path, "n", segment_max=2000)
    for _ in range(100):
        writer.predict(HEAD, b',"x":"' + b"x" * 40 + b'"}')
    path = writer.files.segment(2)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    frames, damage = read_all(writer)
    sent = [json.loads(frame.body)["sequence"] for frame in frames]
    assert [(d.segment) for d in damage] == [2] and sent == sorted(set(sent)) and sent[-1] == 100
    assert writer.lost == 100 - len(sent) > 0
    assert writer.files.damaged(2).exists() and not path.exists()
    assert json.loads(writer.tally())["lost"] == writer.lost


def test_other_files_in_the_directory_are_left_alone(tmp_path):
    (tmp_path / "README").write_text("mine")
    (tmp_path / "1-00112233aabb.00000001.seg.swp").write_text("mine")
    assert list(spool.dead_streams(tmp_path)) == [] and len(os.listdir(tmp_path)) == 2


def test_a_request_comes_back_as_it_was(tmp_path):
    body = spool.encode_request("POST", "/v1/x", "text/plain", {"A": "b"}, b"\x00\x01")
    assert spool.decode_request(body) == ("POST", "/v1/x", "text/plain", {"A": "b"}, b"\x00\x01")
    for bad in (b"", b"\x00\x00\x00\x09{}", b"\x00\x00\x00\x02{}", b"\x00\x00\x00\x02[]"):
        with pytest.raises(ValueError):
            spool.decode_request(bad)


def in_child(act):
    """Runs it in a child of fork; whether it returned true there."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if act() else 1)
        finally:
            os._exit(2)
    return os.waitpid(pid, 0)[1] == 0


def test_a_child_of_fork_cannot_write_its_parents_stream(tmp_path):
    writer = spool.SpoolWriter(tmp_path, "n")
    writer.predict(HEAD, b"}")

    def refused():
        try:
            writer.predict(HEAD, b"}")
        except SpoolClosed:
            return True
        return False

    assert in_child(refused)
    assert writer.predict(HEAD, b"}") == 2
    assert len(read_all(writer)[0]) == 2


def test_a_child_does_not_keep_what_its_parent_took_over(tmp_path):
    folder = vector("whole", tmp_path)
    dead = adopted(folder)

    def let_go():
        os.kill(os.getpid(), 0)
        return not spool.files._held_locks

    assert in_child(let_go)
    assert spool.DeadStream.adopt(folder, STREAM) is None  # the parent has it still
    dead.give_back()
    assert spool.DeadStream.adopt(folder, STREAM) is not None


def test_a_sync_that_fails_takes_the_frame_back_and_hides_none_behind_it(tmp_path, monkeypatch):
    """sync_ms=0: what could not be made safe has no frame, so that those after it are read."""
    writer = spool.SpoolWriter(tmp_path, "n", sync_ms=0)
    writer.predict(HEAD, b"}")
    real, failures = spool.writer.fdatasync, [errno.EIO, errno.ENOSPC]

    def failing(fd):
        if failures:
            raise OSError(failures.pop(0), "the disk is gone")
        real(fd)

    monkeypatch.setattr(spool.writer, "fdatasync", failing)
    assert writer.predict(HEAD, b"}") == 2  # after EIO and ENOSPC, written once more
    failures += [errno.EIO, errno.EIO]
    with pytest.raises(OSError, match="the disk is gone"):
        writer.predict(HEAD, b"}")
    assert [writer.predict(HEAD, b"}") for _ in range(2)] == [4, 5]
    frames, damage = read_all(writer)
    assert [json.loads(frame.body)["sequence"] for frame in frames] == [1, 2, 4, 5] and not damage
    assert (writer.sequence, writer.lost) == (5, 1)


def test_a_tally_that_is_not_written_whole_is_owed_still(tmp_path, monkeypatch):
    writer = spool.SpoolWriter(tmp_path, "n", stream=STREAM)
    writer.predict(HEAD, b"}")
    writer.forget()
    dead = adopted(tmp_path)
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:20]))
    with pytest.raises(OSError, match="not written whole"):
        dead.owe()
    monkeypatch.undo()
    dead.give_back()
    again = adopted(tmp_path)
    assert again.owe() is not None
    frames, damage = read_all(again)
    assert json.loads(frames[-1].body)["final"] is True and not damage


class Taking:
    """A transport to a server that takes everything."""

    is_local = True

    def __init__(self):
        self.taken = []

    def exchange(self, method, path, headers, body):
        lines = body.splitlines()
        self.taken += [json.loads(line) for line in lines]
        return Exchange(200, "application/json", json.dumps({"accepted": len(lines), "rejected": 0}).encode(), None)


def test_one_dead_stream_that_cannot_be_taken_over_keeps_nobody_from_the_others(tmp_path, monkeypatch):
    """No space for the first one's tally: the next is sent, and the first one too when there is space again."""
    for stream in ("1-00112233aabb", "2-00112233aabb"):
        writer = spool.SpoolWriter(tmp_path, "n", stream=stream)
        writer.predict(b'{"kind":"prediction","stream":"%b","sequence":' % stream.encode(), b"}")
        # Records that nobody should have written, and that no reader may stumble over.
        writer.append(b'{"kind":"tally","final":true,"scope":"all"}')
        writer.append(b"[" * 100_000)
        writer.forget()
    real, refused = spool.DeadStream.owe, []

    def owe(dead, *clock):
        if dead.stream.startswith("1-") and not refused:
            refused.append(dead.stream)
            raise OSError(errno.ENOSPC, "no space")
        return real(dead, *clock)

    monkeypatch.setattr(spool.DeadStream, "owe", owe)
    live, transport = spool.SpoolWriter(tmp_path, "n"), Taking()
    monkeypatch.setattr(transport, "exchange", lambda method, path, headers, body, take=transport.exchange:
                        take(method, path, headers, b"\n".join(line for line in body.splitlines() if b"[[" not in line)))
    background = Background(live, Courier(Uplink(transport), tmp_path), look_around_s=0.1)
    until = time.monotonic() + 20
    while len([record for record in transport.taken if record.get("recovered")]) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    background.close(5)
    assert refused and sorted(r["scope"]["stream"] for r in transport.taken if r.get("recovered")) == \
        ["1-00112233aabb", "2-00112233aabb"]
    assert spool.streams_in(tmp_path) == []
