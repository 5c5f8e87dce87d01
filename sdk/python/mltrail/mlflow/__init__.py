"""MLflow with mltrail: the server's wrapper (`mlflow server --app-name mltrail`), and what its clients say with it.

    with mltrail.mlflow.because(reason="passed the review", approval_reference="CAB-7"):
        client.set_registered_model_alias("credit", "champion", "3")

Nothing here imports MLflow.
"""
from __future__ import annotations

import contextlib
import os
from contextvars import ContextVar
from typing import Dict, Iterator, Mapping, Optional

from ..hashing import DirectoryDigest, PathLike, hash_directory

__all__ = ["because", "hash_model", "said_here"]

_SAID = ("reason", "approval_reference", "purpose")
_NO_PART_OF_MODEL = ("registered_model_meta",)
_here: "ContextVar[Mapping[str, str]]" = ContextVar("mltrail_mlflow_because", default={})


@contextlib.contextmanager
def because(reason: Optional[str] = None, *, approval_reference: Optional[str] = None,
            purpose: Optional[str] = None) -> Iterator[None]:
    """Says why, for everything that this context asks of MLflow within the block. What is not given stays as it was."""
    given = {"reason": reason, "approval_reference": approval_reference, "purpose": purpose}
    said = {name: value for name, value in given.items() if value}
    token = _here.set({**_here.get(), **said})
    try:
        yield
    finally:
        _here.reset(token)


def said_here() -> Dict[str, str]:
    """What is said in this context: by `because`, else by MLTRAIL_REASON, MLTRAIL_APPROVAL_REFERENCE, MLTRAIL_PURPOSE."""
    said = {name: os.environ.get("MLTRAIL_" + name.upper(), "") for name in _SAID}
    said.update(_here.get())
    return {name: value for name, value in said.items() if value}


def hash_model(path: PathLike) -> DirectoryDigest:
    """The digests of a model that was downloaded from MLflow: those that the trail has of the stored one. MLflow adds a
    file to what it downloads from the registry, which counts for neither."""
    return hash_directory(path, ignore=_NO_PART_OF_MODEL)
