"""Digests against coreutils and against encodings written out by hand."""
from __future__ import annotations

import datetime
import hashlib
import struct
import subprocess

import pytest

import mltrail


def make_tree(top):
    (top / "a").mkdir(parents=True)
    (top / "a" / "b").write_bytes(b"in a folder")
    (top / "a.txt").write_bytes(b"beside it")
    (top / "Z").write_bytes(b"")
    (top / "ünïcode").write_bytes(b"\x00\xff")
    (top / ".git").mkdir()
    (top / ".git" / "HEAD").write_bytes(b"ref")
    (top / "empty").mkdir()


def test_dir_hash_is_what_coreutils_computes(tmp_path):
    make_tree(tmp_path)
    pipeline = "find . -type f | cut -c3- | LC_ALL=C sort | xargs -r sha256sum | sha256sum"
    oracle = subprocess.run(["sh", "-c", pipeline], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert mltrail.hash_directory(tmp_path).dir_hash == oracle.stdout.split()[0]


def test_oms_root_orders_by_component_and_leaves_git_out(tmp_path):
    make_tree(tmp_path)
    digests = [hashlib.sha256(content).digest() for content in (b"", b"in a folder", b"beside it", b"\x00\xff")]
    result = mltrail.hash_directory(tmp_path)
    assert result.oms == hashlib.sha256(b"".join(digests)).hexdigest()
    assert [item["name"] for item in result.manifest] == ["Z", "a/b", "a.txt", "ünïcode"]


def test_a_single_file_is_the_digest_of_its_digest(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"weights")
    assert mltrail.hash_directory(tmp_path / "model.bin").oms == \
        hashlib.sha256(hashlib.sha256(b"weights").digest()).hexdigest()
    assert mltrail.hash_file(tmp_path / "model.bin") == "sha256:" + hashlib.sha256(b"weights").hexdigest()


def test_symbolic_links_and_empty_directories_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no files"):
        mltrail.hash_directory(tmp_path)
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(ValueError, match="symbolic link"):
        mltrail.hash_directory(tmp_path)
    assert len(mltrail.hash_directory(tmp_path, ignore=["link"]).files) == 1


def test_a_change_of_one_byte_or_name_changes_dir_hash(tmp_path):
    make_tree(tmp_path)
    before = mltrail.hash_directory(tmp_path)
    (tmp_path / "Z").rename(tmp_path / "Y")
    renamed = mltrail.hash_directory(tmp_path)
    assert renamed.dir_hash != before.dir_hash and renamed.oms == before.oms
    (tmp_path / "Y").write_bytes(b"!")
    assert mltrail.hash_directory(tmp_path).oms != before.oms


def block(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def test_rows_have_the_documented_encoding():
    moment = datetime.datetime(2024, 1, 31, 13, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    expected = (b"mltrail-rows-1\n" + struct.pack(">I", 2) + block(b"id") + block("größe".encode())
                + b"RI" + block(b"1") + b"D" + block(struct.pack(">d", 0.0))
                + b"RN" + block(b"") + b"S" + block("ä".encode())
                + b"RT" + block(b"") + b"M" + block(b"2024-01-31T12:00:00.000000Z")
                + b"E" + struct.pack(">Q", 3))
    result = mltrail.hash_rows(["id", "größe"], iter([(1, -0.0), {"größe": "ä", "id": None}, (True, moment)]))
    assert result.digest == "sha256:" + hashlib.sha256(expected).hexdigest()
    assert result.rows == 3


def test_rows_tell_apart_what_differs():
    def digest(*rows):
        return mltrail.hash_rows(["a", "b"], rows).digest
    different = [digest((1, 2)), digest((2, 1)), digest((1.0, 2)), digest(("1", 2)), digest((1, 2), (1, 2)),
                 digest((12, "")), digest((1, "2")), digest((1, None)), digest((1, False))]
    assert len(set(different)) == len(different)
    with pytest.raises(ValueError, match="row 1 has 1 values, want 2"):
        digest((1,))


def test_numpy_scalars_hash_as_their_python_values():
    numpy = pytest.importorskip("numpy")
    assert mltrail.hash_rows(["a"], [[numpy.int64(3)], [numpy.float32(0.5)]]).digest == \
        mltrail.hash_rows(["a"], [[3], [0.5]]).digest


def test_git_state_tells_commit_and_dirt(tmp_path):
    def git(*arguments):
        return subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org",
                               *arguments], check=True, capture_output=True, text=True).stdout.strip()
    with pytest.raises(mltrail.GitError):
        mltrail.git_state(tmp_path / "nowhere")
    git("init", "-q")
    (tmp_path / "train.py").write_text("1\n")
    git("add", ".")
    git("commit", "-qm", "first")
    git("remote", "add", "origin", "https://user:secret@example.org/team/model.git")
    state = mltrail.git_state(tmp_path)
    assert state == mltrail.GitState(git("rev-parse", "HEAD"), False, "https://example.org/team/model.git")
    (tmp_path / "train.py").write_text("2\n")
    assert mltrail.git_state(tmp_path).dirty


def test_values_without_a_json_form_get_a_documented_one():
    numpy = pytest.importorskip("numpy")
    assert mltrail.encode_json({"a": float("nan"), "b": numpy.float64(1.5), "c": numpy.array([[1, 2]]), "d": {2, 1},
                                "e": float("-inf"), "f": numpy.bool_(True)}) == \
        b'{"a":"NaN","b":1.5,"c":[[1,2]],"d":[1,2],"e":"-Infinity","f":true}'
    with pytest.raises(ValueError, match="time zone"):
        mltrail.encode_json(datetime.datetime(2024, 1, 1))
    with pytest.raises(TypeError, match="object"):
        mltrail.encode_json(object())
