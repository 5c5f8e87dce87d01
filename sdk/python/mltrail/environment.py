"""What a run of a program can be seen to have: code, machine, libraries, the job that started it.

Only what is seen is said. What cannot be found out is left out, so that it shows as missing; nothing is guessed.
"""
from __future__ import annotations

import getpass
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import socket
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Set, Tuple, Union

from .git import GitError, git_state
from .git import top_level as git_top_level

PathLike = Union[str, "os.PathLike[str]"]
# What pins the libraries that a run had; in the folder of the program or at the top of its repository.
LOCK_FILES = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "requirements.txt",
              "requirements.lock", "conda-lock.yml", "environment.yml", "pixi.lock")
_LOCK_FILE_MAX = 64 << 20  # nothing that is longer is a lock file
_CUDA_TOOLKIT = "/usr/local/cuda/version.json"
_CUDA_DRIVER = "/proc/driver/nvidia/version"
_GPUS = "/proc/driver/nvidia/gpus"


def code_members(path: PathLike = ".") -> Dict[str, Any]:
    """`git_commit`, `git_dirty`, `git_repository` as members of a record; empty outside of a repository."""
    try:
        members = git_state(path).members
    except GitError:
        return {}
    return {name: value for name, value in members.items() if value is not None}


def process_user() -> Optional[str]:
    """The account that the process runs as: from the user id, not from the environment, which anybody can set."""
    try:
        import pwd
        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        pass
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return None


def environment(path: PathLike = ".") -> Dict[str, Any]:
    """Interpreter, machine, libraries, lock files, CUDA and CI job, for the member `environment` of a training run."""
    found: Dict[str, Any] = {
        "python": platform.python_version(), "implementation": platform.python_implementation(),
        "platform": platform.platform(), "machine": platform.machine(), "host": socket.gethostname(),
        "user": process_user(), "cpus": os.cpu_count(), "packages": packages(), "lock_files": lock_files(path),
        "cuda": cuda(), "ci": ci_job().get("job"),
    }
    return {name: value for name, value in found.items() if value not in (None, {}, [])}


# Libraries ---------------------------------------------------------------------------------------------------------

def packages() -> Dict[str, str]:
    """The versions of the distributions that this process has imported something of."""
    imported = {name.partition(".")[0] for name in list(sys.modules)}
    versions: Dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name and name not in versions and imported & _modules(distribution):
            versions[name] = distribution.version
    return dict(sorted(versions.items(), key=lambda item: item[0].lower()))


def _modules(distribution: importlib.metadata.Distribution) -> Set[str]:
    declared = distribution.read_text("top_level.txt")
    if declared:
        return set(declared.split())
    modules = set()
    for file in distribution.files or ():
        first = file.parts[0]
        if len(file.parts) > 1 and file.suffix == ".py":
            modules.add(first)
        elif len(file.parts) == 1 and file.suffix in (".py", ".so", ".pyd"):
            modules.add(first.partition(".")[0])
    return modules


