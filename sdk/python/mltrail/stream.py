"""Predictions numbered without a gap, so that a lost one shows."""
from __future__ import annotations

from typing import Any, Optional

from .client import Trail
from .receipts import Receipt
from .sink import SyncSink, SyncStream
from .values import encode_json, now


class PredictionStream:
    """Logs the predictions of one serving process, as `mode="sync"` does, member by member.

    Gives each its `serving_node`, a `stream` of its own (new for each process, also after a fork) and the next
    `sequence`. A number once taken is not taken again: when an append fails for good, its number stays missing, and the
    trail shows the gap. `close` (and the end of the process) records how many there were, so that a silent tail shows too.
    """

    def __init__(self, trail: Trail, serving_node: Optional[str] = None, **members: Any) -> None:
        """`members` go into every prediction, e.g. model, model_version, model_artifact_hash, deployment."""
        self._members = members
        self.serving_node = serving_node or trail.serving_node
        self._sink = SyncSink(self.serving_node, None if trail.mode == "disabled" else trail._transport)
        self._current = self._sink.open()
        self._closed = False

    def _open(self) -> SyncStream:
        if not self._closed:
            self._current = self._sink.open()
        return self._current

    @property
    def stream(self) -> str:
        """The stream of this process."""
        return self._open().name

    @property
    def count(self) -> int:
        """How many numbers were taken."""
        return self._open().sequence

    def log(self, request_id: str, **members: Any) -> Receipt:
        """Logs a prediction. Raises when it is not durable: do not release the prediction then."""
        if self._closed:
            raise ValueError("the stream is closed: its final count is recorded")
        given = {"request_id": request_id, "timestamp": now(), **self._members, **members}
        return self._sink.predict(b"", b"," + encode_json({name: value for name, value in given.items() if value is not None})[1:])

    def tally(self, final: bool = False) -> Receipt:
        """Records how many predictions there were so far. After a final count nothing can be logged."""
        current = self._open()
        self._closed = self._closed or final
        return current.tally(final)

    def close(self) -> None:
        """Records the final count. Nothing can be logged afterwards."""
        self._open()
        self._closed = True
        self._sink.close()

    def __enter__(self) -> "PredictionStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
