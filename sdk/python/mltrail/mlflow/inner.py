"""MLflow's own application, the one that is wrapped."""
from __future__ import annotations

import errno
import inspect
import os
import secrets
import sys
from typing import Any, Tuple, cast

from ..spool import make_folder
from .settings import Settings, SettingsError
from .wrapper import Application


def load(settings: Settings) -> Tuple[Application, Any]:
    """The application to wrap as ASGI, and the Flask application that does the work behind it."""
    from mlflow.server import app as flask_app
    if settings.inner == "mlflow":
        from mlflow.server.fastapi_app import app as native
        return cast(Application, native), flask_app
    # Those that decide what they are by the server that runs them decide for ASGI.
    os.environ.setdefault("_MLFLOW_SGI_NAME", "uvicorn")
    application = _entry_point(settings.inner).load()
    if inspect.isfunction(application) and not inspect.iscoroutinefunction(application):
        application = application()
    return _as_asgi(application), flask_app


def check(settings: Settings) -> None:
    """Raises SettingsError where there is no such application, or no place for what is to be sent."""
    try:
        make_folder(settings.spool_dir)
        if not os.access(settings.spool_dir, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise SettingsError(f"MLTRAIL_SPOOL_DIR={settings.spool_dir!r}: {error.strerror}: want a folder that this user may "
                            "write to") from error
    if settings.inner != "mlflow":
        _entry_point(settings.inner)


def in_command() -> bool:
    """Whether this is the process of `mlflow server`, which starts the workers, and no worker."""
    return "mlflow.cli" in sys.modules and "_MLFLOW_SGI_NAME" not in os.environ


def prepare_workers(settings: Settings) -> None:
    """Does in `mlflow server` what it does for the application by its name, before it starts the workers: they inherit
    the environment."""
    # Without it uvicorn believes X-Forwarded-For of everybody on this machine.
    os.environ.setdefault("FORWARDED_ALLOW_IPS", ",".join(str(network) for network in settings.trusted))
    if settings.inner == "basic-auth":
        import mlflow.server
        bootstrap = getattr(mlflow.server, "_bootstrap_basic_auth", None)
        if bootstrap is not None:
            bootstrap()
            os.environ["_MLFLOW_AUTH_ADMIN_BOOTSTRAPPED"] = "true"
        os.environ.setdefault("_MLFLOW_INTERNAL_GATEWAY_AUTH_TOKEN", secrets.token_hex(32))


def refuse_wsgi() -> None:
    """gunicorn and waitress run WSGI applications only."""
    server = os.environ.get("_MLFLOW_SGI_NAME", "uvicorn")
    if server != "uvicorn":
        raise SettingsError(f"mltrail runs under uvicorn, not {server}: leave out --{server}-opts")


def _entry_point(name: str) -> Any:
    from mlflow.utils.plugins import get_entry_points
    found = {point.name: point for point in get_entry_points("mlflow.app")}
    if name not in found or name == "mltrail":
        others = sorted(set(found) - {"mltrail"})
        raise SettingsError(f"MLTRAIL_MLFLOW_APP={name!r}: there is no such application: want mlflow, {', '.join(others)}")
    return found[name]


def _as_asgi(application: Any) -> Application:
    call = application if inspect.isfunction(application) else getattr(application, "__call__", None)
    if inspect.iscoroutinefunction(call):
        return cast(Application, application)
    from mlflow.server.fastapi_app import create_fastapi_app
    return cast(Application, create_fastapi_app(application))
