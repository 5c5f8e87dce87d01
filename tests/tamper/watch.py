"""A witness of a trail under attack, run by somebody else."""
from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from grid import STORY, Seen, Trail, run
from served import end, listen


@contextmanager
def watched(trail: Trail, folder: Path) -> Iterator[None]:
    """While it lasts, a witness cosigns the trail, whose <state> names it from now on; copies of <state> do as well."""
    folder.mkdir()
    made = run(trail.binary, "witness", "init", folder / "w", "--name", "witness.example.com/w", code=(0,))
    run(trail.binary, "witness", "add-log", folder / "w", trail.key_file, code=(0,))
    witness, port = listen([trail.binary, "witness", "serve", folder / "w", "--listen", "127.0.0.1:0"], folder / "port")
    try:
        (folder / "policy").write_text(f"witness w {made.stdout.strip()} http://127.0.0.1:{port}\nquorum w\n")
        server, _ = listen([trail.binary, "serve", trail.dir, "--policy", folder / "policy", "--listen", "127.0.0.1:0"], folder / "served")
        assert end(server) == 0
        yield
    finally:
        assert end(witness) == 0


def ask_witness(trail: Trail) -> Seen:
    """What the witness makes of a trail that goes on: appending asks it."""
    record = {**STORY[5], "request_id": f"asked-{time.monotonic_ns()}"}
    try:
        trail.append([record], keep=False)
    except AssertionError as refused:
        assert "rolled back or forked" in str(refused), refused
        return Seen(True, str(refused))
    return Seen(False)
