"""Client of mltrail, the audit trail for machine learning that can be proved.

    trail = mltrail.Trail("http://127.0.0.1:8470", token_file="trail.state/admin.token")

    @trail.predictions(model="tumour-risk", version="1")
    def score(radius, texture): ...

Standard library only.
"""
from .client import Trail
from .data import ArrayDigest, FileDigest, PartsDigest, hash_array, hash_csv, hash_cursor, hash_data, hash_parts
from .errors import (BatchRejected, MltrailError, NotAllowed, NotFound, OutOfSpace, ProblemError, RecordRejected,
                     SpoolError, SpoolFull, TransportError, Unavailable)
from .git import GitError, GitState, git_state
from .hashing import DirectoryDigest, FileEntry, hash_directory, hash_file
from .predictions import Prediction, Recorder, current_request_id, request
from .receipts import BatchReceipt, Problem, Receipt, TreeHead
from .rows import RowsDigest, hash_rows
from .sink import Logged, Pending
from .stream import PredictionStream
from .values import encode_json, now, rfc3339

__version__ = "0.1.0"

__all__ = [
    "ArrayDigest", "BatchReceipt", "BatchRejected", "DirectoryDigest", "FileDigest", "FileEntry", "GitError",
    "GitState", "Logged", "MltrailError", "NotAllowed", "NotFound", "OutOfSpace", "PartsDigest", "Pending",
    "Prediction", "PredictionStream", "Problem", "ProblemError", "Receipt", "RecordRejected", "Recorder",
    "RowsDigest", "SpoolError", "SpoolFull", "Trail", "TransportError", "TreeHead", "Unavailable",
    "current_request_id", "encode_json", "git_state", "hash_array", "hash_csv", "hash_cursor", "hash_data",
    "hash_directory", "hash_file", "hash_parts", "hash_rows", "now", "request", "rfc3339",
]
