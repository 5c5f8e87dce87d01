"""What MLflow says itself, read in process through its own stores: the authenticated user, the state that a change is
about to end, and what a new version was made from.

These are hooks of MLflow's Flask application. They run after MLflow's own: whoever is refused causes no reading, and
what is read is of the workspace that the request is for. None of them ever changes an answer. Where changes fail closed,
the state is read ahead instead, since the trail has the beginning of a change before MLflow sees it.
"""
from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any, Callable, Dict, List, Optional

from .artifact import Artifact
from .settings import Settings
from .visit import Visit, current

VERSIONS_MAX = 10_000  # of one model, looked through for those that stand in a stage
PAGE = 1000
ENDED = ("FINISHED", "FAILED", "KILLED")
TAG_REASON = "mltrail.reason"
TAG_PROMPT = "mlflow.prompt.is_prompt"  # prompts are kept as models, and are none
TAG_APPROVAL = "mltrail.approval_reference"
_log = logging.getLogger("mltrail.mlflow")


class Hooks:
    """The hooks. `install` puts them into a Flask application, behind those that it has."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def install(self, flask_app: Any) -> None:
        """Adds the hooks."""
        flask_app.before_request(self.before)
        flask_app.after_request(self.after)

    def before(self) -> None:
        """The request is allowed and about to be done."""
        visit = current.get()
        if visit is not None and visit.route.moves and "before" not in visit.extra:
            _guarded(visit, "the state before it", self._before, visit)

    def read_ahead(self, visit: Visit) -> None:
        """Reads that state before MLflow sees the request, and so before it says whether it is allowed."""
        _guarded(visit, "the state before it", self._read_ahead, visit)

    def after(self, response: Any) -> Any:
        """The request has been done, or refused."""
        visit = current.get()
        if visit is None:
            return response
        _guarded(visit, "the user", _learn_user, visit, response)
        if response.status_code < 300:
            _guarded(visit, "what it made", self._after, visit, response)
        return response

    def _read_ahead(self, visit: Visit) -> None:
        try:
            from mlflow.server.workspace_helpers import resolve_workspace_for_request_if_enabled
            from mlflow.utils.workspace_context import set_server_request_workspace
        except ImportError:  # a release without workspaces
            self._before(visit)
            return
        workspace = resolve_workspace_for_request_if_enabled("", visit.header("x-mlflow-workspace"))
        set_server_request_workspace(workspace.name if workspace else None)  # of this thread's context alone
        self._before(visit)

    def _before(self, visit: Visit) -> None:
        registry = _registry_store()
        asked = visit.request_json()
        name, version = str(asked.get("name", "")), asked.get("version")
        before: Dict[str, Any] = {}
        model = registry.get_registered_model(name)
        aliases = {alias: str(of) for alias, of in (model.aliases or {}).items()}
        if visit.route.name == "registered-models/alias":
            alias = str(asked.get("alias", ""))
            before["aliases"] = {alias: aliases.get(alias)}
            version = version if version is not None else aliases.get(alias)
        elif visit.route.name.startswith("registered-models/"):
            before["aliases"] = aliases
            before["latest"] = _staged(registry, name)
        else:
            before["aliases"] = {alias: of for alias, of in aliases.items() if of == str(version)}
            before["latest"] = _staged(registry, name)
        if version is not None:
            found = registry.get_model_version(name, str(version))
            before["stage"] = found.current_stage
            if (found.tags or {}).get(TAG_PROMPT):
                before["tags"] = {TAG_PROMPT: found.tags[TAG_PROMPT]}
            _learn_reason(visit, found.tags or {})
        visit.extra["before"] = before

    def _after(self, visit: Visit, response: Any) -> None:
        route = (visit.route.method, visit.route.name)
        if route == ("POST", "model-versions/transition-stage"):
            moved = _answer(response).get("model_version") or {}
            visit.extra["after"] = {"stage": moved.get("current_stage"),
                                    "latest": _staged(_registry_store(), str(moved.get("name", "")))}
        elif route == ("POST", "model-versions/create"):
            self._made(visit, _answer(response).get("model_version") or {})
        elif route == ("POST", "runs/update") and visit.request_json().get("status") in ENDED:
            asked = visit.request_json()
            _learn_run(visit, asked.get("run_id") or asked.get("run_uuid"))

    def _made(self, visit: Visit, version: Dict[str, Any]) -> None:
        """A version was registered: what run it comes from, and what its artifact amounts to."""
        _learn_reason(visit, {tag.get("key"): tag.get("value") for tag in version.get("tags") or []})
        if version.get("run_id"):
            _guarded(visit, "the run", _learn_run, visit, version["run_id"])
        if self._settings.artifact_hash == "off":
            return
        artifact = _artifact(str(version.get("name")), str(version.get("version")))
        if artifact is None or (artifact.path is None and self._settings.artifact_hash == "local"):
            return
        if artifact.is_small():
            visit.extra["artifact"] = artifact.digest()
        else:
            visit.artifact = artifact


def _guarded(visit: Visit, what: str, read: Callable[..., Any], *of: Any) -> None:
    """Runs `read`. What it raises is told with the exchange and is no concern of MLflow's client."""
    try:
        read(*of)
    except Exception as error:
        text = f"{what} could not be read: {type(error).__name__}: {error}"[:500]
        _log.warning("%s %s: %s", visit.route.method, visit.route.name, text)
        visit.error = f"{visit.error}; {text}" if visit.error else text


