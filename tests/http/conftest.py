from __future__ import annotations

import pytest

from api_server import Server


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    running = Server(binary, tmp_path_factory.mktemp("trail"))
    yield running
    if running.process.poll() is None:
        assert running.stop() == 0


@pytest.fixture(scope="module")
def raw_server(binary, tmp_path_factory):
    running = Server(binary, tmp_path_factory.mktemp("raw"), raw=True)
    yield running
    assert running.stop() == 0
