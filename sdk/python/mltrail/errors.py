"""What can go wrong, as exceptions."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional

if TYPE_CHECKING:
    from .receipts import BatchReceipt


class MltrailError(Exception):
    """Base of every error of this package."""


class TransportError(MltrailError):
    """No answer came, after all retries. The record may or may not be in the trail: send the same record again."""


class SpoolError(MltrailError):
    """The spool cannot take the record, or cannot be used."""


class SpoolFull(SpoolError):
    """The spool, or its disk, has no space, and did not get any in time. The record is not logged."""


class SpoolClosed(SpoolError):
    """The stream has ended: its final count is recorded. Nothing was taken."""


class SpoolBusy(SpoolError):
    """The spool has no space at this moment, and the caller said that it must not wait. Nothing was taken."""


class ProblemError(MltrailError):
    """The server answered with a problem document (RFC 9457)."""

    def __init__(self, status: int, code: str, detail: str, pointer: Optional[str] = None,
                 line: Optional[int] = None, title: str = "") -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.line = line
        self.title = title
        where = f" at {pointer}" if pointer else ""
        super().__init__(f"{code or status}{where}: {detail or title or 'no detail given'}")


class RecordRejected(ProblemError):
    """The record is malformed. `code`, `pointer` and `detail` say what is wrong and what would be right."""


class NotAllowed(ProblemError):
    """The token is unknown, expired, or lacks the grant."""


class NotFound(ProblemError):
    """There is no such thing in the trail."""


class Unavailable(ProblemError):
    """The server cannot take it now (it stops, or its queue is full), after all retries."""


class OutOfSpace(ProblemError):
    """The trail has no space left for this. Retrying does not help until somebody makes room."""


class BatchRejected(MltrailError):
    """Lines of a batch were rejected; the others are in the trail. `receipt` has both."""

    def __init__(self, receipt: "BatchReceipt") -> None:
        self.receipt = receipt
        first = receipt.problems[0] if receipt.problems else None
        more = f"; line {first.line}: {first.code} {first.pointer}: {first.detail}" if first else ""
        super().__init__(f"{receipt.rejected} of {receipt.accepted + receipt.duplicates + receipt.rejected} "
                         f"records rejected{more}")


def problem_error(status: int, document: Mapping[str, Any]) -> ProblemError:
    """The exception for a problem document."""
    kind = ProblemError
    if status in (401, 403):
        kind = NotAllowed
    elif status == 404:
        kind = NotFound
    elif status in (400, 413, 415, 422):
        kind = RecordRejected
    elif status in (429, 502, 503, 504):
        kind = Unavailable
    elif status == 507:
        kind = OutOfSpace
    line = document.get("line")
    pointer = document.get("pointer")
    return kind(status, str(document.get("code", "")), str(document.get("detail", "")),
                pointer if isinstance(pointer, str) else None, line if isinstance(line, int) else None,
                str(document.get("title", "")))
