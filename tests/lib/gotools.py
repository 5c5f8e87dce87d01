"""Software of others, and ours made of it, built from Go modules where Go is at hand; elsewhere the test skips and says so."""
from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from built import ROOT

TOOLS = ROOT / "build-check" / "go"  # built once, kept between runs
GO_MIN = (1, 24)
BUILD_S = 600


def go() -> str:
    program = shutil.which("go")
    if program is None:
        pytest.skip("no Go at hand")
    version = subprocess.run([program, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"go(\d+)\.(\d+)", version)
    if not found or (int(found[1]), int(found[2])) < GO_MIN:
        pytest.skip(f"Go is too old: {version.strip()}")
    return program


def run(command: list, **more) -> subprocess.CompletedProcess:
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S, **more)
    if done.returncode != 0:
        if re.search(r"dial tcp|no such host|i/o timeout|connection refused|TLS handshake|proxyconnect", done.stderr):
            pytest.skip(f"Go modules cannot be reached: {done.stderr.strip().splitlines()[-1][:200]}")
        raise AssertionError(f"{command}: {done.stderr[-2000:]}")
    return done


def module_tool(module: str, version: str, package: str = "", name: str | None = None, replace: dict[str, str] | None = None,
            into: Path = TOOLS) -> Path:
    """Builds PACKAGE of MODULE@VERSION, unless it is there already, also one that is internal to the module. `replace` gives files of
    the module other contents, for a program that is built `into` the folder of one test."""
    name = name or (package or module).rstrip("/").rsplit("/", 1)[1]
    binary = into / f"{name}@{version}"
    if binary.exists():
        return binary
    program = go()
    TOOLS.mkdir(parents=True, exist_ok=True)
    with open(TOOLS / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = json.loads(run([program, "mod", "download", "-json", f"{module}@{version}"], cwd=TOOLS).stdout)
        source = TOOLS / f"{module.replace('/', '-')}@{version}"
        if not source.exists():
            shutil.copytree(found["Dir"], source)
            run(["chmod", "-R", "u+w", str(source)])
        files = {}
        for number, (file, content) in enumerate((replace or {}).items()):
            (into / f"replaced-{number}").write_text(content)
            files[str(source / file)] = str(into / f"replaced-{number}")
        (into / "overlay.json").write_text(json.dumps({"Replace": files}))
        run([program, "build", "-overlay", str(into / "overlay.json"), "-o", str(binary), "./" + package], cwd=source)
    return binary


def own_tool(source: Path) -> Path:
    """Builds the program of ours in this folder."""
    program = go()
    TOOLS.mkdir(parents=True, exist_ok=True)
    run([program, "build", "-o", str(TOOLS / source.name), "."], cwd=source)
    return TOOLS / source.name
