"""One request on its way through MLflow, and the exchange that is told of it."""
from __future__ import annotations

import base64
import binascii
import re
import urllib.parse
import uuid
from contextvars import ContextVar
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..values import encode_json, now
from .artifact import Artifact
from .redact import parsed, request_members, without_secrets
from .routes import Route
from .settings import Settings

REQUEST_KEPT_MAX = 256 * 1024  # a body of the registry is a few hundred bytes; a transition in a larger one is not parsed
RESPONSE_KEPT_MAX = 64 * 1024  # a model version with its tags; lists that are longer are counted, not kept
EXCHANGE_MAX = 1024 * 1024  # so that a batch of a few always fits the trail's largest body
REFUSED_KEPT_MAX = 4096  # of the body of a request that was denied: strangers shall not fill the spool
HEADER_KEPT_MAX = 4096  # a reason is a sentence

# The visit that the code runs for. Flask handles requests in other threads, with a copy of the context.
current: "ContextVar[Optional[Visit]]" = ContextVar("mltrail_mlflow_visit", default=None)


class Body:
    """What is kept of a body that passes by: all of it up to a limit, else nothing, and always its length."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: List[bytes] = []
        self.size = 0

    def add(self, part: bytes) -> None:
        """Takes note of a part. `part` is not copied."""
        self.size += len(part)
        if self.size <= self._most:
            self._parts.append(part)
        else:
            self._parts.clear()

    @property
    def whole(self) -> bool:
        """Whether all that has passed is kept."""
        return self.size <= self._most

    def bytes(self) -> bytes:
        """The body, b"" when it was longer than the limit."""
        return b"".join(self._parts)


class Visit:
    """Everything that is known of one request. Filled by the wrapper (what passes by), by the hooks in MLflow's Flask
    application (`before`, `after`, `run`, `artifact`, the authenticated user) and, when it is over, told as an exchange."""

    def __init__(self, scope: Mapping[str, Any], route: Route, settings: Settings) -> None:
        self.route = route
        self.exchange_id = uuid.uuid4().hex
        self.started_at = now()
        self.ended_at: Optional[str] = None
        self.status: Optional[int] = None
        self.error: Optional[str] = None
        self.user: Optional[str] = None
        self.begun = False  # a begin was told: what it said stays as it is
        self.extra: Dict[str, Any] = {}  # before, after, run, artifact, reason and approval_reference from tags
        self.artifact: Optional[Artifact] = None  # to be digested after the answer, when that takes long
        self.request = Body(REQUEST_KEPT_MAX if route.keeps_request else 0)
        self.response = Body(RESPONSE_KEPT_MAX)
        self.response_is_json = False
        self._settings = settings
        self._scope = scope
        self._headers = _headers(scope)

    def header(self, name: str) -> Optional[str]:
        """A request header by its lower-case name."""
        return self._headers.get(name)

    def request_json(self) -> Any:
        """The request's body, or its query where a request has no body, as an object."""
        value = parsed(self.request.bytes())
        if isinstance(value, dict):
            return value
        return dict(urllib.parse.parse_qsl(self._scope.get("query_string", b"").decode("latin-1")))

    def begin(self) -> bytes:
        """The exchange as known before the answer, as JSON."""
        self.begun = True
        return _encoded({**self._asked(), "before": self.extra.get("before"), "phase": "begin"})

    def end(self) -> bytes:
        """The exchange as known at its end, as JSON: all of it, or what completes a begin."""
        return _encoded({**self._asked(), **self._answered(), "phase": "end" if self.begun else None})

    def _asked(self) -> Dict[str, Any]:
        client = self._scope.get("client")
        members: Dict[str, Any] = {
            "exchange": self.exchange_id,
            "server": self._settings.server,
            "method": self.route.method,
            "path": _path(self._scope),
            "query": self._scope.get("query_string", b"").decode("latin-1") or None,
            "request": self._request(),
            "address": client[0] if client else None,
            "user_agent": self.header("user-agent"),
            "workspace": self.header("x-mlflow-workspace"),
            "started_at": self.started_at,
        }
        members.update(self._who())
        for member in ("reason", "approval_reference", "purpose"):
            members[member] = said(self.header("x-mltrail-" + member.replace("_", "-")))
        return members

    def _answered(self) -> Dict[str, Any]:
        status = 500 if self.status is None else self.status
        members: Dict[str, Any] = {
            "status": status,
            "response": self._response(status),
            "ended_at": self.ended_at,
            "bytes": self.request.size if self.route.method == "PUT" else self.response.size,
            "error": self.error,
        }
        given = self._asked()
        for name, value in self.extra.items():
            # What the request says of its reason goes before what a tag says, which may be of an earlier move.
            if given.get(name) is None:
                members[name] = value
        return members

    def _request(self) -> Any:
        refused = self.status in (401, 403) and not self.begun
        most = REFUSED_KEPT_MAX if refused else REQUEST_KEPT_MAX
        if not self.route.keeps_request or self.request.size > most:
            return None
        return request_members(self.route.name, self.request.bytes())

    def _response(self, status: int) -> Any:
        if not self.response_is_json or not self.response.whole:
            return None
        value = parsed(self.response.bytes())
        if status >= 400:
            # Says why it was refused. Anything else that an error carries is of no concern here.
            return {name: value[name] for name in ("error_code", "message") if name in value} if isinstance(value, dict) else None
        return without_secrets(value) if self.route.keeps_response else None

    def _who(self) -> Dict[str, Any]:
        scheme, named = _credentials(self.header("authorization"))
        header = self.header(self._settings.user_header) if self._settings.user_header else None
        claimed = self._claimed_in_body() or named or header
        if self.user is not None:
            principal, auth = self.user, _way(scheme, self._settings.inner)
        elif header and self._settings.trusts(self._scope.get("client")):
            principal, auth = header, "header"
        else:
            principal, auth = None, "none"
        # Both parts of an exchange claim the same: at its beginning nobody knows yet who it was.
        repeats = claimed == principal and not self.begun
        return {"principal": principal, "auth": auth, "claimed_user": None if repeats else claimed}

    def _claimed_in_body(self) -> Optional[str]:
        """Whom a new run says it is of: the client's login name, which nobody checks."""
        if self.route.name != "runs/create":
            return None
        body = parsed(self.request.bytes())
        user = body.get("user_id") if isinstance(body, dict) else None
        return user if isinstance(user, str) and user else None


