"""Real software of others against a real server: MLflow, OpenLineage, CloudEvents, OpenTelemetry.

Runs by the interpreter that has tests/integrations/requirements.txt (scripts/check.sh makes a virtual environment of
it). What is not installed skips by `pytest.importorskip` in the test that needs it.
"""
from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from served import Served, until


class Trail(Served):
    """A trail with a server; the admin's token can do everything."""

    def __init__(self, binary: Path, folder: Path, serve=()):
        super().__init__(binary, folder, "example.org/integrations", serve=serve)

    @property
    def token(self) -> str:
        return self.token_file.read_text().strip()

    def producer(self, name: str = "producer") -> str:
        """A token with what a producer gets when nothing else is said."""
        made = self.run("token", "create", name, "--trail", self.dir, "--quiet")
        assert made.returncode == 0, made.stderr
        token = made.stdout.strip()
        until(lambda: self.knows(token), 10, "the server did not take notice of the token")
        return token

    def knows(self, token: str) -> bool:
        try:
            self.ask("/metrics", token)
        except urllib.error.HTTPError as refused:
            return refused.code != 401
        return True

    def ask(self, target: str, token: str):
        request = urllib.request.Request(self.url + target, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()

    def search(self, **query) -> list[dict]:
        """Entries with their payloads, oldest first."""
        return json.loads(self.ask("/v1/records?" + urllib.parse.urlencode({"order": "asc", "limit": 1000, **query}),
                                   self.token))["items"]


@pytest.fixture(scope="module")
def trail(binary, tmp_path_factory):
    running = Trail(binary, tmp_path_factory.mktemp("integrations"))
    yield running
    assert running.stop() == 0
