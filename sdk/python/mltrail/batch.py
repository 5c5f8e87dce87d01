"""Signatures of a serving node over its own predictions (docs/FORMAT.md, "Signed batches").

A batch names the predictions it covers by the root of a Merkle tree over what was sent, and the batch before it by a
digest, so that whoever holds the public key can tell whether the trail has what this node logged, all of it, unchanged.
"""
from __future__ import annotations

import base64
import collections
import hashlib
import json
import logging
import os
import shutil
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Deque, Dict, List, Optional, Protocol, Sequence, Tuple, Union

from .errors import MltrailError
from .spool import SpoolWriter, encode_record
from .values import now

log = logging.getLogger("mltrail")

NAMESPACE = "batch@mltrail"
BATCH_PREDICTIONS_MAX = 1000
BATCH_S = 1.0                 # a prediction is signed at the latest so long after it was logged
NONCE_LEN = 32
UNSIGNED_MAX = 100_000        # predictions that wait for a signature in memory
_SSHSIG_LINE = 70             # characters of base64 a line, as ssh-keygen writes them
_KEYGEN_S = 20.0
_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"


class SignatureError(MltrailError):
    """The key cannot be used."""


class Key(Protocol):
    """A private SSH key."""

    public: str  # `ssh-ed25519 AAAA…`

    def sign(self, message: bytes) -> str:
        """An armoured SSHSIG over the message, in the namespace of batches."""


# What is signed -----------------------------------------------------------------------------------------------


def members_as_sent(record: bytes) -> List[Tuple[str, bytes]]:
    """The members of a JSON object with the bytes of their values, in order; ValueError."""
    text = record.decode("utf-8")
    at = _behind_space(text, 0)
    if text[at:at + 1] != "{":
        raise ValueError("a record is an object")
    members: List[Tuple[str, bytes]] = []
    at = _behind_space(text, at + 1)
    while text[at:at + 1] != "}":
        if text[at:at + 1] != '"':
            raise ValueError(f"want a member name at character {at}")
        name, at = _DECODER.raw_decode(text, at)
        at = _behind_space(text, at)
        if text[at:at + 1] != ":":
            raise ValueError(f"want a colon at character {at}")
        at = _behind_space(text, at + 1)
        _, end = _DECODER.raw_decode(text, at)
        members.append((name, text[at:end].encode("utf-8")))
        at = _behind_space(text, end)
        if text[at:at + 1] == ",":
            at = _behind_space(text, at + 1)
        elif text[at:at + 1] != "}":
            raise ValueError(f"want a comma at character {at}")
    return members


def _behind_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def canonical(record: bytes) -> bytes:
    """A record as it goes into a leaf: its kind, then its other members in the order of their names."""
    kind = b""
    members: List[Tuple[bytes, bytes]] = []
    for name, value in members_as_sent(record):
        if name == "kind":
            kind = json.loads(value).encode("utf-8")
        else:
            members.append((name.encode("utf-8"), value))
    return _block(kind) + b"".join(_block(name) + _block(value) for name, value in sorted(members))


