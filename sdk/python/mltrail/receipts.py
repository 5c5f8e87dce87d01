"""What the trail answers to an append."""
from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, List, Mapping, Optional, Tuple


@dataclass(frozen=True)
class TreeHead:
    """The unsigned part of a checkpoint: what its signature is about."""

    origin: str
    size: int
    root: bytes


def tree_head(checkpoint: str) -> TreeHead:
    """Reads the body of a checkpoint. The signature is not checked here: `mltrail verify` does that."""
    lines = checkpoint.split("\n")
    if len(lines) < 3 or not lines[1].isdigit():
        raise ValueError("no checkpoint: want origin, size and root on three lines")
    return TreeHead(lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True))


@dataclass(frozen=True)
class Receipt:
    """One record is durable, at this place, under this signed tree head. Keep it: it is your evidence."""

    index: int
    leaf: str
    tree_size: int
    checkpoint: str
    duplicate: bool

    @property
    def head(self) -> TreeHead:
        """Origin, size and root of the checkpoint."""
        return tree_head(self.checkpoint)


NO_RECEIPT = Receipt(-1, "", 0, "", False)  # of a record that was not made, since recording is disabled


@dataclass(frozen=True)
class Problem:
    """Why one line of a batch was rejected. `line` counts from 1 over the whole batch."""

    line: int
    code: str
    pointer: str
    detail: str


@dataclass(frozen=True)
class BatchReceipt:
    """What became of a batch. `receipts` has the line and the receipt of each record that is in the trail."""

    accepted: int
    duplicates: int
    rejected: int
    first_index: Optional[int]
    last_index: Optional[int]
    checkpoint: str
    problems: Tuple[Problem, ...] = ()
    receipts: Tuple[Tuple[int, Receipt], ...] = field(default=(), repr=False)

    @property
    def head(self) -> TreeHead:
        """Origin, size and root of the last checkpoint."""
        return tree_head(self.checkpoint)


def receipt_of(document: Mapping[str, Any]) -> Receipt:
    return Receipt(int(document["index"]), str(document["leaf"]), int(document["tree_size"]),
                   str(document["checkpoint"]), bool(document["duplicate"]))


def batch_receipt_of(document: Mapping[str, Any], lines_before: int) -> BatchReceipt:
    checkpoint = str(document.get("checkpoint") or "")
    size = tree_head(checkpoint).size if checkpoint else 0
    problems = tuple(Problem(int(p.get("line", 0)) + lines_before, str(p.get("code", "")), str(p.get("pointer", "")),
                             str(p.get("detail", ""))) for p in document.get("problems") or ())
    receipts = tuple((int(r["line"]) + lines_before,
                      Receipt(int(r["index"]), str(r["leaf"]), size, checkpoint, bool(r["duplicate"])))
                     for r in document.get("receipts") or ())
    first, last = document.get("first_index"), document.get("last_index")
    return BatchReceipt(int(document.get("accepted", 0)), int(document.get("duplicates", 0)),
                        int(document.get("rejected", 0)), None if first is None else int(first),
                        None if last is None else int(last), checkpoint, problems, receipts)


def joined(parts: List[BatchReceipt]) -> BatchReceipt:
    """The receipt of a batch that went out in several requests."""
    firsts = [part.first_index for part in parts if part.first_index is not None]
    lasts = [part.last_index for part in parts if part.last_index is not None]
    checkpoints = [part.checkpoint for part in parts if part.checkpoint]
    return BatchReceipt(sum(part.accepted for part in parts), sum(part.duplicates for part in parts),
                        sum(part.rejected for part in parts), min(firsts) if firsts else None,
                        max(lasts) if lasts else None, checkpoints[-1] if checkpoints else "",
                        tuple(problem for part in parts for problem in part.problems),
                        tuple(receipt for part in parts for receipt in part.receipts))
