"""The tamper grid: what somebody does to a trail or to what was taken from it, who sees it, and where it is said.

Each row attacks a real trail or bundle and lets each observer look at it with the program itself. What they saw makes the
table in docs/THREATS.md: the test fails when the two differ, and MLT_WRITE=1 writes the table anew.
"""
from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
import subprocess
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

KEYS = "the key"
RECEIPT = "a receipt"
CHECKPOINT = "an older checkpoint"
WITNESS = "a witness"
OBSERVERS = (KEYS, RECEIPT, CHECKPOINT, WITNESS)
RUN_S = 60


@dataclass
class Seen:
    """What one observer was told: None when there is nothing that this observer can look at."""
    detected: bool | None = None
    text: str = ""


@dataclass
class Row:
    attack: str
    seen: dict[str, Seen] = field(default_factory=dict)
    located: str = ""

    def cells(self) -> list[str]:
        words = {True: "detected", False: "no", None: "–"}
        return [self.attack, *(words[self.seen.get(o, Seen()).detected] for o in OBSERVERS), self.located]


def run(binary: Path, *args, code: tuple[int, ...] | None = None, stdin: str | None = None, env=None) -> subprocess.CompletedProcess:
    done = subprocess.run([str(binary), *map(str, args)], input=stdin, capture_output=True, text=True, timeout=RUN_S, env=env)
    assert code is None or done.returncode in code, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


STORY = [
    {"kind": "dataset.version", "dataset": "loans", "version": "1", "hash": "sha256:" + "1" * 64, "created_by": "data-engineer",
     "sources": [{"system": "core", "table": "loan", "date_range": {"column": "opened", "from": "2025-01-01", "to": "2026-01-01"}}],
     "transformations": [], "exclusions": [], "timestamp": "2026-11-01T08:00:00Z"},
    {"kind": "training.run", "training_job_id": "job-1", "datasets": [{"role": "train", "dataset": "loans", "version": "1", "hash": "sha256:" + "1" * 64}],
     "git_commit": "c" * 40, "hyperparameters": {"depth": 4}, "metrics": {"auc": 0.81}, "triggered_by": "data-scientist",
     "timestamp": "2026-11-01T09:00:00Z"},
    {"kind": "model.version", "model": "credit", "model_version": "3", "model_artifact_hash": "sha256:" + "3" * 64, "training_job_id": "job-1",
     "registered_by": "data-scientist", "timestamp": "2026-11-01T10:00:00Z"},
    {"kind": "approval", "approval_reference": "MRC-1", "model": "credit", "model_version": "3", "verdict": "approved", "approver": "model-risk",
     "model_artifact_hash": "sha256:" + "3" * 64, "reason": "within policy", "timestamp": "2026-11-01T11:00:00Z"},
    {"kind": "transition", "model": "credit", "model_version": "3", "from_stage": "none", "to_stage": "production", "performed_by": "ml-platform",
     "reason": "release", "approval_reference": "MRC-1", "timestamp": "2026-11-01T12:00:00Z"},
    {"kind": "prediction", "request_id": "r-1", "timestamp": "2026-11-02T10:00:00Z", "model": "credit", "model_version": "3",
     "model_artifact_hash": "sha256:" + "3" * 64, "feature_values": {"income": 4200}, "prediction": "approve", "serving_node": "node-1", "sequence": 1},
    {"kind": "prediction", "request_id": "r-2", "timestamp": "2026-11-02T10:00:01Z", "model": "credit", "model_version": "3",
     "model_artifact_hash": "sha256:" + "3" * 64, "feature_values": {"income": 900}, "prediction": "refuse", "serving_node": "node-1", "sequence": 2},
]
REVOCATION = {"kind": "approval", "approval_reference": "MRC-1", "model": "credit", "model_version": "3", "verdict": "revoked",
              "approver": "model-risk", "reason": "bias found", "timestamp": "2026-11-03T09:00:00Z"}


