"""Requests over kept-alive connections, with retries that cannot record a thing twice."""
from __future__ import annotations

import http.client
import json
import os
import random
import socket
import ssl
import threading
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Union

from .errors import ProblemError, TransportError, problem_error

RETRY_STATUSES = (429, 502, 503, 504)
BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 5.0
IDLE_CONNECTIONS_MAX = 16  # more threads than this share them; the rest close after use


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a local socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True)
class Answer:
    """A response that is no error."""

    status: int
    content_type: str
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body.decode("utf-8"))


@dataclass(frozen=True)
class Exchange:
    """A response, good or bad."""

    status: int
    content_type: str
    body: bytes
    retry_after: Optional[float]

    def document(self) -> Dict[str, Any]:
        """The JSON object in the body; else one that has the text as `detail`."""
        if "json" in self.content_type:
            try:
                document = json.loads(self.body.decode("utf-8"))
                if isinstance(document, dict):
                    return document
            except ValueError:
                pass
        return {"detail": self.body[:500].decode("utf-8", "replace").strip()}


class Transport:
    """A pool of connections to one server. Safe for threads and across fork."""

    def __init__(self, url: str, token: Optional[str], timeout: float, attempts: int,
                 tls: Optional[ssl.SSLContext], token_file: Union[str, "os.PathLike[str]", None] = None) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https", "unix"):
            raise ValueError(f"{url!r}: want http://HOST:PORT, https://HOST:PORT or unix:///PATH/TO/sock")
        if parts.scheme == "unix" and not parts.path:
            raise ValueError(f"{url!r}: want unix:///PATH/TO/sock")
        if parts.scheme != "unix" and not parts.hostname:
            raise ValueError(f"{url!r}: the host is missing")
        if attempts < 1:
            raise ValueError(f"attempts={attempts}: want at least 1")
        self._parts = parts
        self._prefix = "" if parts.scheme == "unix" else parts.path.rstrip("/")
        self._token_file = token_file
        self._token = token if token_file is None else _read_token(token_file)
        self._timeout = timeout
        self._attempts = attempts
        self._tls = tls
        self._lock = threading.Lock()
        self._idle: List[http.client.HTTPConnection] = []
        self._pid = os.getpid()

    def close(self) -> None:
        """Closes the idle connections. The next request opens a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def request(self, method: str, path: str, query: Optional[Mapping[str, Any]] = None, body: Optional[bytes] = None,
                content_type: str = "application/json", also_good: int = 0) -> Answer:
        """Sends one request. The same bytes go out on each attempt, so that a record's identity stays the same."""
        target = self._prefix + path
        given = {name: value for name, value in (query or {}).items() if value is not None}
        if given:
            target += "?" + urllib.parse.urlencode(given)
        headers = self._headers()
        if body is not None:
            headers["Content-Type"] = content_type
        wait = BACKOFF_FIRST_S
        for attempt in range(1, self._attempts + 1):
            retry_after: Optional[float] = None
            try:
                status, answer_type, answer, retry_after = self._once(method, target, headers, body)
            except (OSError, http.client.HTTPException) as error:
                if attempt == self._attempts:
                    raise TransportError(f"{method} {path}: no answer after {attempt} attempts: {error}") from error
            else:
                if status < 400 or status == also_good:
                    return Answer(status, answer_type, answer)
                if status not in RETRY_STATUSES or attempt == self._attempts:
                    raise _error_of(status, answer_type, answer)
            pause = retry_after if retry_after is not None else wait * random.uniform(0.5, 1.0)
            time.sleep(min(pause, BACKOFF_MOST_S))
            wait = min(wait * 2, BACKOFF_MOST_S)
        raise AssertionError("the last attempt returns or raises")

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine, so that compressing would cost more than it saves."""
        host = self._parts.hostname or ""
        return self._parts.scheme == "unix" or host in ("localhost", "::1") or host.startswith("127.")

    def exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Exchange:
        """Sends one request once, whatever comes of it. OSError, HTTPException: no answer."""
        answer = self._once(method, self._prefix + path, {**headers, **self._headers()}, body)
        if answer[0] == 401 and self._renew_token():
            answer = self._once(method, self._prefix + path, {**headers, **self._headers()}, body)
        return Exchange(*answer)

    def _headers(self) -> Dict[str, str]:
        headers = {"Accept": "*/*", "User-Agent": "mltrail-python/0.1.0"}
        if self._token is not None:
            headers["Authorization"] = "Bearer " + self._token
        return headers

    def _renew_token(self) -> bool:
        """Reads the token file again, for tokens are rotated; whether it has another one now."""
        if self._token_file is None:
            return False
        try:
            token = _read_token(self._token_file)
        except OSError:
            return False
        changed, self._token = token != self._token, token
        return changed

    def _once(self, method: str, target: str, headers: Dict[str, str],
              body: Optional[bytes]) -> "tuple[int, str, bytes, Optional[float]]":
        connection = self._take()
        reused = connection.sock is not None
        try:
            try:
                connection.request(method, target, body=body, headers=headers)
                response = connection.getresponse()
            except (ConnectionError, http.client.BadStatusLine):
                # A kept-alive connection that the server closed in the meantime is no failure worth a pause.
                if not reused:
                    raise
                connection.close()
                connection.request(method, target, body=body, headers=headers)
                response = connection.getresponse()
            answer = response.read()
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        retry_after = response.getheader("Retry-After")
        seconds = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
        return response.status, response.getheader("Content-Type") or "", answer, seconds

    def _take(self) -> http.client.HTTPConnection:
        with self._lock:
            if self._pid != os.getpid():
                # After a fork the sockets belong to the parent: two writers on one would mix their requests.
                self._idle = []
                self._pid = os.getpid()
            if self._idle:
                return self._idle.pop()
        if self._parts.scheme == "unix":
            return _UnixConnection(urllib.parse.unquote(self._parts.path), self._timeout)
        host = self._parts.hostname or ""
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, self._parts.port, timeout=self._timeout, context=self._tls)
        return http.client.HTTPConnection(host, self._parts.port, timeout=self._timeout)

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if connection.sock is not None and self._pid == os.getpid() and len(self._idle) < IDLE_CONNECTIONS_MAX:
                self._idle.append(connection)
                return
        connection.close()


def _error_of(status: int, content_type: str, body: bytes) -> ProblemError:
    return problem_error(status, Exchange(status, content_type, body, None).document())


def _read_token(path: Union[str, "os.PathLike[str]"]) -> str:
    return Path(path).read_text(encoding="utf-8").strip()
