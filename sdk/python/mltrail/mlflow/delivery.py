"""Where exchanges go: into the spool, from which they are sent, and, where a request waits for it, to the trail at once."""
from __future__ import annotations

import logging
import threading
import time
from typing import Optional

from ..errors import MltrailError
from ..sender import Background, Courier, Uplink
from ..spool import REQUEST, SpoolWriter, encode_record, encode_request, tally_record
from ..transport import Transport
from ..values import now
from .settings import Settings

PATH = "/v1/mlflow/exchanges"
CONTENT_TYPE = "application/x-ndjson"
COMPLAINT_EVERY_S = 60.0  # a full disk is said once a minute, not once a request
TALLY_EVERY_S = 10.0  # the trail is told while exchanges go on being lost
TALLY_ROOM = 4096  # kept free, so that a full spool can still say so
CLOSE_S = 5.0  # what is not sent by then stays on disk: a supervisor does not wait longer for a worker
SEND_TIMEOUT_S = 30.0
_log = logging.getLogger("mltrail.mlflow")


class NotInTrail(Exception):
    """The trail has not acknowledged an exchange. The message says why."""


class _Stream:
    """What this process has told, on disk until the trail has it."""

    def __init__(self, settings: Settings) -> None:
        # An event loop must not wait for space: what does not fit is lost at once, and said to be.
        self._writer = SpoolWriter(settings.spool_dir, settings.server, on_full="error")
        courier = None
        if settings.url is not None:
            transport = Transport(settings.url, settings.token, SEND_TIMEOUT_S, 1, None, settings.token_file)
            courier = Courier(Uplink(transport), settings.spool_dir)
        self._background = Background(self._writer, courier)

    def append(self, exchange: bytes) -> None:
        self._writer.append(encode_request("POST", PATH, CONTENT_TYPE, {}, exchange + b"\n"), REQUEST, wait=False,
                            spare=TALLY_ROOM)

    def tell(self, started: str, made: int, lost: int) -> None:
        """Appends how many exchanges there were, and how many of them are lost."""
        writer = self._writer
        writer.append(encode_record(tally_record(writer.stream, writer.serving_node, started, now(), made, lost, final=False,
                                                 counted="access")), wait=False)

    def close(self) -> None:
        self._background.close(CLOSE_S)


class Delivery:
    """The way of exchanges to the trail. Each process has its own stream; threads share it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._stream: Optional[_Stream] = None
        self._started = now()
        self._made = self._lost = self._told = 0  # `_told`: losses that a tally has told
        self._complain_at = self._tell_at = 0.0
        # One attempt: who waits is MLflow's client, which tries again itself.
        self._direct = None if settings.url is None else Transport(
            settings.url, settings.token, settings.timeout_s, 1, None, settings.token_file)

    def open(self) -> None:
        """Begins this process's stream, and to send what others left. Never raises: `keep` tries again."""
        try:
            self._opened()
        except (MltrailError, OSError) as error:
            _log.error("the spool cannot be opened: %s", error)

    def keep(self, exchange: bytes) -> None:
        """Puts an exchange on disk; it is sent as soon as the trail takes it. Never raises: what cannot be kept is
        counted, complained of and told to the trail, for the request that it tells of is served."""
        with self._lock:
            self._made += 1
        try:
            self._opened().append(exchange)
        except (MltrailError, OSError) as error:
            self._complain(error)
        self._tell_losses()

    def confirm(self, exchange: bytes) -> None:
        """Returns when the exchange is durable in the trail; NotInTrail."""
        assert self._direct is not None, "settings that fail closed have a URL"
        try:
            self._direct.request("POST", PATH, None, exchange + b"\n", CONTENT_TYPE)
        except MltrailError as error:
            raise NotInTrail(str(error)) from error

    def close(self) -> None:
        """Sends what there is, as far as it goes quickly. The rest is sent by whoever opens the spool next."""
        self._tell_losses(last=True)
        with self._lock:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        if self._direct is not None:
            self._direct.close()

    def _opened(self) -> _Stream:
        with self._lock:
            if self._stream is None:
                self._stream = _Stream(self._settings)
            return self._stream

    def _tell_losses(self, last: bool = False) -> None:
        """A tally of what was lost: the first at once, later ones now and then, and when there is no more."""
        with self._lock:
            stream, made, lost = self._stream, self._made, self._lost
            if stream is None or lost == self._told or not last and time.monotonic() < self._tell_at:
                return
            self._tell_at = time.monotonic() + TALLY_EVERY_S
        try:
            stream.tell(self._started, made, lost)
        except (MltrailError, OSError):
            return  # the log has it; the next one says it, too
        with self._lock:
            self._told = lost

    def _complain(self, error: Exception) -> None:
        with self._lock:
            self._lost += 1
            if time.monotonic() < self._complain_at:
                return
            self._complain_at = time.monotonic() + COMPLAINT_EVERY_S
        _log.error("%d accesses are not recorded so far: %s", self._lost, error)
