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
from program import Program  # noqa: E402

LOAD = ROOT / "build" / "bench" / "load"
RECORD_BYTES = 700
BATCH = 1000
DOSSIERS = 1000


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found.group(1)) / 1024 if found else float("nan")


def size_of(folder: Path) -> int:
    """Bytes on disk, as allocated."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


def load(program: Program, token: Path, arguments: List[str]) -> str:
    """Runs the load generator; what it says."""
    done = subprocess.run([str(LOAD), "--url", program.url, "--token-file", str(token), *arguments],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"load {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


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
        rows.append((f"{records} records, NDJSON batches of {BATCH}",
                     load(program, token, ["--records", str(records), "--batch", str(BATCH), "--connections", "4"])))
        rows.append(("one record a request, 64 connections",
                     load(program, token, ["--records", str(min(records, 200000)), "--batch", "1",
                                           "--connections", "64", "--prefix", "single"])))
        rows.append(("server memory", f"{before:.0f} MB before, {resident_mb(program.server.pid):.0f} MB after"))
        chance = random.Random(1)
        median, high, length = dossiers(program, token, [f"load-{chance.randrange(records)}" for _ in range(DOSSIERS)])
        rows.append((f"dossier JSON over HTTP, {DOSSIERS} requests",
                     f"p50 {median:.2f} ms, p99 {high:.2f} ms, {length} bytes"))
        program.stop()
        used = size_of(folder / "trail")
        total = records + min(records, 200000)
        rows.append(("on disk after a clean stop", f"{used / total:.0f} bytes a record of {RECORD_BYTES} bytes"))
        begin = time.monotonic()
        program.run("verify", str(program.trail))
        rows.append(("verify, whole trail", f"{total / (time.monotonic() - begin):,.0f} entries/s"))
    finally:
        program.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{os.cpu_count()} processors; the load generator runs on the same machine")
    for what, result in rows:
        print(f"{what:<48} {result}")


if __name__ == "__main__":
    main()
