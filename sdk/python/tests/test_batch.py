"""What a serving node signs, against vectors that were computed apart from it and against ssh-keygen."""
from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mltrail import batch, spool

VECTORS = Path(__file__).resolve().parents[3] / "tests" / "vectors" / "batch"


def lines(name):
    return (VECTORS / name).read_bytes().splitlines()


@pytest.fixture()
def key_file(tmp_path):
    """The key of the vectors, readable for its owner alone as ssh-keygen wants it."""
    path = tmp_path / "key"
    path.write_bytes((VECTORS / "key").read_bytes())
    path.chmod(0o600)
    (tmp_path / "key.pub").write_bytes((VECTORS / "key.pub").read_bytes())
    return path


def keys(key_file):
    made = {"ssh-keygen": batch._KeygenKey(key_file)}
    try:
        made["cryptography"] = batch._NativeKey(key_file)
    except ImportError:
        pass
    return made


def test_the_published_batches_come_out_byte_for_byte(key_file):
    predictions = [(json.loads(line)["sequence"], line) for line in lines("predictions.ndjson")]
    for name, key in keys(key_file).items():
        previous, at = None, 0
        for line in lines("batches.ndjson"):
            expected = json.loads(line)
            count = expected["count"]
            record, previous = batch.make_batch(key, expected["serving_node"], expected["stream"], predictions[at:at + count],
                                                previous, bytes.fromhex(expected["nonce"]), expected["timestamp"])
            assert record == expected, name
            at += count
        assert at == len(predictions)


def test_members_are_taken_as_they_were_sent():
    assert batch.members_as_sent(b'{ "a" : 1.50 , "b":{"x": [1 ]},"c\\u0041":"\\u00e9"}') == \
        [("a", b"1.50"), ("b", b'{"x": [1 ]}'), ("cA", b'"\\u00e9"')]
    assert batch.members_as_sent(b"{}") == []
    for bad in (b"", b"[]", b'{"a"}', b'{"a":1', b'{"a":1,,}', b"{1:2}", b'{"a":}'):
        with pytest.raises(ValueError):
            batch.members_as_sent(bad)


@pytest.mark.parametrize("count", range(1, 40))
def test_the_tree_is_that_of_rfc_6962(count):
    def root(leaves):
        if len(leaves) == 1:
            return leaves[0]
        k = 1 << (len(leaves) - 1).bit_length() - 1
        return hashlib.sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:])).digest()
    leaves = [hashlib.sha256(bytes([n])).digest() for n in range(count)]
    assert batch.tree_root(leaves) == root(leaves)


def test_a_signature_covers_every_byte(key_file, tmp_path):
    for key in keys(key_file).values():
        (tmp_path / "sig").write_text(key.sign(b"what was said\n"))
        for message, good in (("what was said\n", True), ("what was Said\n", False)):
            done = subprocess.run(["ssh-keygen", "-Y", "check-novalidate", "-n", "batch@mltrail", "-s", tmp_path / "sig"],
                                  input=message, text=True, capture_output=True)
            assert (done.returncode == 0) is good


def test_batches_end_at_gaps_and_name_the_one_before(key_file, tmp_path):
    writer = spool.SpoolWriter(tmp_path / "spool", "n")
    signer = batch.BatchSigner(writer, batch.load_key(key_file))
    head = b'{"kind":"prediction","sequence":'
    writer.predict(head, b"}")
    writer.predict(head, b"}")
    with writer._lock:
        writer.sequence += 1
        writer.lost += 1
    writer.predict_many(head, [b"}"] * 3)
    assert not signer.due(False) and signer.due(True)
    records = []
    while signer.due(True):
        assert signer.record() == signer.record()  # the same until it is in the spool
        records.append(json.loads(signer.record()))
        signer.done()
    assert [(r["first"], r["last"], r["count"]) for r in records] == [(1, 2, 2), (4, 6, 3)]
    assert "previous" not in records[0]
    assert records[1]["previous"] == "sha256:" + hashlib.sha256(records[0]["statement"].encode()).hexdigest()
    assert signer.waiting() == 0


def test_a_key_that_cannot_be_used_says_what_would_be_right(tmp_path):
    with pytest.raises(batch.SignatureError, match="ssh-keygen -t ed25519"):
        batch.load_key(tmp_path / "nothing")
    (tmp_path / "bad").write_text("no key")
    with pytest.raises(batch.SignatureError):
        batch.load_key(tmp_path / "bad")
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "ecdsa"], check=True)
    other = batch.load_key(tmp_path / "ecdsa")  # by ssh-keygen
    assert other.public.startswith("ecdsa-sha2-nistp256 ") and "BEGIN SSH SIGNATURE" in other.sign(b"x")


def test_signing_works_without_the_package_cryptography(key_file):
    program = ("import sys\nsys.modules['cryptography'] = None\nfrom mltrail import batch\n"
               "key = batch.load_key(sys.argv[1])\nassert type(key).__name__ == '_KeygenKey'\nprint(key.sign(b'x'))")
    done = subprocess.run([sys.executable, "-c", program, key_file], text=True, capture_output=True,
                          env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])})
    assert done.returncode == 0 and "BEGIN SSH SIGNATURE" in done.stdout, done.stderr
