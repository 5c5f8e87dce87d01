"""RFC 6962 and signed notes in plain Python: a second opinion that shares no code with what it checks."""
from __future__ import annotations

import base64
import hashlib
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple

# The fixed DER prefix of an Ed25519 public key (RFC 8410).
ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")


class Head(NamedTuple):
    origin: str
    size: int
    root: bytes


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def roots(leaves: Iterable[bytes]) -> Dict[int, bytes]:
    """The root at every size, from the definition: peaks of perfect subtrees, folded from the right."""
    found = {0: hashlib.sha256(b"").digest()}
    peaks: List["tuple[int, bytes]"] = []
    for count, leaf in enumerate(leaves, 1):
        peaks.append((0, leaf))
        while len(peaks) > 1 and peaks[-1][0] == peaks[-2][0]:
            level, right = peaks.pop()
            peaks[-1] = (level + 1, node_hash(peaks[-1][1], right))
        root = peaks[-1][1]
        for _, left in reversed(peaks[:-1]):
            root = node_hash(left, root)
        found[count] = root
    return found


def root_from_inclusion(leaf: bytes, index: int, size: int, path: List[bytes]) -> bytes:
    """RFC 9162, 2.1.3.2."""
    assert index < size
    fn, sn, root = index, size - 1, leaf
    for sibling in path:
        assert sn != 0, "the proof is too long"
        if fn & 1 or fn == sn:
            root = node_hash(sibling, root)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            root = node_hash(root, sibling)
        fn >>= 1
        sn >>= 1
    assert sn == 0, "the proof is too short"
    return root


def read_entries(trail: Path) -> List[bytes]:
    """All entries of a trail directory that was closed: each with a big-endian u16 length before it."""
    data = (trail / "entries.dat").read_bytes()
    entries, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from(">H", data, at)
        entries.append(data[at + 2:at + 2 + length])
        assert len(entries[-1]) == length, "entries.dat ends inside an entry"
        at += 2 + length
    return entries


def open_checkpoint(note: str, vkey: str) -> Head:
    """Checks the signature of the key's owner; raises AssertionError when it is not there or wrong."""
    name, key_hash, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1 and len(key) == 33, "not an Ed25519 key"
    assert hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_hash
    body, signatures = note.split("\n\n", 1)
    text = (body + "\n").encode()
    for line in signatures.splitlines():
        dash, signer, blob = line.split(" ")
        raw = base64.b64decode(blob)
        if dash == "\u2014" and signer == name and raw[:4].hex() == key_hash:
            assert verify_ed25519(key[1:], text, raw[4:]), "the signature is wrong"
            origin, size, root = body.split("\n")[:3]
            return Head(origin, int(size), base64.b64decode(root))
    raise AssertionError(f"no signature of {name}+{key_hash}")


def verify_ed25519(key: bytes, text: bytes, signature: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return _verify_with_openssl(key, text, signature)
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def _verify_with_openssl(key: bytes, text: bytes, signature: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        files = {"key": ED25519_PREFIX + key, "text": text, "signature": signature}
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key", "-rawin",
                               "-in", "text", "-sigfile", "signature"], cwd=folder, capture_output=True,
                              check=False).returncode == 0
