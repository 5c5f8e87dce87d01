"""A model's digests: the program, the SDK, coreutils and OpenSSF's own package agree, also on names that are easy to get wrong."""
from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest

import mltrail

model_signing = pytest.importorskip("model_signing")

TRICKY = ["a/b", "a.txt", "a b", "a-b", "a", "A", "a+b/c", "a/b.c/d", "a/b/c", "ünï", "u\u0308", "😀", "\uffee", "…", "~", "-n",
          ".hidden", ".hidden/x", "a.b/.gitignore", "x/.git/HEAD", " lead", "trail ", "quote'\"", "back\\slash", "$HOME", "*",
          "very/" * 30 + "deep", "n" * 200, ".git/HEAD", ".github/w.yml", ".gitattributes", ".gitignore", ".gitx"]


def make(top: Path, names) -> None:
    for number, name in enumerate(names):
        file = top / name
        if any(parent.is_file() for parent in file.parents) or file.is_dir():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"%d\n" % number * (number % 7 * 50_000))


def digest(binary: Path, *args) -> tuple[int, dict]:
    done = subprocess.run([binary, "digest", *map(str, args), "--json", "--quiet"], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def official(top: Path):
    return model_signing.hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=True).hash(top)


def resources(manifest) -> list[tuple[str, str]]:
    return [(str(item.identifier), item.digest.digest_hex) for item in manifest.resource_descriptors()]


def root_of(manifest) -> str:
    from model_signing._signing.signing import Payload
    return Payload(manifest).statement.pb.subject[0].digest["sha256"]


@pytest.mark.parametrize("seed", range(12))
def test_all_agree(binary, tmp_path, seed):
    names = random.Random(seed).sample(TRICKY, 18) if seed else TRICKY
    top = tmp_path / "model"
    top.mkdir()
    make(top, names)
    ours, (_, theirs), real = mltrail.hash_directory(top), digest(binary, top, "--manifest"), official(top)
    assert theirs["oms"] == ours.oms == root_of(real)
    assert theirs["dirHash"] == ours.dir_hash
    named = [(item["name"], item["digest"]) for item in theirs["manifest"]]
    assert named == [(item["name"], item["digest"]) for item in ours.manifest] == resources(real)
    assert (theirs["files"], theirs["bytes"]) == (len(ours.files), sum(file.size for file in ours.files))


def test_a_single_file_agrees(binary, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"weights")
    ours, (_, theirs) = mltrail.hash_directory(tmp_path / "model.bin"), digest(binary, tmp_path / "model.bin")
    assert theirs["oms"] == ours.oms == root_of(official(tmp_path / "model.bin"))
    assert ours.digests == {"sha256": theirs["sha256"], "oms": theirs["oms"]}


def test_a_real_signature_is_a_manifest(binary, tmp_path):
    top, key = tmp_path / "model", tmp_path / "key.pem"
    top.mkdir()
    make(top, TRICKY)
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key], check=True, capture_output=True)
    signature = top / "model.sig"
    model_signing.signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(
        model_signing.hashing.Config().set_ignored_paths(paths=[signature], ignore_git_paths=True)).sign(top, signature)
    code, same = digest(binary, top, "--check", signature)
    assert code == 0 and same["same"] and same["differences"] == []
    (top / "a b").write_bytes(b"another")
    (top / ".gitignore").unlink()  # counts for no model
    code, differs = digest(binary, top, "--check", signature)
    assert code == 1 and differs["differences"] == [{"difference": "changed", "name": "a b"}] and differs["root_differs"]


def test_symbolic_links_are_refused_by_all(binary, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "file").write_bytes(b"x")
    (tmp_path / "model" / "link").symlink_to("file")
    with pytest.raises(ValueError):
        official(tmp_path / "model")
    with pytest.raises(ValueError, match="symbolic link"):
        mltrail.hash_directory(tmp_path / "model")
    assert subprocess.run([binary, "digest", tmp_path / "model"], capture_output=True).returncode == 2
