#!/usr/bin/python3
"""Writes batches.ndjson: the batches that the key of this folder signs over predictions.ndjson, each with its leaves.

The computation is spelled out here once more, apart from the SDK, with ssh-keygen for the signatures (Ed25519 signatures
are the same each time). The key is for tests alone.

    tests/vectors/batch/make.py
"""
from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BATCHES = [(0, 1, "00" * 32), (1, 4, "11" * 32), (4, 7, "22" * 32)]  # predictions from, to, nonce
NOW = "2026-11-25T08:00:01Z"


def block(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def leaf(nonce: bytes, line: str) -> bytes:
    """Values are compared as they stand: this file's predictions are such that Python writes them back unchanged."""
    record = json.loads(line)
    compact = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))  # noqa: E731
    assert compact(record) == line
    names = sorted((name for name in record if name != "kind"), key=lambda name: name.encode())
    content = block(record["kind"].encode()) + b"".join(block(n.encode()) + block(compact(record[n]).encode()) for n in names)
    return hashlib.sha256(b"\x00" + nonce + content).digest()


def root(leaves: list) -> bytes:
    """RFC 6962 section 2.1, as it is written there."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:])).digest()


def sign(text: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        key, message = Path(folder) / "key", Path(folder) / "message"
        key.write_bytes((HERE / "key").read_bytes())
        os.chmod(key, 0o600)
        message.write_text(text)
        subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "batch@mltrail", "-f", key, message], check=True,
                       stdin=subprocess.DEVNULL)
        return Path(folder, "message.sig").read_text()


def main() -> None:
    lines = (HERE / "predictions.ndjson").read_text().splitlines()
    public = " ".join((HERE / "key.pub").read_text().split()[:2])
    previous, out = None, []
    for start, stop, nonce in BATCHES:
        part = lines[start:stop]
        leaves = [leaf(bytes.fromhex(nonce), line) for line in part]
        first, last = json.loads(part[0])["sequence"], json.loads(part[-1])["sequence"]
        names = {"serving_node": json.loads(part[0])["serving_node"], "stream": json.loads(part[0])["stream"], "first": first,
                 "last": last, "count": len(part), "root": "sha256:" + root(leaves).hex(), "previous": previous}
        text = "mltrail batch v1\n" + "".join(f"{n}: {json.dumps(v, ensure_ascii=False)}\n" for n, v in names.items())
        record = {"kind": "batch", "event_id": f"{names['stream']}-batch-{first}", "timestamp": NOW,
                  **{n: names[n] for n in ("serving_node", "stream", "first", "last", "count", "root")}, "statement": text,
                  "signature": sign(text), "key": public, "nonce": nonce, "leaves": [digest.hex() for digest in leaves]}
        if previous:
            record["previous"] = previous
        previous = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        out.append(json.dumps(record, ensure_ascii=False, separators=(",", ":")))
    (HERE / "batches.ndjson").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
