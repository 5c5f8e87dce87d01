"""`mlflow server --app-name mltrail`: MLflow's own application, with every access to it in the trail.

uvicorn imports `mltrail.mlflow.app:app`. Importing the module alone does nothing: `app` is made when it is asked for.
"""
from __future__ import annotations

import os
from typing import Any

from . import inner
from .delivery import Delivery
from .settings import from_environment
from .state import Hooks
from .wrapper import Recorder

__all__ = ["app"]  # pylint: disable=undefined-all-variable


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    settings = from_environment()
    if inner.in_command():
        # `mlflow server` asks what `app` is before it starts workers: what is wrong is said here, once.
        inner.check(settings)
        inner.prepare_workers(settings)
        return object()
    inner.refuse_wsgi()
    globals()["app"] = made = _make()
    return made


def _make() -> Recorder:
    settings = from_environment()
    application, flask_app = inner.load(settings)
    hooks = Hooks(settings)
    hooks.install(flask_app)
    from mlflow.server.handlers import STATIC_PREFIX_ENV_VAR
    static_prefix = os.environ.get(STATIC_PREFIX_ENV_VAR, "").rstrip("/")
    return Recorder(application, settings, Delivery(settings), static_prefix, hooks.read_ahead)
