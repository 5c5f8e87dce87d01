"""What MLflow's client loads by itself once this package is installed."""
from __future__ import annotations

import os
import sys
import urllib.parse
from pathlib import Path
from typing import Dict, Optional

from mlflow.tracking.context.abstract_context import RunContextProvider
from mlflow.tracking.request_header.abstract_request_header_provider import RequestHeaderProvider

from ..git import GitError, GitState, git_state
from . import said_here

# Left as they are in a header; all else is percent-encoded UTF-8.
_PLAIN = " !\"#$&'()*+,-./:;<=>?@[]^_`{|}~"


class Reasons(RequestHeaderProvider):  # type: ignore[misc]
    """Sends what `mltrail.mlflow.because` and the environment say, as X-Mltrail-… headers."""

    def in_context(self) -> bool:
        """Whether anything is said."""
        return bool(said_here())

    def request_headers(self) -> Dict[str, str]:
        """The headers."""
        return {"X-Mltrail-" + name.title().replace("_", "-"): urllib.parse.quote(value, safe=_PLAIN)
                for name, value in said_here().items()}


class GitRun(RunContextProvider):  # type: ignore[misc]
    """Tags runs with the state of their code: the commit, and whether anything differs from it, which MLflow does not
    say. MLTRAIL_MLFLOW_GIT=0 leaves it."""

    def in_context(self) -> bool:
        """Whether the program stands in a repository."""
        return os.environ.get("MLTRAIL_MLFLOW_GIT") != "0" and _state() is not None

    def tags(self) -> Dict[str, str]:
        """The tags."""
        state = _state()
        if state is None:
            return {}
        tags = {"mltrail.git_commit": state.commit, "mltrail.git_dirty": "true" if state.dirty else "false"}
        if state.repository:
            tags["mltrail.git_repository"] = state.repository
        return tags


def _state() -> Optional[GitState]:
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    try:
        return git_state(Path(program).resolve().parent if program else Path.cwd())
    except (GitError, OSError):
        return None
