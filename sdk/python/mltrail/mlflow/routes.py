"""Which of MLflow's requests is this, and how much of it does the trail keep?

MLflow serves one interface under several names: /api/2.0 and /api/3.0 for clients, /ajax-api/… for its pages, all of it
under a static prefix where one is configured. What counts is what follows.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

_API = re.compile(r"/(?:ajax-)?api/[0-9]+\.[0-9]+/(mlflow-artifacts|mlflow)(?:/(.*))?$")
_BESIDE = re.compile(r"/(get-artifact|model-versions/get-artifact|graphql)$")
# The program itself, its style sheets and its pulse: nothing of what MLflow keeps. Recorded only when refused.
_PROGRAM = re.compile(r"/?|/(?:static-files/.*|health|version|favicon\.ico|metrics|"
                      r"(?:ajax-)?api/3\.0/mlflow/(?:ui-telemetry|server-info))")

# POST is how MLflow spells some of its reads.
_READS_BY_POST = re.compile(r"(?:^|/)(?:search|get-latest-versions|search-datasets|get-history-bulk|batchGetInfos|"
                            r"calculate-filter-correlation|presigned-download-url|traces/metrics)$|^graphql$")

# Bodies that say what the registry and the tracking store were asked. Everything else may hold secrets (gateway keys),
# people's words (traces, dataset records) or the data itself, and stays out: the request is recorded, its body is not.
_KEPT_REQUESTS = re.compile(r"(?:registered-models|model-versions|runs|experiments|logged-models|metrics|artifacts|users)(?:/|$)|"
                            r"datasets/search$")
_KEPT_RESPONSES = re.compile(r"(?:registered-models|model-versions|runs|experiments)/create$|model-versions/transition-stage$|"
                             r"registered-models/alias$|logged-models$")

CHANGES_OF_STATE = {
    ("POST", "model-versions/transition-stage"),
    ("POST", "registered-models/alias"),
    ("DELETE", "registered-models/alias"),
    ("DELETE", "model-versions/delete"),
    ("DELETE", "registered-models/delete"),
    ("POST", "registered-models/rename"),
}


@dataclass(frozen=True)
class Route:
    """A request's place in MLflow's interface. `name` is the path without prefix and version ("runs/create", "artifact"),
    or the whole path where MLflow has a route that is not known here."""

    name: str
    method: str
    program: bool
    changes: bool
    keeps_request: bool
    keeps_response: bool

    @property
    def moves(self) -> bool:
        """Whether versions may get another stage or alias by it."""
        return (self.method, self.name) in CHANGES_OF_STATE


def route_of(method: str, path: str, static_prefix: str = "") -> Route:
    """The route of a request."""
    name = _name(path)
    beneath = path[len(static_prefix):] if static_prefix and path.startswith(static_prefix) else path
    program = _PROGRAM.fullmatch(beneath) is not None
    reads = program or method in ("GET", "HEAD", "OPTIONS") or (method == "POST" and bool(_READS_BY_POST.search(name)))
    return Route(name=name, method=method, program=program, changes=not reads,
                 keeps_request=bool(_KEPT_REQUESTS.match(name)) or name == "graphql",
                 keeps_response=bool(_KEPT_RESPONSES.match(name)))


def _name(path: str) -> str:
    match = _API.search(path)
    if match is not None:
        rest = (match.group(2) or "").rstrip("/")
        if match.group(1) == "mlflow-artifacts":
            return "artifact/" + rest
        return rest
    match = _BESIDE.search(path)
    return match.group(1) if match is not None else path
