"""The digest of a model's real artifact, as MLflow stores it."""
from __future__ import annotations

import logging
import os
import shutil
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Set

from ..hashing import hash_directory

AT_ONCE_MAX = 32 * 1024 * 1024  # read and hashed within a tenth of a second: not worth a second record
MANIFEST_FILES_MAX = 2000  # so that a manifest stays far below the largest exchange
CLOSE_WAIT_S = 20.0  # less than what supervisors grant before they kill
_log = logging.getLogger("mltrail.mlflow")


@dataclass(frozen=True)
class Artifact:
    """Where an artifact lies: a local path, or a repository of MLflow's from which it has to be fetched."""

    path: Optional[str]
    fetch: Optional[Callable[[str], str]] = None

    def is_small(self) -> bool:
        """Whether it is here, and read in no time."""
        return self.path is not None and _size(self.path, AT_ONCE_MAX) <= AT_ONCE_MAX

    def digest(self) -> Dict[str, Any]:
        """Its digests, manifest and size."""
        if self.path is not None:
            return digest_of(self.path)
        assert self.fetch is not None
        folder = tempfile.mkdtemp(prefix="mltrail-artifact-")
        try:
            return digest_of(self.fetch(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def digest_of(path: str) -> Dict[str, Any]:
    """The member `artifact` of an exchange, for a directory or file."""
    digest = hash_directory(path)
    told: Dict[str, Any] = {"hash": digest.digests, "size": sum(file.size for file in digest.files)}
    if len(digest.files) <= MANIFEST_FILES_MAX:
        told["manifest"] = digest.manifest
    return told


class Digests:
    """Computes digests one after the other, beside the requests."""

    def __init__(self) -> None:
        self._pool: Optional[ThreadPoolExecutor] = None
        self._open: Set["Future[None]"] = set()

    def later(self, artifact: Artifact, tell: Callable[[Dict[str, Any]], None]) -> None:
        """Computes the digest and tells it."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mltrail-digest")
        future = self._pool.submit(_digest_and_tell, artifact, tell)
        self._open.add(future)
        future.add_done_callback(self._open.discard)

    def close(self) -> None:
        """Waits for what has begun."""
        if self._pool is None:
            return
        unfinished = wait(list(self._open), CLOSE_WAIT_S).not_done
        if unfinished:
            _log.error("stopped before %d artifacts were digested: their versions have no digest in the trail", len(unfinished))
        self._pool.shutdown(wait=False, cancel_futures=True)


def _digest_and_tell(artifact: Artifact, tell: Callable[[Dict[str, Any]], None]) -> None:
    try:
        tell(artifact.digest())
    except Exception as error:  # whatever a store raises: the version is then without digest, and the trail says so
        _log.error("an artifact could not be digested: %s", error)


def _size(path: str, enough: int) -> int:
    """The bytes beneath `path`; counting stops once there are more than `enough`."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            size += os.lstat(os.path.join(folder, name)).st_size
        if size > enough:
            break
    return size