class Trail:
    """A trail, its state beside it, and what others hold of it: its key, receipts, an older checkpoint."""

    def __init__(self, binary: Path, folder: Path):
        self.binary, self.folder, self.dir = binary, folder, folder / "trail"
        self.key_file, self.receipts, self.older = folder / "trail.vkey", folder / "receipts.ndjson", folder / "older.ndjson"

    @classmethod
    def make(cls, binary: Path, folder: Path, origin: str = "example.com/grid") -> "Trail":
        folder.mkdir(parents=True)
        trail = cls(binary, folder)
        made = run(binary, "init", trail.dir, "--origin", origin, "--public", code=(0,))
        trail.key_file.write_text(re.search(rf"{re.escape(origin)}\+[0-9a-f]{{8}}\+\S+", made.stdout)[0] + "\n")
        return trail

    def append(self, records: list[dict], keep: bool = True) -> None:
        text = "".join(json.dumps(r) + "\n" for r in records)
        kept = ("--receipts", self.receipts) if keep else ()
        run(self.binary, "append", "--trail", self.dir, *kept, code=(0,), stdin=text)

    def keep_checkpoint(self) -> None:
        """The checkpoint as it is published now, held by somebody."""
        note = (self.dir / "checkpoint").read_text()
        self.older.write_text(json.dumps({"checkpoint": note}) + "\n")

    def copy(self, folder: Path, state: bool = True) -> "Trail":
        shutil.copytree(self.folder, folder, ignore=None if state else shutil.ignore_patterns("trail.state"))
        return Trail(self.binary, folder)

    def entries(self) -> list[bytes]:
        data, out, at = (self.dir / "entries.dat").read_bytes(), [], 0
        while at < len(data):
            (length,) = struct.unpack_from(">H", data, at)
            out.append(data[at + 2:at + 2 + length])
            at += 2 + length
        return out

    def write_entries(self, entries: list[bytes]) -> None:
        (self.dir / "entries.dat").write_bytes(b"".join(struct.pack(">H", len(e)) + e for e in entries))

    def index_of(self, text: bytes) -> int:
        found = [i for i, e in enumerate(self.entries()) if text in e]
        assert found, text
        return found[0]


def patch(path: Path, at: int, change: Callable[[int], int] = lambda b: b ^ 1) -> None:
    data = bytearray(path.read_bytes())
    data[at] = change(data[at])
    path.write_bytes(bytes(data))


def look(trail: Trail, held: Trail | None = None) -> dict[str, Seen]:
    """What `verify` tells each observer about a directory. `held`: the trail that receipts and checkpoints come from."""
    held = held or trail
    base = ("verify", trail.dir, "--key", held.key_file)
    out = {}
    for observer, more in ((KEYS, ()), (RECEIPT, ("--receipts", held.receipts)), (CHECKPOINT, ("--receipts", held.older))):
        done = run(trail.binary, *base, *more, code=(0, 1))
        out[observer] = Seen(done.returncode == 1, done.stdout + done.stderr)
    return out


def table(rows: list[Row]) -> str:
    head = ["what is done", *("who holds " + o for o in OBSERVERS), "where it is said"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    return "\n".join(lines) + "\n"


class Bundle:
    """An evidence bundle taken apart, to be put together again by somebody who knows the format."""

    def __init__(self, path: Path):
        with zipfile.ZipFile(path) as z:
            self.members = {i.filename: z.read(i) for i in z.infolist()}

    def fit_manifests(self) -> None:
        """Makes both manifests say what the members now are."""
        digest = {n: hashlib.sha256(d).hexdigest() for n, d in sorted(self.members.items()) if not n.startswith("manifest.")}
        said = json.loads(self.members["manifest.json"])
        said["members"] = [{"name": n, "length": len(self.members[n]), "sha256": h} for n, h in digest.items()]
        self.members["manifest.json"] = (json.dumps(said, separators=(",", ":"), ensure_ascii=False) + "\n").encode()
        digest["manifest.json"] = hashlib.sha256(self.members["manifest.json"]).hexdigest()
        self.members["manifest.sha256"] = "".join(f"{h}  {n}\n" for n, h in sorted(digest.items())).encode()

    def write(self, path: Path) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
            for name in sorted(self.members):
                z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), self.members[name], zipfile.ZIP_DEFLATED)
        return path


def judge(binary: Path, file: Path, key_file: Path, folder: Path) -> Seen:
    """What `verify` says of a file to somebody who has the key and nothing else: no trail, no remembered keys."""
    env = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    done = run(binary, "verify", file, "--key", key_file, code=(0, 1), env=env)
    return Seen(done.returncode == 1, done.stdout + done.stderr)
