"""Programs that listen: on a port that the system chose, ended by their process id."""
from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

START_S = 20
WAIT_S = 30
END_S = 60


def until(what: Callable[[], Any], seconds: float = WAIT_S, missing: str = "it did not come about") -> Any:
    """Waits until `what()` is true and gives it; only a broken run waits so long."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < end, missing
        time.sleep(0.05)


def listen(command: list, port_file: Path, **how) -> tuple[subprocess.Popen, int]:
    """Starts a command of ours and waits for the port that it writes into the file."""
    port_file.unlink(missing_ok=True)
    process = subprocess.Popen([*map(str, command), "--port-file", str(port_file)],
                               **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **how})
    try:
        until(lambda: process.poll() is not None or (port_file.exists() and port_file.read_text().strip()), START_S,
              "the server did not start")
        assert process.poll() is None, f"the server did not start: exit status {process.returncode}"
    except AssertionError:
        process.kill()
        process.wait(timeout=END_S)
        raise
    return process, int(port_file.read_text())


def end(process: subprocess.Popen | None, how: int = signal.SIGTERM) -> int:
    """Ends it where it runs, and gives its exit status."""
    if process is None:
        return 0
    if process.poll() is None:
        process.send_signal(how)
    return process.wait(timeout=END_S)


class Served:
    """A trail with a server."""

    def __init__(self, binary: Path, folder: Path, origin: str, *init: str, serve=()):
        self.binary, self.dir, self.state, self.port_file = binary, folder / "trail", folder / "trail.state", folder / "port"
        self.serve, self.how = list(serve), {}
        folder.mkdir(parents=True, exist_ok=True)
        made = subprocess.run([binary, "init", self.dir, "--origin", origin, *init], capture_output=True, text=True, check=True,
                              timeout=START_S)
        self.vkey = re.search(rf"{re.escape(origin)}\+[0-9a-f]{{8}}\+\S+", made.stdout)[0]
        self.key_file = folder / "vkey"
        self.key_file.write_text(self.vkey + "\n")
        self.token_file = self.state / "admin.token"
        self.prepare()
        self.start()

    def prepare(self) -> None:
        """What is to be done before the first start."""

    def start(self) -> None:
        self.process, self.port = listen([self.binary, "serve", self.dir, "--listen", "127.0.0.1:0", *self.serve], self.port_file, **self.how)
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self, how: int = signal.SIGTERM) -> int:
        return end(self.process, how)

    def run(self, *args, **how) -> subprocess.CompletedProcess:
        return subprocess.run([self.binary, *map(str, args)], capture_output=True, text=True, timeout=120, **how)
