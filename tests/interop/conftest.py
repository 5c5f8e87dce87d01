"""Software of others that reads what we write, and writes what we read. It is built from Go modules where Go is at hand."""
from __future__ import annotations

import fcntl
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
from built import binary  # noqa: E402, F401
TOOLS = ROOT / "build-check" / "go"  # built once, kept between runs
GO_MIN = (1, 24)
BUILD_S = 600
START_S = 20


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go at hand")
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"go(\d+)\.(\d+)", version)
    if not found or (int(found[1]), int(found[2])) < GO_MIN:
        pytest.skip(f"Go is too old: {version.strip()}")
    return go


def _run(command: list, **more) -> subprocess.CompletedProcess:
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S, **more)
    if done.returncode != 0:
        if re.search(r"dial tcp|no such host|i/o timeout|connection refused|TLS handshake|proxyconnect", done.stderr):
            pytest.skip(f"Go modules cannot be reached: {done.stderr.strip().splitlines()[-1][:200]}")
        raise AssertionError(f"{command}: {done.stderr[-2000:]}")
    return done


def go_tool(module: str, version: str, package: str = "", name: str | None = None, replace: dict[str, str] | None = None,
            into: Path = TOOLS) -> Path:
    """Builds PACKAGE of MODULE@VERSION, unless it is there already, also one that is internal to the module. `replace` gives files of
    the module other contents, for a program that is built `into` the folder of one test."""
    name = name or (package or module).rstrip("/").rsplit("/", 1)[1]
    binary = into / f"{name}@{version}"
    if binary.exists():
        return binary
    go = _go()
    TOOLS.mkdir(parents=True, exist_ok=True)
    with open(TOOLS / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = json.loads(_run([go, "mod", "download", "-json", f"{module}@{version}"], cwd=TOOLS).stdout)
        source = TOOLS / f"{module.replace('/', '-')}@{version}"
        if not source.exists():
            shutil.copytree(found["Dir"], source)
            _run(["chmod", "-R", "u+w", str(source)])
        files = {}
        for number, (file, content) in enumerate((replace or {}).items()):
            (into / f"replaced-{number}").write_text(content)
            files[str(source / file)] = str(into / f"replaced-{number}")
        (into / "overlay.json").write_text(json.dumps({"Replace": files}))
        _run([go, "build", "-overlay", str(into / "overlay.json"), "-o", str(binary), "./" + package], cwd=source)
    return binary


@pytest.fixture(scope="session")
def tlogcheck() -> Path:
    """The checker beside this file, made of the Go project's own note and tlog packages."""
    go = _go()
    TOOLS.mkdir(parents=True, exist_ok=True)
    _run([go, "build", "-o", str(TOOLS / "tlogcheck"), "."], cwd=Path(__file__).parent / "tlogcheck")
    return TOOLS / "tlogcheck"


class Served:
    """A trail with a server on a port that the system chose, ended by its process id."""

    def __init__(self, binary: Path, folder: Path, origin: str, *init: str, serve: tuple = ()):
        self.binary, self.dir, self.port_file, self.options = binary, folder / "trail", folder / "port", serve
        folder.mkdir(parents=True, exist_ok=True)
        made = subprocess.run([binary, "init", self.dir, "--origin", origin, *init], capture_output=True, text=True, check=True, timeout=START_S)
        self.vkey = re.search(rf"{re.escape(origin)}\+[0-9a-f]{{8}}\+\S+", made.stdout)[0]
        self.key_file = folder / "vkey"
        self.key_file.write_text(self.vkey + "\n")
        self.token_file = folder / "trail.state" / "admin.token"
        self.start()

    def start(self) -> None:
        self.port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen([self.binary, "serve", self.dir, "--listen", "127.0.0.1:0", "--port-file", self.port_file,
                                         *self.options], stdout=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while not (self.port_file.exists() and self.port_file.read_text().strip()):
            assert self.process.poll() is None and time.monotonic() < until, "the server did not start"
            time.sleep(0.02)
        self.port = int(self.port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=60)

    def run(self, *args) -> subprocess.CompletedProcess:
        return subprocess.run([self.binary, *map(str, args)], capture_output=True, text=True, timeout=120)
