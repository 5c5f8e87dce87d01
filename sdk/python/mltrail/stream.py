"""Predictions numbered without a gap, so that a lost one shows."""
from __future__ import annotations

import atexit
import os
import socket
import threading
import uuid
from typing import Any, Optional
import weakref

from .client import Trail
from .errors import MltrailError
from .receipts import Receipt
from .values import now

FIRST_SEQUENCE = 1


class PredictionStream:
    """Logs the predictions of one serving process.

    Gives each its `serving_node`, a `stream` of its own (new for each process, also after a fork) and the next
    `sequence`. A number once taken is not taken again: when an append fails for good, its number stays missing, and the
    trail shows the gap. `close` (and the end of the process) records how many there were, so that a silent tail shows too.
    """

    def __init__(self, trail: Trail, serving_node: Optional[str] = None, **members: Any) -> None:
        """`members` go into every prediction, e.g. model, model_version, model_artifact_hash, deployment."""
        self._trail = trail
        self._members = members
        self.serving_node = serving_node or socket.gethostname()
        self._lock = threading.Lock()
        self._begin()
        this = weakref.ref(self)
        atexit.register(_close_at_exit, this)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self.stream = f"{self._pid}-{uuid.uuid4().hex[:12]}"
        self._next = FIRST_SEQUENCE
        self._from = now()
        self._closed = False

    @property
    def count(self) -> int:
        """How many numbers were taken."""
        return self._next - FIRST_SEQUENCE

    def log(self, request_id: str, **members: Any) -> Receipt:
        """Logs a prediction. Raises when it is not durable: do not release the prediction then."""
        with self._lock:
            if self._pid != os.getpid():
                self._begin()
            if self._closed:
                raise ValueError("the stream is closed: its final count is recorded")
            sequence = self._next
            self._next += 1
        return self._trail.log_prediction(request_id, serving_node=self.serving_node, stream=self.stream,
                                          sequence=sequence, **{**self._members, **members})

    def tally(self, final: bool = False) -> Receipt:
        """Records how many predictions there were so far."""
        return self._trail.log("tally", timestamp=now(), source=self.serving_node, counted="prediction",
                               scope={"serving_node": self.serving_node, "stream": self.stream},
                               to=now(), count=self.count, final=final or None, **{"from": self._from})

    def close(self) -> None:
        """Records the final count. Nothing can be logged afterwards."""
        with self._lock:
            if self._closed or self._pid != os.getpid():
                return
            self._closed = True
        self.tally(final=True)

    def __enter__(self) -> "PredictionStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _close_at_exit(reference: "weakref.ref[PredictionStream]") -> None:
    stream = reference()
    if stream is None:
        return
    try:
        stream.close()
    except MltrailError:
        # The process is ending. The missing final tally is itself visible in the trail.
        pass
