"""Which code ran."""
from __future__ import annotations

import os
import subprocess
import urllib.parse
from dataclasses import dataclass
from typing import Any, Dict, Optional, Union


class GitError(RuntimeError):
    """git is missing, or this is no repository."""


@dataclass(frozen=True)
class GitState:
    """The commit that is checked out, and whether tracked files differ from it or untracked ones stand beside."""

    commit: str
    dirty: bool
    repository: Optional[str]

    @property
    def members(self) -> Dict[str, Any]:
        """As members of a training run."""
        return {"git_commit": self.commit, "git_dirty": self.dirty, "git_repository": self.repository}


def git_state(path: Union[str, "os.PathLike[str]"] = ".") -> GitState:
    """The state of the repository that holds `path`. `repository` is the URL of `origin`, without any password."""
    commit = _git(path, "rev-parse", "HEAD")
    dirty = _git(path, "status", "--porcelain") != ""
    try:
        repository: Optional[str] = _without_credentials(_git(path, "remote", "get-url", "origin"))
    except GitError:
        repository = None
    return GitState(commit, dirty, repository)


def top_level(path: Union[str, "os.PathLike[str]"] = ".") -> str:
    """The folder of the working tree that holds `path`."""
    return _git(path, "rev-parse", "--show-toplevel")


def _git(path: Union[str, "os.PathLike[str]"], *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", os.fspath(path), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise GitError("git is not installed") from error
    if done.returncode != 0:
        raise GitError(f"git {' '.join(arguments)} in {os.fspath(path)}: {done.stderr.strip()}")
    return done.stdout.strip()


def _without_credentials(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    if not parts.scheme or not parts.netloc or "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rsplit("@", 1)[1]).geturl()