def lock_files(path: PathLike = ".") -> Dict[str, str]:
    """The digests of the lock files beside the program and at the top of its repository, by their names there."""
    folder = Path(path)
    folders = [folder if folder.is_dir() else folder.parent]
    try:
        folders.append(Path(git_top_level(folders[0])))
    except GitError:
        pass
    found: Dict[str, str] = {}
    for place in folders:
        for name in LOCK_FILES:
            file = place / name
            if file.is_file() and file.stat().st_size <= _LOCK_FILE_MAX:
                found.setdefault(name, "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest())
    return found


def cuda() -> Dict[str, Any]:
    """Driver, toolkit and devices as the system shows them. Imports nothing: an import would take hold of a GPU."""
    found: Dict[str, Any] = {}
    driver = re.search(r"Kernel Module\D+([\d.]+)", _read(_CUDA_DRIVER))
    if driver:
        found["driver"] = driver[1]
    try:
        found["toolkit"] = str(json.loads(_read(_CUDA_TOOLKIT))["cuda"]["version"])
    except (ValueError, KeyError, TypeError):
        pass
    torch = sys.modules.get("torch")
    built_for = getattr(getattr(torch, "version", None), "cuda", None)
    if built_for:
        found["torch_cuda"] = str(built_for)
    models = [re.search(r"Model:\s*(.+)", _read(os.path.join(_GPUS, name, "information"))) for name in _listed(_GPUS)]
    if any(models):
        found["devices"] = [model[1].strip() for model in models if model]
    if found and os.environ.get("CUDA_VISIBLE_DEVICES") is not None:
        found["visible_devices"] = os.environ["CUDA_VISIBLE_DEVICES"]
    return found


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _listed(path: str) -> List[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


# The job that started it -------------------------------------------------------------------------------------------

# Event or source of a pipeline → what started it. What is not here is left out.
_GITHUB_TRIGGERS = {"schedule": "schedule", "workflow_dispatch": "manual", "push": "event", "pull_request": "event",
                    "repository_dispatch": "event", "workflow_run": "event", "release": "event", "merge_group": "event"}
_GITLAB_TRIGGERS = {"schedule": "schedule", "web": "manual", "chat": "manual", "push": "event", "trigger": "event",
                    "pipeline": "event", "parent_pipeline": "event", "merge_request_event": "event",
                    "external_pull_request_event": "event", "external": "event"}


def ci_job(variables: Optional[Mapping[str, str]] = None) -> Dict[str, Any]:
    """The CI job this process runs in: `job` (an object), `triggered_by` and `trigger`; empty when there is none."""
    given = os.environ if variables is None else variables
    for marks, read in ((("GITHUB_ACTIONS", "true"), _github), (("GITLAB_CI", "true"), _gitlab)):
        if given.get(marks[0]) == marks[1]:
            return read(given)
    return _jenkins(given) if given.get("JENKINS_URL") and given.get("BUILD_ID") else {}


def _named(given: Mapping[str, str], names: Iterable[Tuple[str, str]]) -> Dict[str, str]:
    return {name: given[variable] for name, variable in names if given.get(variable)}


def _found(system: str, job: Dict[str, str], by: Optional[str], trigger: Optional[str]) -> Dict[str, Any]:
    found = {"job": {"system": system, **job}, "triggered_by": by, "trigger": trigger}
    return {name: value for name, value in found.items() if value}


def _github(given: Mapping[str, str]) -> Dict[str, Any]:
    job = _named(given, (("run_id", "GITHUB_RUN_ID"), ("attempt", "GITHUB_RUN_ATTEMPT"), ("job", "GITHUB_JOB"),
                         ("workflow", "GITHUB_WORKFLOW_REF"), ("repository", "GITHUB_REPOSITORY"), ("ref", "GITHUB_REF"),
                         ("commit", "GITHUB_SHA"), ("event", "GITHUB_EVENT_NAME")))
    if given.get("GITHUB_SERVER_URL") and "repository" in job and "run_id" in job:
        job["url"] = f"{given['GITHUB_SERVER_URL']}/{job['repository']}/actions/runs/{job['run_id']}"
    # A run that somebody started again has the one who did in GITHUB_TRIGGERING_ACTOR.
    by = given.get("GITHUB_TRIGGERING_ACTOR") or given.get("GITHUB_ACTOR")
    return _found("github", job, by, _GITHUB_TRIGGERS.get(job.get("event", "")))


def _gitlab(given: Mapping[str, str]) -> Dict[str, Any]:
    job = _named(given, (("run_id", "CI_PIPELINE_ID"), ("job", "CI_JOB_NAME"), ("job_id", "CI_JOB_ID"),
                         ("repository", "CI_PROJECT_PATH"), ("ref", "CI_COMMIT_REF_NAME"), ("commit", "CI_COMMIT_SHA"),
                         ("event", "CI_PIPELINE_SOURCE"), ("url", "CI_JOB_URL"), ("image", "CI_JOB_IMAGE")))
    return _found("gitlab", job, given.get("GITLAB_USER_LOGIN"), _GITLAB_TRIGGERS.get(job.get("event", "")))


def _jenkins(given: Mapping[str, str]) -> Dict[str, Any]:
    job = _named(given, (("run_id", "BUILD_ID"), ("job", "JOB_NAME"), ("url", "BUILD_URL"), ("node", "NODE_NAME"),
                         ("commit", "GIT_COMMIT"), ("ref", "GIT_BRANCH")))
    # Jenkins itself says neither; the plugin "build user vars" does.
    trigger = "schedule" if given.get("BUILD_USER_ID") == "timer" else "manual" if given.get("BUILD_USER_EMAIL") else None
    return _found("jenkins", job, given.get("BUILD_USER_ID"), trigger)


def who_and_why() -> Dict[str, Any]:
    """`triggered_by` and `trigger`: those of the CI job; else the account of the process, and `manual` at a terminal."""
    job = ci_job()
    if job:
        return {name: job[name] for name in ("triggered_by", "trigger") if name in job}
    found: Dict[str, Any] = {}
    user = process_user()
    if user:
        found["triggered_by"] = user
    try:
        if sys.stdin is not None and sys.stdin.isatty():
            found["trigger"] = "manual"
    except ValueError:  # closed
        pass
    return found
