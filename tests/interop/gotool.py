"""Software of others, built once from Go modules at pinned versions and kept under build-check/. Without Go, or without
the modules at hand, the tests that need it are skipped and say so."""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build-check" / "go"
GO_MIN = (1, 25)
BUILD_S = 900


def go_tool(module: str, version: str, package: str = "", name: str | None = None, replace: dict | None = None,
            into: Path = TOOLS) -> Path:
    """The program PACKAGE of MODULE@VERSION. `replace` gives files of the module other contents; it is then built anew `into`
    another folder."""
    path = f"{module}/{package}".rstrip("/")
    name = name or path.rsplit("/", 1)[1]
    binary = into / f"{name}@{version}"
    if binary.exists():
        return binary
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    found = re.search(r"go(\d+)\.(\d+)", subprocess.run([go, "version"], capture_output=True, text=True, check=True).stdout)
    if (int(found[1]), int(found[2])) < GO_MIN:
        pytest.skip(f"Go is older than {GO_MIN[0]}.{GO_MIN[1]}")
    TOOLS.mkdir(parents=True, exist_ok=True)
    # Built where its own go.sum is, so that every module below it is the one that its authors pinned.
    found = json.loads(_go(go, "mod", "download", "-json", f"{module}@{version}", cwd=TOOLS))
    source = TOOLS / "src" / f"{module.replace('/', '-')}@{version}"
    if not source.exists():
        shutil.copytree(found["Dir"], source, copy_function=shutil.copyfile)
    overlay = []
    if replace:
        files = {}
        for number, (file, content) in enumerate(replace.items()):
            (into / f"replaced-{number}").write_text(content)
            files[str(source / file)] = str(into / f"replaced-{number}")
        (into / "overlay.json").write_text(json.dumps({"Replace": files}))
        overlay = ["-overlay", str(into / "overlay.json")]
    _go(go, "build", *overlay, "-o", str(binary), "./" + package, cwd=source)
    return binary


def _go(go: str, *args: str, cwd: Path) -> str:
    env = {**os.environ, "GOPATH": str(TOOLS), "GOFLAGS": "-modcacherw -mod=mod", "GOTOOLCHAIN": "local"}
    done = subprocess.run([go, *args], cwd=cwd, env=env, capture_output=True, text=True, timeout=BUILD_S)
    if done.returncode != 0 and re.search(r"dial tcp|no such host|i/o timeout|connection refused|TLS handshake", done.stderr):
        pytest.skip("Go modules cannot be reached: " + done.stderr.strip().splitlines()[-1][:200])
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
