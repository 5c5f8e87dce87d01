"""A spool on a disk that fails a sync, and a machine that loses its power later."""
from __future__ import annotations

import errno
import json
import os
import threading

import pytest

from mltrail import spool
from mltrail.errors import SpoolFull
from mltrail.sender import Background
from test_spool import HEAD, in_child, read_all

TAIL = b',"x":"' + b"x" * 60 + b'"}'


class Disk:
    """What a power loss leaves of the files: what was synced. Kinder than a real one in that names are never lost.

    As on Linux, what a failed sync had to write is lost, counts as written, and can be read until the power is gone.
    """

    def __init__(self, monkeypatch):
        self.syncs = 0
        self.fails = {}         # which sync, by number from 1 on: with which errno
        self.during = None      # called in the midst of a sync
        self._kept = {}         # by file: the bytes
        self._lost = {}         # by file: pairs of offsets
        self._held = []         # so that no file gets the number of another
        monkeypatch.setattr(spool.writer, "fdatasync", self.sync)
        monkeypatch.setattr(spool.files, "fdatasync", self.sync)

    def sync(self, fd):
        self.syncs += 1
        failure = self.fails.get(self.syncs)
        file = os.fstat(fd)
        during, self.during = self.during, None
        if during:
            during()
        if file.st_ino not in self._kept:
            self._held.append(os.dup(fd))
            self._kept[file.st_ino], self._lost[file.st_ino] = b"", []
        kept, lost = self._kept[file.st_ino], self._lost[file.st_ino]
        if failure:
            lost.append((len(kept), file.st_size))
            raise OSError(failure, "the disk is gone")
        now = bytearray(os.pread(fd, file.st_size, 0))
        for start, end in lost:
            now[start:end] = bytes(len(now[start:end]))
        self._kept[file.st_ino] = bytes(now)

    def lose_power(self, folder, after):
        after.mkdir()
        for entry in os.scandir(folder):
            kept = self._kept.get(entry.inode())
            if kept is not None or entry.name.endswith(".lock"):
                (after / entry.name).write_bytes(kept or b"")
        for fd in self._held:
            os.close(fd)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


def left(folder):
    """The numbers that whoever adopts the stream sends."""
    dead = next(spool.dead_streams(folder), None)
    if dead is None:
        return []
    frames, damage = read_all(dead)
    assert not damage and not dead.survey.damage
    records = [json.loads(frame.body) for frame in frames]
    return [record["sequence"] for record in records if record["kind"] == "prediction"]


def write_some(writer):
    """Gives the numbers that the writer said a power loss leaves."""
    safe, done = [], []
    for i in range(24):
        try:
            number = writer.predict(HEAD, TAIL)
        except (OSError, SpoolFull):
            continue
        done.append(number)
        if writer.sync_ms == 0:
            safe = list(done)
        elif i % 4 == 3:
            try:
                writer.sync()
                safe = list(done)
            except OSError:
                pass
    return safe, done


def run_all(tmp_path, disk_of, sync_ms):
    """Fails each sync in turn, and the one after it; gives the runs in which something that was safe is gone."""
    bad, at = [], 0
    while True:
        at += 1
        for failures in ([errno.EIO], [errno.ENOSPC], [errno.EIO] * 2, [errno.ENOSPC, errno.EIO]):
            disk = disk_of()
            disk.fails = {at + i: failure for i, failure in enumerate(failures)}
            name = f"{at}-{'-'.join(map(str, failures))}"
            writer = spool.SpoolWriter(tmp_path / name, "n", segment_max=1000, sync_ms=sync_ms, on_full="error")
            safe, done = write_some(writer)
            assert writer.sequence == 24 and writer.lost == 24 - len(done) <= len(failures)
            disk.lose_power(tmp_path / name, tmp_path / f"{name}-after")
            writer.forget()
            try:
                found = left(tmp_path / f"{name}-after")
            except AssertionError:
                found = []
            if found[:len(safe)] != safe or not set(found) <= set(done):
                bad.append(name)
        if disk.syncs < at:
            assert len(safe) == 24 and at > 8
            return bad


@pytest.mark.parametrize("sync_ms", [100, 0])
def test_whichever_sync_fails_what_is_safe_is_there_after_a_power_loss(tmp_path, monkeypatch, sync_ms):
    assert run_all(tmp_path, lambda: Disk(monkeypatch), sync_ms) == []


def test_a_writer_that_believes_the_next_sync_is_caught(tmp_path, monkeypatch):
    def believe(writer):
        writer._spoilt = False

    monkeypatch.setattr(spool.SpoolWriter, "_write_again", believe)
    assert run_all(tmp_path, lambda: Disk(monkeypatch), 100)