def _learn_user(visit: Visit, response: Any) -> None:
    from flask import g, request
    user = getattr(g, "mlflow_authenticated_user", None)
    if user is None and response.status_code != 401:
        user = _user_of_older(request)
    if isinstance(user, str) and user:
        visit.user = user


def _user_of_older(request: Any) -> Optional[str]:
    """Older releases of MLflow do not leave the user anywhere: they are asked once more."""
    auth = sys.modules.get("mlflow.server.auth")
    if auth is None or hasattr(auth, "_authenticate_cached") or auth.is_unprotected_route(request.path):
        return None
    return getattr(auth.authenticate_request(), "username", None)


def _learn_reason(visit: Visit, tags: Dict[Any, Any]) -> None:
    for member, tag in (("reason", TAG_REASON), ("approval_reference", TAG_APPROVAL)):
        if tags.get(tag):
            visit.extra[member] = str(tags[tag])


def _staged(registry: Any, name: str) -> List[Dict[str, str]]:
    """The versions of a model that stand in a stage. `latest versions` has one of each stage only, and a transition that
    archives moves all of them."""
    text = name.replace("'", "''")
    found: List[Dict[str, str]] = []
    token: Optional[str] = None
    for _ in range(VERSIONS_MAX // PAGE):
        page = registry.search_model_versions(f"name='{text}'", PAGE, None, token)
        found += [{"version": str(version.version), "stage": version.current_stage} for version in page
                  if version.current_stage not in (None, "", "None")]
        token = page.token
        if not token:
            break
    return found


def _learn_run(visit: Visit, run_id: Any) -> None:
    from mlflow.utils.proto_json_utils import message_to_json
    visit.extra["run"] = json.loads(message_to_json(_tracking_store().get_run(str(run_id)).to_proto()))


def _artifact(name: str, version: str) -> Optional[Artifact]:
    """Where the artifact of a version lies, found as MLflow finds it when it serves one."""
    from mlflow.server import handlers
    uri = _registry_store().get_model_version_download_uri(name, version)
    if not uri:
        return None
    path = ""
    if handlers._is_servable_proxied_run_artifact_root(uri):
        repository = handlers._get_artifact_repo_mlflow_artifacts()
        path = handlers._get_proxied_run_artifact_destination_path(uri)
        scoped = getattr(handlers, "_get_workspace_scoped_repo_path_if_enabled", None)
        path = scoped(path) if scoped else path
    else:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
        repository = get_artifact_repository(uri)
    folder = getattr(repository, "artifact_dir", None)
    if isinstance(folder, str):
        return Artifact(path=os.path.normpath(os.path.join(folder, path)))
    return Artifact(path=None, fetch=lambda into: str(repository.download_artifacts(path, into)))


def _answer(response: Any) -> Dict[str, Any]:
    value = response.get_json(silent=True)
    return value if isinstance(value, dict) else {}


def _registry_store() -> Any:
    from mlflow.server import handlers
    return handlers._get_model_registry_store()


def _tracking_store() -> Any:
    from mlflow.server import handlers
    return handlers._get_tracking_store()
