"""The measurements behind `make bench`: starts a server on a fresh trail, drives it, prints a table."""
from __future__ import annotations

import http.client
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List, Tuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "examples" / "demo"), str(ROOT / "sdk" / "python")]
import mltrail.receipts  # noqa: E402
from program import Program  # noqa: E402

LOAD = ROOT / "build" / "bench" / "load"
RECORD_BYTES = 700
BATCH = 1000
DOSSIERS = 1000
SLICE_SECONDS = 5.0


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found.group(1)) / 1024 if found else float("nan")


def size_of(folder: Path) -> int:
    """Bytes on disk, as allocated."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


def load(program: Program, token: Path, connections: int, batch: int, seconds: float) -> str:
    """Runs the load generator for a while; the line that it prints."""
    done = subprocess.run([str(LOAD), "--port", str(program.port), "--token-file", str(token), "--connections",
                           str(connections), "--batch", str(batch), "--seconds", str(seconds), "--bytes",
                           str(RECORD_BYTES)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"load: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return re.sub(r"  connections.*batch \d+", "", done.stdout.strip())


def tree_size(program: Program) -> int:
    """Size of the last published tree."""
    time.sleep(1.2)  # published at most once a second
    with mltrail.Trail(program.url) as trail:
        return mltrail.receipts.tree_head(trail.checkpoint()).size


def fill(program: Program, token: Path, records: int) -> Tuple[int, List[str]]:
    """Batches until the trail holds so many records: the slices show whether the rate holds."""
    slices: List[str] = []
    size = tree_size(program)
    while size < records:
        slices.append(load(program, token, 4, BATCH, SLICE_SECONDS))
        grown = tree_size(program)
        if grown <= size:
            raise SystemExit("the load generator appended nothing")
        size = grown
    return size, slices


def some_requests(trail: mltrail.Trail, size: int) -> List[str]:
    """Request ids of predictions spread over the whole trail."""
    chance, found = random.Random(1), []
    while len(found) < DOSSIERS:
        entry = trail.record(chance.randrange(size))["entry"]
        if entry["kind"] == "prediction":
            found.append(entry["facts"]["request_id"])
    return found


def dossiers(program: Program, token: Path, ids: List[str]) -> Tuple[float, float, int]:
    """Median and 99th percentile in ms over one kept-alive connection, and the size of a dossier."""
    connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=30)
    headers = {"Authorization": "Bearer " + token.read_text(encoding="ascii").strip()}
    times, length = [], 0
    for request_id in ids:
        begin = time.perf_counter()
        connection.request("GET", f"/v1/predictions/{request_id}/dossier?format=json", headers=headers)
        response = connection.getresponse()
        body = response.read()
        times.append((time.perf_counter() - begin) * 1000)
        if response.status != 200:
            raise SystemExit(f"dossier of {request_id}: {response.status} {body[:300]!r}")
        length = len(body)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.99)], length


def main() -> None:
    """All measurements in turn."""
    records = int(sys.argv[1])
    folder = Path(tempfile.mkdtemp(prefix="mltrail-bench-", dir=os.environ.get("BENCH_DIR")))
    program = Program(ROOT / "build" / "mltrail", folder / "trail")
    rows: List[Tuple[str, str]] = []
    try:
        program.init("bench.example/log")
        program.serve(folder / "server.log")
        assert program.server is not None
        token = folder / "trail.state" / "admin.token"
        before = resident_mb(program.server.pid)
        size, slices = fill(program, token, records)
        rows += [(f"NDJSON, {BATCH} a batch, 4 connections, slice {n}", line) for n, line in enumerate(slices, 1)
                 if n in (1, len(slices) // 2, len(slices))]
        rows.append(("one record a request, 64 connections", load(program, token, 64, 1, SLICE_SECONDS)))
        size = tree_size(program)
        rows.append((f"server memory at {size} entries",
                     f"{before:.0f} MB before, {resident_mb(program.server.pid):.0f} MB after"))
        with mltrail.Trail(program.url, token_file=token) as trail:
            asked = some_requests(trail, size)
        median, high, length = dossiers(program, token, asked)
        rows.append((f"dossier JSON over HTTP, {DOSSIERS} requests",
                     f"p50 {median:.2f} ms, p99 {high:.2f} ms, {length} bytes"))
        size = tree_size(program)
        program.stop()
        used = size_of(folder / "trail")
        rows.append(("on disk after a clean stop", f"{used / size:.0f} bytes a record of {RECORD_BYTES} bytes"))
        begin = time.monotonic()
        program.run("verify", str(program.trail))
        rows.append(("verify, whole trail", f"{size / (time.monotonic() - begin):,.0f} entries/s"))
    finally:
        program.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{os.cpu_count()} processors; the load generator runs on the same machine")
    for what, result in rows:
        print(f"{what:<48} {result}")


if __name__ == "__main__":
    main()