def test_what_is_appended_while_a_sync_fails_is_written_again_with_the_rest(tmp_path, disk):
    writer = spool.SpoolWriter(tmp_path / "s", "n")
    told = []
    writer.on_append = lambda: told.append(writer.sequence + 1)
    writer.predict(HEAD, TAIL)
    disk.fails = {disk.syncs + 1: errno.EIO}
    disk.during = lambda: [writer.predict(HEAD, TAIL) for _ in range(3)]
    writer.sync()
    assert told == [1, 2]  # whoever appends beside a sync is for the next one
    assert writer.predict(HEAD, TAIL) == 5
    writer.sync()
    disk.lose_power(tmp_path / "s", tmp_path / "after")
    assert [json.loads(frame.body)["sequence"] for frame in read_all(writer)[0]] == [1, 2, 3, 4, 5]
    writer.forget()
    assert left(tmp_path / "after") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("failure", [0, errno.EIO])
def test_a_segment_does_not_end_while_it_is_synced(tmp_path, disk, failure):
    """Rotation, the acknowledgement of everything, and close wait for a sync that is under way."""
    def beside(act):
        thread = threading.Thread(target=act)
        thread.start()
        thread.join(0.05)
        assert thread.is_alive()
        threads.append(thread)

    threads = []
    writer = spool.SpoolWriter(tmp_path / "s", "n", segment_max=600)
    for act in (lambda: [writer.predict(HEAD, TAIL) for _ in range(20)],
                lambda: writer.acknowledge(writer.written()),
                writer.close):
        writer.predict(HEAD, TAIL)
        writer._segment_max = 600
        while writer._offset < 400:
            writer.predict(HEAD, TAIL)
        if failure:
            disk.fails = {disk.syncs + 1: failure}
        disk.during = lambda: beside(act)
        segment = writer._segment
        writer.sync()
        threads[-1].join(20)
        assert not threads[-1].is_alive() and (writer._segment > segment or writer._closed)
    disk.lose_power(tmp_path / "s", tmp_path / "after")
    dead = next(spool.dead_streams(tmp_path / "after"))
    assert dead.survey.finished and dead.survey.count == writer.sequence and not dead.survey.damage and not dead.survey.torn


def test_a_child_forked_during_a_sync_waits_for_nobody(tmp_path, disk):
    writer = spool.SpoolWriter(tmp_path / "s", "n")
    writer.predict(HEAD, TAIL)

    def ends():
        writer.sync()
        writer.close()
        writer.release()
        return True

    disk.fails = {disk.syncs + 1: errno.EIO}
    children = []
    disk.during = lambda: children.append(in_child(ends))
    writer.sync()
    assert children == [True] and writer.predict(HEAD, TAIL) == 2
    assert len(read_all(writer)[0]) == 2


def test_the_keeper_tries_again_until_all_is_safe(tmp_path, disk, caplog):
    writer = spool.SpoolWriter(tmp_path / "s", "n", sync_ms=1)
    background = Background(writer, None)
    safe = threading.Event()
    real = writer._write_again
    writer._write_again = lambda: (real(), safe.set())
    disk.fails = {2: errno.EIO, 3: errno.EIO, 4: errno.ENOSPC, 5: errno.EIO}  # and nobody appends any more
    writer.predict(HEAD, TAIL)
    assert safe.wait(20)
    assert len([record for record in caplog.records if "power loss" in record.getMessage()]) == 1
    assert sorted(name.split(".", 1)[1] for name in os.listdir(tmp_path / "s")) == ["00000001.seg", "lock"]
    background.close(0)
    disk.lose_power(tmp_path / "s", tmp_path / "after")
    assert left(tmp_path / "after") == [1]


@pytest.mark.parametrize("ended", [False, True])
def test_half_a_segment_that_was_written_again_goes_with_its_stream(tmp_path, ended):
    writer = spool.SpoolWriter(tmp_path, "n")
    writer.predict(HEAD, TAIL)
    for name in (f"{writer.stream}.00000001.seg.tmp", f"{writer.stream}.00000009.seg.tmp", "1-00112233aabb.00000001.seg.tmp"):
        (tmp_path / name).write_text("mltrail-spool 1")
    if ended:
        writer.close()
        read_all(writer)
        writer.release()
        assert os.listdir(tmp_path) == ["1-00112233aabb.00000001.seg.tmp"]  # another's
        return
    writer.forget()
    dead = next(spool.dead_streams(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["1-00112233aabb.00000001.seg.tmp", f"{writer.stream}.00000001.seg",
                                            f"{writer.stream}.lock"]
    dead.give_back()
