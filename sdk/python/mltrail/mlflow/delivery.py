"""Where exchanges go: into the spool, from which they are sent, and, where a request waits for it, to the trail at once."""
from __future__ import annotations

import logging
import threading
import time
from typing import Optional

from ..errors import MltrailError
from ..transport import Transport
from .settings import Settings

PATH = "/v1/mlflow/exchanges"
CONTENT_TYPE = "application/x-ndjson"
COMPLAINT_EVERY_S = 60.0  # a full disk is said once a minute, not once a request
_log = logging.getLogger("mltrail.mlflow")


class NotInTrail(Exception):
    """The trail has not acknowledged an exchange. The message says why."""


class Delivery:
    """The way of exchanges to the trail. Each process has its own stream; threads share it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._spool: Optional[Spool] = None
        self._lost = 0
        self._complained = 0.0
        # One attempt: who waits is MLflow's client, which tries again itself.
        self._transport = None if settings.url is None else Transport(settings.url, settings.token, settings.timeout_s, 1, None)

    def keep(self, exchange: bytes) -> None:
        """Puts an exchange on disk; it is sent as soon as the trail takes it. Never raises: what cannot be kept is
        counted and complained of, since the request it tells of has been served."""
        try:
            self._open().append(exchange)
        except (MltrailError, OSError, ValueError) as error:
            self._complain(error)

    def confirm(self, exchange: bytes) -> None:
        """Returns when the exchange is durable in the trail; NotInTrail."""
        assert self._transport is not None, "settings that fail closed have a URL"
        try:
            self._transport.request("POST", PATH, None, exchange + b"\n", CONTENT_TYPE)
        except MltrailError as error:
            raise NotInTrail(str(error)) from error

    def close(self) -> None:
        """Sends what there is, as far as it goes quickly. The rest is sent by whoever opens the spool next."""
        with self._lock:
            spool, self._spool = self._spool, None
        if spool is not None:
            spool.close()
        if self._transport is not None:
            self._transport.close()