def said(value: Optional[str]) -> Optional[str]:
    """A header's text. Clients percent-encode UTF-8, since headers are ASCII, or send it as it is; a bare `%` stays."""
    if not value:
        return None
    sent = value[:HEADER_KEPT_MAX].encode("latin-1")
    return urllib.parse.unquote_to_bytes(sent).decode("utf-8", "replace").strip() or None


def _path(scope: Mapping[str, Any]) -> str:
    """The path as it was sent, percent-encoded."""
    raw = scope.get("raw_path")
    return bytes(raw).decode("latin-1") if raw else urllib.parse.quote(scope.get("path", ""))


def _headers(scope: Mapping[str, Any]) -> Dict[str, str]:
    headers: Dict[str, str] = {}
    for name, value in scope.get("headers", []):
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return headers


def _credentials(authorization: Optional[str]) -> Tuple[Optional[str], Optional[str]]:
    """The scheme of the Authorization header, and the user that it names. Never the password."""
    if not authorization:
        return None, None
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return scheme.lower(), None
    try:
        user = base64.b64decode(rest.strip(), validate=True).decode("utf-8", "replace").partition(":")[0]
    except (binascii.Error, ValueError):
        return "basic", None
    return "basic", user or None


def _way(scheme: Optional[str], inner: str) -> str:
    if re.search(r"oidc|oauth", inner):
        return "oidc"
    return "basic" if scheme in ("basic", None) else "header"


def _encoded(members: Mapping[str, Any]) -> bytes:
    """The exchange as JSON. One that is too long loses first what is only convenient, and says so."""
    kept = {name: value for name, value in members.items() if value is not None}
    for dropped in (None, "response", "manifest", "run", "request"):
        if dropped == "manifest":
            if isinstance(kept.get("artifact"), dict):
                kept["artifact"] = {name: value for name, value in kept["artifact"].items() if name != "manifest"}
        elif dropped is not None:
            kept.pop(dropped, None)
        if dropped is not None:
            kept["shortened"] = True
        encoded = encode_json(kept)
        if len(encoded) <= EXCHANGE_MAX:
            break
    return encoded
