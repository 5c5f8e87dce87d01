"""Software of others that reads what we write, and writes what we read."""
from __future__ import annotations

from pathlib import Path

import pytest

import gotools

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def tlogcheck() -> Path:
    """A checker made of the Go project's own note and tlog packages."""
    return gotools.own_tool(HERE / "tlogcheck")


@pytest.fixture(scope="session")
def proofpeer() -> Path:
    """A maker of cases: torchwood, and the Go project's own note and tlog."""
    return gotools.own_tool(HERE / "proofpeer")
