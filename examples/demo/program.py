"""The mltrail program as the demo uses it: commands, and a server that it starts and ends by pid."""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import List, Optional, Sequence

START_SECONDS = 20


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """One trail, and the program to work on it."""

    def __init__(self, binary: Path, trail: Path, port: Optional[int] = None) -> None:
        self.binary = binary
        self.trail = trail
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.server: Optional["subprocess.Popen[bytes]"] = None

    def run(self, *arguments: str, ok: Sequence[int] = (0,)) -> "subprocess.CompletedProcess[str]":
        """Runs one command and raises, with what it said, unless its exit status is among `ok`."""
        done = subprocess.run([str(self.binary), *arguments], capture_output=True, text=True, check=False)
        if done.returncode not in ok:
            raise RuntimeError(f"mltrail {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def init(self, origin: str) -> None:
        """Makes the trail."""
        self.run("init", str(self.trail), "--origin", origin)

    def token(self, role: str, rights: str, payloads: bool, kinds: str, file: Path) -> None:
        """Makes a token for a role; the file is readable by its owner alone."""
        arguments = ["token", "create", role, "--trail", str(self.trail), "--allow", rights, "--json"]
        if payloads:
            arguments.append("--payloads")
        if kinds:
            arguments += ["--kinds", kinds]
        made = json.loads(self.run(*arguments).stdout)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
            out.write(made["token"] + "\n")

    def serve(self, log: Path) -> None:
        """Starts the server and waits until it is ready."""
        command = [str(self.binary), "serve", str(self.trail), "--listen", f"127.0.0.1:{self.port}"]
        with log.open("ab") as out:
            self.server = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                           start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.server.poll() is not None:
                break
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=1):
                    return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"the server did not come up:\n{log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """Ends the server in order."""
        if self.server is not None and self.server.poll() is None:
            self.server.terminate()
            try:
                self.server.wait(20)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
        self.server = None

    def kill(self) -> None:
        """Ends the server at once, as a crash would."""
        assert self.server is not None
        self.server.send_signal(signal.SIGKILL)
        self.server.wait()
        self.server = None


def command_line(parts: List[str]) -> str:
    """A command to show, relative to the working directory where that is shorter."""
    here = os.getcwd() + os.sep
    return " ".join(part[len(here):] if part.startswith(here) else part for part in parts)
