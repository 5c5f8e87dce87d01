"""A witness of a trail under attack, run by somebody else."""
from __future__ import annotations

import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from grid import RUN_S, STORY, Seen, Trail, run


def _wait_for(file: Path, process: subprocess.Popen) -> str:
    end = time.monotonic() + RUN_S
    while not (file.exists() and file.read_text().strip()):
        assert process.poll() is None and time.monotonic() < end, "it did not start"
        time.sleep(0.02)
    return file.read_text().strip()


def _end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=RUN_S) == 0


@contextmanager
def watched(trail: Trail, folder: Path) -> Iterator[None]:
    """While it lasts, a witness cosigns the trail, whose <state> names it from now on; copies of <state> do as well."""
    folder.mkdir()
    made = run(trail.binary, "witness", "init", folder / "w", "--name", "witness.example.com/w", code=(0,))
    run(trail.binary, "witness", "add-log", folder / "w", trail.key_file, code=(0,))
    witness = subprocess.Popen([trail.binary, "witness", "serve", folder / "w", "--listen", "127.0.0.1:0", "--port-file", folder / "port"],
                               stdout=subprocess.DEVNULL)
    try:
        port = _wait_for(folder / "port", witness)
        (folder / "policy").write_text(f"witness w {made.stdout.strip()} http://127.0.0.1:{port}\nquorum w\n")
        server = subprocess.Popen([trail.binary, "serve", trail.dir, "--policy", folder / "policy", "--listen", "127.0.0.1:0",
                                   "--port-file", folder / "served"], stdout=subprocess.DEVNULL)
        _wait_for(folder / "served", server)
        _end(server)
        yield
    finally:
        _end(witness)


def ask_witness(trail: Trail) -> Seen:
    """What the witness makes of a trail that goes on: appending asks it."""
    record = {**STORY[5], "request_id": f"asked-{time.monotonic_ns()}"}
    try:
        trail.append([record], keep=False)
    except AssertionError as refused:
        assert "rolled back or forked" in str(refused), refused
        return Seen(True, str(refused))
    return Seen(False)
