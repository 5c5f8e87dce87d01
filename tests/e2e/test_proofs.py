"""The second opinion itself: it must fail on what is wrong."""
from __future__ import annotations

import base64
import hashlib

import pytest

import proofs

LEAVES = [proofs.leaf_hash(bytes([n])) for n in range(7)]


def path_of(index, leaves):
    """An inclusion path from the recursive definition, RFC 9162 2.1.3.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    def root(part):
        return proofs.roots(part)[len(part)]
    if index < split:
        return path_of(index, leaves[:split]) + [root(leaves[split:])]
    return path_of(index - split, leaves[split:]) + [root(leaves[:split])]


def test_every_leaf_leads_to_the_root_and_to_no_other():
    for size in range(1, 8):
        root = proofs.roots(LEAVES[:size])[size]
        for index in range(size):
            path = path_of(index, LEAVES[:size])
            assert proofs.root_from_inclusion(LEAVES[index], index, size, path) == root
            if path:
                wrong = [bytes(32)] + path[1:]
                assert proofs.root_from_inclusion(LEAVES[index], index, size, wrong) != root
                with pytest.raises(AssertionError):
                    proofs.root_from_inclusion(LEAVES[index], index, size, path[:-1])


def test_a_changed_checkpoint_is_refused_by_both_verifiers():
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    private = ed25519.Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes_raw() if hasattr(private.public_key(), "public_bytes_raw") else None
    if raw is None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key = b"\x01" + raw
    key_hash = hashlib.sha256(b"log\n" + key).digest()[:4]
    text = "log\n7\n" + base64.b64encode(bytes(32)).decode() + "\n"
    signature = private.sign(text.encode())
    note = f"{text}\n\u2014 log {base64.b64encode(key_hash + signature).decode()}\n"
    vkey = f"log+{key_hash.hex()}+{base64.b64encode(key).decode()}"
    assert proofs.open_checkpoint(note, vkey) == proofs.Head("log", 7, bytes(32))
    with pytest.raises(AssertionError, match="signature is wrong"):
        proofs.open_checkpoint(note.replace("\n7\n", "\n8\n"), vkey)
    assert proofs._verify_with_openssl(raw, text.encode(), signature)
    assert not proofs._verify_with_openssl(raw, text.encode() + b"x", signature)
