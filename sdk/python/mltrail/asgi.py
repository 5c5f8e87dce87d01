"""Middleware for ASGI servers (FastAPI, Starlette, Litestar, Quart, Django): every prediction knows its request and its caller.

    app.add_middleware(TrailMiddleware)

    @trail.predictions(model="credit", version="7", extra=with_caller)
    def score(features): ...

The request's identifier is taken from X-Request-Id, else from the trace id of `traceparent` (W3C Trace Context), else made
here; the answer carries it in X-Request-Id, so that whoever complains about a prediction can name it.
"""
from __future__ import annotations

import contextvars
import re
from typing import Any, Awaitable, Callable, Dict, Mapping, MutableMapping, Optional

from .predictions import new_request_id, request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# It stands in the log in the clear and in URLs: what is longer or has other characters is no identifier of a request.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,200}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_USER_AGENT_MAX = 512  # of a header that anybody writes

_caller: "contextvars.ContextVar[Optional[Dict[str, Any]]]" = contextvars.ContextVar("mltrail_caller", default=None)


def current_caller() -> Optional[Dict[str, Any]]:
    """Who asked, as seen by the middleware; None outside of a request."""
    return _caller.get()


def with_caller(result: Any = None) -> Dict[str, Any]:
    """The member `caller` (payload) for `extra=` of a recorder."""
    caller = _caller.get()
    return {"caller": caller} if caller else {}


class TrailMiddleware:
    """Gives each HTTP request and each WebSocket its identifier and its caller.

    trust_headers   whether a client may choose the identifier. When not, it is made here, and what the client sent goes into
                    the caller as `request_id` and `traceparent`.
    user            gives the authenticated user of a scope; default: what the authentication middleware left in
                    scope["user"]. No header is believed.
    header          the header that carries the identifier
    """

    def __init__(self, app: App, *, trust_headers: bool = True, user: Optional[Callable[[Mapping[str, Any]], Optional[str]]] = None,
                 header: str = "x-request-id") -> None:
        self._app = app
        self._trust = trust_headers
        self._user = user or _authenticated_user
        self._header = header.lower().encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope.get("headers") or ()}
        request_id = self._request_id(headers)
        token = _caller.set(self._caller_of(scope, headers, request_id))
        try:
            with request(request_id):
                await self._app(scope, receive, self._telling(send, request_id))
        finally:
            _caller.reset(token)

    def _request_id(self, headers: Mapping[bytes, str]) -> str:
        if self._trust:
            given = headers.get(self._header, "")
            if _REQUEST_ID.fullmatch(given):
                return given
            trace = _TRACEPARENT.fullmatch(headers.get(b"traceparent", ""))
            if trace:
                return trace[1]
        return str(new_request_id())

    def _caller_of(self, scope: Scope, headers: Mapping[bytes, str], request_id: str) -> Dict[str, Any]:
        client = scope.get("client")
        given = headers.get(self._header)
        traceparent = headers.get(b"traceparent", "")
        seen = {"address": client[0] if client else None, "user": self._user(scope),
                "user_agent": headers.get(b"user-agent", "")[:_USER_AGENT_MAX] or None,
                "request_id": given if given != request_id and given and _REQUEST_ID.fullmatch(given) else None,
                "traceparent": traceparent if _TRACEPARENT.fullmatch(traceparent) else None}
        return {name: value for name, value in seen.items() if value is not None}

    def _telling(self, send: Send, request_id: str) -> Send:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [pair for pair in message.get("headers") or () if pair[0].lower() != self._header]
                message = {**message, "headers": [*headers, (self._header, request_id.encode("ascii"))]}
            await send(message)
        return tell


def _authenticated_user(scope: Mapping[str, Any]) -> Optional[str]:
    user = scope.get("user")
    if user is None or not getattr(user, "is_authenticated", False):
        return None
    return str(getattr(user, "display_name", None) or getattr(user, "identity", None) or user)
