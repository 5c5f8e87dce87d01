"""A trail is a log as the tools of the transparency world know it: fsck and hammer of Tessera, note and tlog of Go."""
from __future__ import annotations

import re
import signal
import subprocess
import time
import urllib.request

import pytest

import gotools
from built import ROOT
from served import Served

TESSERA = ("github.com/transparency-dev/tessera", "v1.0.4")
ENTRIES = 1_000_000
KILLS = 3
FSCK_FAULT_S = 15  # a clean run over this trail takes one


@pytest.fixture(scope="module")
def fsck():
    return gotools.module_tool(*TESSERA, "cmd/fsck")


def size_of(served: Served) -> int:
    with urllib.request.urlopen(served.url + "/checkpoint", timeout=20) as answer:
        return int(answer.read().split(b"\n")[1])


def load(served: Served, seconds: int) -> None:
    tool = ROOT / "build" / "bench" / "load"
    if not tool.exists():
        pytest.skip(f"{tool} is not built")
    subprocess.run([tool, "--port", str(served.port), "--token-file", served.token_file, "--connections", "2", "--batch", "1000",
                    "--seconds", str(seconds)], capture_output=True, timeout=seconds + 60)


def run_fsck(fsck, served: Served, timeout: int = 120) -> subprocess.CompletedProcess:
    return subprocess.run([fsck, f"--storage_url={served.url}/", f"--public_key={served.key_file}", f"--origin={served.vkey.split('+')[0]}",
                           "--ui=false", "-N=2"], capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def million(binary, tmp_path_factory):
    """A public trail of a million real records, loaded over HTTP."""
    served = Served(binary, tmp_path_factory.mktemp("million"), "example.com/million", "--public")
    try:
        until = time.monotonic() + 300
        while size_of(served) < ENTRIES and time.monotonic() < until:
            load(served, 4)
            time.sleep(1.2)  # the publication interval
        assert size_of(served) >= ENTRIES
        yield served
    finally:
        served.stop()


def test_fsck_is_clean_on_a_million_entries(million, fsck):
    done = run_fsck(fsck, million)
    assert done.returncode == 0, done.stderr[-2000:]
    # The log may grow by an entry of its own meanwhile: it commits to its segments in the background.
    checked = re.search(r"Successfully fsck'd log with size (\d+)", done.stderr)
    assert checked and ENTRIES <= int(checked[1]) <= size_of(million), done.stderr[-2000:]


def test_go_proves_records_sizes_and_our_proofs(million, tlogcheck, tmp_path):
    proofs = []
    for index in (0, 255, 256, 65_536, size_of(million) - 1):
        made = million.run("prove", index, "--trail", million.dir)
        assert made.returncode == 0, made.stderr
        path = tmp_path / f"{index}.tlog-proof"
        path.write_text(made.stdout)
        proofs += ["-proof", str(path)]
    checked = [tlogcheck, "-key", million.vkey, "-url", million.url]
    done = subprocess.run([*checked, *proofs], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("is in the tree of") == 5 and "size " in done.stdout
    # The same checker refuses a proof of which one hash is another's, and a key that is not the log's.
    lines = (tmp_path / "256.tlog-proof").read_text().split("\n")
    lines[2], lines[3] = lines[3], lines[2]
    (tmp_path / "bad.tlog-proof").write_text("\n".join(lines))
    assert subprocess.run([*checked, "-proof", str(tmp_path / "bad.tlog-proof")], capture_output=True, timeout=120).returncode == 1
    other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert subprocess.run([tlogcheck, "-key", other, "-url", million.url], capture_output=True, timeout=120).returncode == 1


@pytest.fixture(scope="module")
def small(binary, tmp_path_factory):
    served = Served(binary, tmp_path_factory.mktemp("small"), "example.com/small", "--public")
    try:
        load(served, 1)
        time.sleep(1.2)
        assert size_of(served) > 2000
        yield served
    finally:
        served.stop()


@pytest.mark.parametrize("file, at", [("entries.dat", 100_000), ("hash/0", 32 * 1000 + 5)])
def test_fsck_sees_a_flipped_bit_where_we_do(small, fsck, file, at):
    path = small.dir / file
    with path.open("r+b") as f:
        f.seek(at)
        before = f.read(1)
        f.seek(at)
        f.write(bytes([before[0] ^ 1]))
    try:
        # This release of fsck does not always end once it has found something, so what it must not say is that all is well.
        with pytest.raises((subprocess.TimeoutExpired, AssertionError)):
            done = run_fsck(fsck, small, timeout=FSCK_FAULT_S)
            assert done.returncode == 0 and "Successfully" in done.stderr
        assert small.run("verify", small.dir).returncode == 1
    finally:
        with path.open("r+b") as f:
            f.seek(at)
            f.write(before)
    assert run_fsck(fsck, small).returncode == 0


def test_fsck_is_clean_after_the_server_was_killed_under_load(binary, fsck, tmp_path):
    served = Served(binary, tmp_path, "example.com/killed", "--public")
    try:
        for _ in range(KILLS):
            tool = ROOT / "build" / "bench" / "load"
            if not tool.exists():
                pytest.skip(f"{tool} is not built")
            loader = subprocess.Popen([tool, "--port", str(served.port), "--token-file", served.token_file, "--connections", "2",
                                       "--batch", "100", "--seconds", "4"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.8)
            served.stop(signal.SIGKILL)
            loader.wait(timeout=30)
            served.start()
            time.sleep(1.2)
            done = run_fsck(fsck, served)
            assert done.returncode == 0, done.stderr[-2000:]
        assert size_of(served) > 1000
    finally:
        served.stop()


def test_a_raw_trail_passes_the_hammer(binary, fsck, tmp_path):
    hammer = gotools.module_tool(*TESSERA, "internal/hammer")
    served = Served(binary, tmp_path, "example.com/raw", "--raw", "--public")
    token = served.token_file.read_text().strip()
    try:
        done = subprocess.run([hammer, f"--log_public_key={served.vkey}", f"--log_url={served.url}", f"--bearer_token_write={token}",
                               f"--bearer_token={token}", "--max_read_ops=200", "--num_writers=64", "--max_write_ops=2000", "--dup_chance=0",
                               "--leaf_min_size=1024", "--leaf_write_goal=10000", "--max_runtime=60s", "--show_ui=false"],
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        assert "Reached tree size goal" in done.stderr and "verif" not in done.stderr.lower(), done.stderr[-2000:]
        assert size_of(served) >= 10_000
        assert run_fsck(fsck, served).returncode == 0
    finally:
        served.stop()
