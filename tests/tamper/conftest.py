from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def binary() -> Path:
    """The program: MLTRAIL_BIN, or build/mltrail."""
    path = Path(os.environ.get("MLTRAIL_BIN", ROOT / "build" / "mltrail"))
    if not os.access(path, os.X_OK):
        pytest.skip(f"{path} is not built")
    return path
