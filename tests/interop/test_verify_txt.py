"""VERIFY.txt in an evidence bundle says how to check it with Go, OpenSSL and coreutils: it is done here as it says."""
from __future__ import annotations

import subprocess
import zipfile

import pytest

import gotools
from served import Served


@pytest.fixture(scope="module")
def bundle(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    served = Served(binary, folder / "served", "example.com/bundle")
    try:
        record = ('{"kind":"prediction","request_id":"r1","timestamp":"2026-11-01T10:00:00Z","model":"credit","model_version":"7",'
                  '"feature_values":{"age":61},"prediction":0.2}')
        (folder / "r.json").write_text(record + "\n")
        where = ("--trail", served.url, "--token-file", served.token_file)
        subprocess.run([binary, "append", *where], stdin=open(folder / "r.json"), check=True, capture_output=True, timeout=60)
        done = served.run("report", "r1", "--format", "bundle", "-o", folder / "bundle.zip", *where)
        assert done.returncode == 0, done.stderr
    finally:
        served.stop()
    with zipfile.ZipFile(folder / "bundle.zip") as packed:
        packed.extractall(folder / "bundle")
    return folder / "bundle", served.vkey


def test_sha256sum_agrees(bundle):
    folder, _ = bundle
    assert subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "manifest.sha256"], cwd=folder, capture_output=True).returncode == 0


def test_the_program_in_the_text_proves_every_entry(bundle):
    folder, vkey = bundle
    go = gotools.go()
    text = (folder / "VERIFY.txt").read_text()
    program = text[text.index("package main\n"):text.index("\n3. ")]
    module = next(word for word in text.split() if word.startswith("golang.org/x/mod@"))
    check = folder / "check"
    check.mkdir()
    (check / "main.go").write_text(program)
    gotools.run([go, "mod", "init", "check"], cwd=check)
    gotools.run([go, "get", module], cwd=check)
    gotools.run([go, "build", "-o", "prove", "."], cwd=check)
    entries = sorted((folder / "entries").iterdir())
    assert entries
    for entry in entries:
        proof = folder / "proofs" / (entry.stem + ".tlog-proof")
        done = subprocess.run([check / "prove", vkey, entry, proof], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.startswith(f"entry {entry.stem} is in the log example.com/bundle"), done.stderr
        changed = check / "changed.json"
        changed.write_bytes(entry.read_bytes() + b" ")
        assert subprocess.run([check / "prove", vkey, changed, proof], capture_output=True).returncode == 1
