"""The program that is tested."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def binary() -> Path:
    """The program: MLTRAIL_BIN, or build/mltrail."""
    path = Path(os.environ.get("MLTRAIL_BIN", ROOT / "build" / "mltrail"))
    if not os.access(path, os.X_OK):
        pytest.skip(f"{path} is not built")
    return path
