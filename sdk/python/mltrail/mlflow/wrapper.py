"""The ASGI application around MLflow's own.

No body is held back but an answer of known, small length: it leaves when the trail has it. A longer answer, and one of
unknown length, is announced to the trail before its first byte leaves, so that nobody gets anything unrecorded.
"""
from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Awaitable, Callable, Dict, List, Mapping, MutableMapping, Optional

from ..values import now
from .artifact import Digests
from .delivery import Delivery, NotInTrail
from .routes import route_of
from .settings import Settings
from .visit import Visit, current

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

HELD_MAX = 64 * 1024  # of an answer: all of MLflow's own answers but lists and artifacts are shorter
SENDS_PAST_US = ("http.response.pathsend", "http.response.zerocopysend")
_log = logging.getLogger("mltrail.mlflow")


class Recorder:
    """Passes requests on to `inner` and tells `delivery` of each. `read_ahead` reads the state that a change is about to
    end, where the trail has to know of the change before MLflow does."""

    def __init__(self, inner: Application, settings: Settings, delivery: Delivery, static_prefix: str = "",
                 read_ahead: Optional[Callable[[Visit], None]] = None) -> None:
        self._inner = inner
        self._read_ahead = read_ahead
        self._settings = settings
        self._delivery = delivery
        self._digests = Digests()
        self._static_prefix = static_prefix

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "http":
            await self._visit(scope, receive, send)
        else:
            # MLflow has no websockets and closes them before they open.
            await self._inner(scope, receive, send)

    async def _live(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        async def forward(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                # Not with the first request: what workers before this one left on disk waits for somebody.
                await asyncio.to_thread(self._delivery.open)
            elif message["type"].startswith("lifespan.shutdown"):
                await asyncio.to_thread(self._digests.close)
                await asyncio.to_thread(self._delivery.close)
            await send(message)

        await self._inner(scope, receive, forward)

    async def _visit(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        scope["state"] = dict(scope.get("state") or {})  # where native routes leave the user that they authenticated
        # A server that sends files by itself would send them past us.
        scope["extensions"] = {name: value for name, value in (scope.get("extensions") or {}).items()
                               if name not in SENDS_PAST_US}
        route = route_of(scope["method"], scope["path"], self._static_prefix)
        visit = Visit(scope, route, self._settings)
        token = current.set(visit)
        try:
            if (self._settings.closed_for_changes and route.changes) or (self._settings.closed_for_reads and not route.program):
                await self._closed(visit, scope, receive, send)
            else:
                await self._forward(self._passage(visit, scope, receive, send))
        finally:
            current.reset(token)

    async def _closed(self, visit: Visit, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Fail closed: the trail has the request before MLflow sees it, or MLflow does not see it."""
        passage = self._passage(visit, scope, receive, send)
        await passage.read_small_body()
        if self._read_ahead is not None and visit.route.moves:
            await asyncio.to_thread(self._read_ahead, visit)
        try:
            await asyncio.to_thread(self._delivery.confirm, visit.begin())
        except NotInTrail as error:
            _log.error("refused %s %s: %s", visit.route.method, scope["path"], error)
            await _refuse(send, self._settings.refusal_status, str(error))
            visit.status, visit.ended_at = self._settings.refusal_status, now()
            visit.error = f"refused, since the trail does not have it: {error}"
            self._delivery.keep(visit.end())
            return
        await self._forward(passage)

    def _passage(self, visit: Visit, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> "_Passage":
        return _Passage(visit, self._delivery, self._digests, scope, receive, send)

    async def _forward(self, passage: "_Passage") -> None:
        try:
            await self._inner(passage.scope, passage.receive, passage.send)
        except BaseException as error:
            passage.fail(error)
            raise
        finally:
            await passage.finish()


class _Passage:
    """The messages of one request and its answer, as they pass."""

    def __init__(self, visit: Visit, delivery: Delivery, digests: Digests, scope: MutableMapping[str, Any],
                 receive: Receive, send: Send) -> None:
        self.scope = scope
        self._told = False
        self._visit = visit
        self._delivery = delivery
        self._digests = digests
        self._receive = receive
        self._send = send
        self._waiting: List[Message] = []  # of the request, read ahead
        self._held: List[Message] = []  # of the answer
        self._holding = False

    async def read_small_body(self) -> None:
        """Reads the request's body ahead as far as it is kept, so that a begin can say what is asked."""
        if not self._visit.route.keeps_request:
            return
        while self._visit.request.whole:
            message = await self._receive_noting()
            self._waiting.append(message)
            if message["type"] != "http.request" or not message.get("more_body", False):
                return

    async def receive(self) -> Message:
        """What the application receives."""
        return self._waiting.pop(0) if self._waiting else await self._receive_noting()

    async def send(self, message: Message) -> None:
        """What the application sends."""
        if message["type"] == "http.response.start":
            self._start(message)
            if not self._holding:
                self._announce()
        elif message["type"] == "http.response.body":
            self._visit.response.add(message.get("body", b""))
            if not message.get("more_body", False):
                self._tell()
        if not self._holding:
            await self._send(message)
            return
        self._held.append(message)
        if self._told or self._visit.response.size > HELD_MAX:
            self._announce()
            await self._let_go()

    def fail(self, error: BaseException) -> None:
        """The application raised."""
        self._visit.error = f"{type(error).__name__}: {error}"[:500]

    async def finish(self) -> None:
        """The application is done, in whatever way."""
        self._tell()
        await self._let_go()

    async def _receive_noting(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._visit.request.add(message.get("body", b""))
        elif message["type"] == "http.disconnect" and not self._told and self._visit.error is None:
            self._visit.error = "the client went away before the answer was complete"
        return message

    def _start(self, message: Message) -> None:
        headers = _answer_headers(message)
        self._visit.status = int(message["status"])
        self._visit.response_is_json = "json" in headers.get("content-type", "")
        length = headers.get("content-length", "")
        self._holding = length.isdigit() and int(length) <= HELD_MAX

    def _announce(self) -> None:
        """Says that the request began, unless its end has been told or it is nothing to tell."""
        if self._visit.begun or self._told or not self._to_tell():
            return
        self._learn_user()
        self._delivery.keep(self._visit.begin())

    def _tell(self) -> None:
        if self._told:
            return
        self._told = True
        if not self._to_tell():
            return
        self._learn_user()
        self._visit.ended_at = now()
        self._delivery.keep(self._visit.end())
        if self._visit.artifact is not None:
            self._digests.later(self._visit.artifact, self._complete)

    def _complete(self, digest: Dict[str, Any]) -> None:
        """The same exchange once more, now with what the artifact amounts to: the log joins the two."""
        self._visit.extra["artifact"] = digest
        self._delivery.keep(self._visit.end())

    def _to_tell(self) -> bool:
        return not self._visit.route.program or self._visit.status in (401, 403)

    def _learn_user(self) -> None:
        # Native routes leave it here; the hook in Flask has set it itself.
        user = self.scope["state"].get("username")
        if self._visit.user is None and isinstance(user, str) and user:
            self._visit.user = user

    async def _let_go(self) -> None:
        held, self._held, self._holding = self._held, [], False
        for message in held:
            await self._send(message)


def _answer_headers(message: Mapping[str, Any]) -> Dict[str, str]:
    return {bytes(name).decode("latin-1").lower(): bytes(value).decode("latin-1")
            for name, value in message.get("headers", [])}


async def _refuse(send: Send, status: int, why: str) -> None:
    """An error as MLflow's clients show it."""
    body = json.dumps({"error_code": "TEMPORARILY_UNAVAILABLE",
                       "message": f"mltrail: not done, because it could not be recorded first: {why}"}).encode()
    await send({"type": "http.response.start", "status": status,
                "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()),
                            (b"retry-after", b"5")]})
    await send({"type": "http.response.body", "body": body})