def _block(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def leaf_hash(nonce: bytes, record: bytes) -> bytes:
    """The leaf of a prediction. The nonce keeps what it says from being guessed from the hash."""
    return hashlib.sha256(b"\x00" + nonce + canonical(record)).digest()


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree of RFC 6962 section 2.1 over leaf hashes."""
    if not leaves:
        return hashlib.sha256().digest()
    level = list(leaves)
    # Pairs from the left, an odd one goes up as it is: the same tree as by the split at the largest power of two.
    while len(level) > 1:
        above = [hashlib.sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = above + level[len(level) & ~1:]
    return level[0]


def statement(serving_node: str, stream: str, first: int, last: int, count: int, root: bytes,
              previous: Optional[bytes]) -> bytes:
    """The text that is signed. `previous` is the SHA-256 of the statement of the batch before."""
    lines = {"serving_node": serving_node, "stream": stream, "first": first, "last": last, "count": count,
             "root": "sha256:" + root.hex(), "previous": None if previous is None else "sha256:" + previous.hex()}
    return "".join(["mltrail batch v1\n"] + [f"{name}: {json.dumps(value, ensure_ascii=False)}\n"
                                             for name, value in lines.items()]).encode("utf-8")


def make_batch(key: Key, serving_node: str, stream: str, predictions: Sequence[Tuple[int, bytes]],
               previous: Optional[bytes], nonce: bytes, timestamp: str) -> Tuple[Dict[str, Any], bytes]:
    """The record over predictions (number, record as sent) without a gap, and the digest that the next batch names."""
    leaves = [leaf_hash(nonce, record) for _, record in predictions]
    root = tree_root(leaves)
    first, last = predictions[0][0], predictions[-1][0]
    text = statement(serving_node, stream, first, last, len(predictions), root, previous)
    record: Dict[str, Any] = {
        "kind": "batch", "event_id": f"{stream}-batch-{first}", "timestamp": timestamp, "serving_node": serving_node,
        "stream": stream, "first": first, "last": last, "count": len(predictions), "root": "sha256:" + root.hex(),
        "statement": text.decode("utf-8"), "signature": key.sign(text), "key": key.public, "nonce": nonce.hex(),
        "leaves": [leaf.hex() for leaf in leaves]}
    if previous is not None:
        record["previous"] = "sha256:" + previous.hex()
    return record, hashlib.sha256(text).digest()


class BatchSigner:
    """Signs the predictions of one stream, batch after batch."""

    def __init__(self, writer: SpoolWriter, key: Key) -> None:
        self._writer = writer
        self._key = key
        self._queue: Deque[Tuple[int, bytes]] = collections.deque()  # appended to under the writer's lock
        self._since = 0.0
        self._previous: Optional[bytes] = None
        self._made: Optional[Tuple[bytes, bytes, int]] = None  # record, its digest, how many it covers
        writer.signed = self._queue

    def waiting(self) -> int:
        """How many predictions are not signed yet."""
        return len(self._queue)

    def due(self, now: bool) -> bool:
        """Whether the next batch is to be signed."""
        if not self._queue:
            self._since = 0.0
            return False
        if len(self._queue) > UNSIGNED_MAX and self._made is None:
            # Signing does not work, or not as fast as predictions come: these stay unsigned, which the trail shows.
            log.error("%d predictions stay unsigned", UNSIGNED_MAX // 2)
            for _ in range(UNSIGNED_MAX // 2):
                self._queue.popleft()
        if now or self._made is not None or len(self._queue) >= BATCH_PREDICTIONS_MAX:
            return True
        if self._since == 0.0:
            self._since = time.monotonic()
        return time.monotonic() - self._since >= BATCH_S

    def record(self) -> bytes:
        """The record over the next batch; the same again until `done`."""
        if self._made is None:
            predictions = self._next_run()
            record, digest = make_batch(self._key, self._writer.serving_node, self._writer.stream, predictions,
                                        self._previous, os.urandom(NONCE_LEN), now())
            self._made = encode_record(record), digest, len(predictions)
        return self._made[0]

    def _next_run(self) -> List[Tuple[int, bytes]]:
        """A batch has every number from its first to its last: it ends where one was lost."""
        run = [self._queue[0]]
        for i in range(1, min(len(self._queue), BATCH_PREDICTIONS_MAX)):
            if self._queue[i][0] != run[-1][0] + 1:
                break
            run.append(self._queue[i])
        return run

    def done(self) -> None:
        """The record is in the spool."""
        assert self._made is not None
        _, self._previous, count = self._made
        for _ in range(count):
            self._queue.popleft()
        self._made = None
        self._since = 0.0


# Keys ---------------------------------------------------------------------------------------------------------


def load_key(path: Union[str, "os.PathLike[str]"]) -> Key:
    """The private SSH key in a file: by the package `cryptography` where it is at hand and the key is Ed25519, else by
    `ssh-keygen`, which also takes keys of an agent and of hardware (name the public key file then)."""
    file = Path(path)
    if not file.exists():
        raise SignatureError(f"{file}: there is no such key; `ssh-keygen -t ed25519 -N '' -f {file}` makes one")
    try:
        return _NativeKey(file)
    except Exception:  # not installed, or not a key that it reads: another kind, encrypted, in hardware
        return _KeygenKey(file)


class _NativeKey:
    """An Ed25519 key in memory: a signature takes some 50 µs instead of a process."""

    def __init__(self, path: Path) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

        key = load_ssh_private_key(path.read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{path} is no Ed25519 key")
        self._key = key
        self.public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")

    def sign(self, message: bytes) -> str:
        """An armoured SSHSIG."""
        signature = _block(b"ssh-ed25519") + _block(self._key.sign(signed_data(message)))
        return armour(b"SSHSIG" + struct.pack(">I", 1) + _block(base64.b64decode(self.public.split()[1])) +
                      _block(NAMESPACE.encode()) + _block(b"") + _block(b"sha512") + _block(signature))


def signed_data(message: bytes) -> bytes:
    """What an SSHSIG signs (OpenSSH PROTOCOL.sshsig)."""
    return b"SSHSIG" + _block(NAMESPACE.encode()) + _block(b"") + _block(b"sha512") + _block(hashlib.sha512(message).digest())


def armour(blob: bytes) -> str:
    """A signature as text."""
    text = base64.b64encode(blob).decode("ascii")
    lines = [text[i:i + _SSHSIG_LINE] for i in range(0, len(text), _SSHSIG_LINE)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


class _KeygenKey:
    """Whatever ssh-keygen can sign with."""

    def __init__(self, path: Path) -> None:
        program = shutil.which("ssh-keygen")
        if program is None:
            raise SignatureError("neither the package cryptography nor the program ssh-keygen is here to sign with")
        self._path = path
        self._program = program
        self._lock = threading.Lock()
        public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
        if public.exists():
            words = public.read_text(encoding="utf-8").split()
        else:
            words = self._run("-y", "-P", "", "-f", str(path)).split()
        if len(words) < 2:
            raise SignatureError(f"{public}: no public key in it")
        self.public = " ".join(words[:2])

    def sign(self, message: bytes) -> str:
        """An armoured SSHSIG."""
        with self._lock, tempfile.NamedTemporaryFile(prefix="mltrail-") as file:
            # Through a file: versions before 8.9 cannot sign what comes through a pipe without a question.
            file.write(message)
            file.flush()
            signature = Path(file.name + ".sig")
            try:
                self._run("-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(self._path), file.name)
                return signature.read_text(encoding="ascii")
            finally:
                if signature.exists():
                    signature.unlink()

    def _run(self, *arguments: str) -> str:
        try:
            # In a session of its own it has no terminal to ask for a passphrase on.
            done = subprocess.run([self._program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=_KEYGEN_S, check=False, start_new_session=True)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SignatureError(f"ssh-keygen: {error}") from error
        if done.returncode != 0:
            raise SignatureError(f"ssh-keygen with {self._path}: {done.stderr.strip()}")
        return done.stdout
