"""Who trusts a key that was replaced is led to the new one from afar, and is not led astray by whoever has the new one."""
from __future__ import annotations

import base64
import http.client
import http.server
import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from served import end, listen

ORIGIN = "example.com/keys"
RECORD = '{"kind":"prediction","request_id":"%s","timestamp":"2026-11-01T10:00:00Z","model":"%s"}\n'


class Place:
    """A directory with trails, and the program run there with a configuration of its own."""

    def __init__(self, binary: Path, base: Path) -> None:
        self.binary, self.base = binary, base
        self.env = {**os.environ, "HOME": str(base), "XDG_CONFIG_HOME": str(base / "config")}
        self.servers: list[subprocess.Popen] = []

    def run(self, *argv: str, stdin: str = "", status: int = 0) -> str:
        done = subprocess.run([str(self.binary), *argv], cwd=self.base, env=self.env, input=stdin, text=True,
                              capture_output=True, timeout=60)
        assert done.returncode == status, (argv, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def make(self, name: str, model: str, records: int) -> None:
        self.run("init", name, "--origin", ORIGIN, "--public")
        self.append(name, model, records)

    def append(self, name: str, model: str, records: int) -> None:
        self.run("--trail", name, "append", stdin="".join(RECORD % (f"{model}-{i}", model) for i in range(records)))

    def serve(self, name: str) -> int:
        server, port = listen([self.binary, "serve", name, "--listen", "127.0.0.1:0"], self.base / f"{name}.port",
                              cwd=self.base, env=self.env)
        self.servers.append(server)
        return port

    def stop(self) -> None:
        for server in self.servers:
            end(server)


@pytest.fixture
def place(binary: Path, tmp_path: Path) -> Iterator[Place]:
    here = Place(binary, tmp_path)
    here.make("trail", "credit", 5)
    (tmp_path / "old.vkey").write_text(here.run("--trail", "trail", "key", "export"))
    here.run("--trail", "trail", "key", "rotate-signing", "--reason", "yearly")
    here.append("trail", "credit2", 5)
    yield here
    here.stop()


def test_the_old_key_leads_to_the_new_one(place: Place) -> None:
    """By --key, and by what was remembered, which the new key then replaces."""
    url = f"http://127.0.0.1:{place.serve('trail')}"
    old = (place.base / "old.vkey").read_text()
    new = place.run("--trail", "trail", "key", "export")
    assert old != new
    assert "verified" in place.run("verify", url, "--key", "old.vkey")
    known = place.base / "config" / "mltrail" / "known_trails"
    known.parent.mkdir(parents=True)
    known.write_text(f"http://example.com/other {old}{url} {old}")
    assert "verified" in place.run("verify", url)
    assert known.read_text() == f"http://example.com/other {old}{url} {new}"
    assert "verified" in place.run("verify", url)


class Forger(http.server.BaseHTTPRequestHandler):
    """Serves another tree, with a checkpoint by the trail's real new key and the trail's real trail.json."""

    behind = 0
    own: dict[str, bytes] = {}

    def do_GET(self) -> None:  # noqa: N802 (the name is the library's)
        body, status = self.own.get(self.path), 200
        if body is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=20)
            connection.request("GET", self.path)
            answer = connection.getresponse()
            body, status = answer.read(), answer.status
            connection.close()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def signed_by_the_new_key(state: Path, text: str) -> bytes:
    line, chain = state.joinpath("signing.key").read_text().splitlines()
    seed = base64.b64decode(line.split("+", 4)[4])[1:]
    key_id = bytes.fromhex(json.loads(chain)["keys"][0].split("+")[1])
    signature = key_id + Ed25519PrivateKey.from_private_bytes(seed).sign(text.encode())
    return (text + f"\n\u2014 {ORIGIN} " + base64.b64encode(signature).decode() + "\n").encode()


@pytest.fixture
def forger() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forger)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(20)


@pytest.mark.parametrize("records", [20, 1], ids=["another history", "a shorter one"])
def test_the_new_key_cannot_rewrite_what_the_old_one_signed(place: Place, forger: http.server.ThreadingHTTPServer,
                                                            records: int) -> None:
    """A tree that lacks what the old key signed at the change is found out, though the new key signed it."""
    place.make("forged", "fraud", records)
    Forger.behind = place.serve("forged")
    connection = http.client.HTTPConnection("127.0.0.1", Forger.behind, timeout=20)
    connection.request("GET", "/checkpoint")
    text = connection.getresponse().read().decode().split("\n\n")[0] + "\n"
    connection.close()
    Forger.own = {"/checkpoint": signed_by_the_new_key(place.base / "trail.state", text),
                  "/trail.json": (place.base / "trail" / "trail.json").read_bytes()}
    said = place.run("verify", f"http://127.0.0.1:{forger.server_port}", "--key", "old.vkey", status=1)
    assert "NOT VERIFIED" in said
    assert "where the key changed" in said or "the tree ends before" in said
