"""Keys in a PKCS#11 token: SoftHSM stands in for the hardware, through the same interface.

Skipped, saying so, where softhsm2 or pkcs11-tool (opensc) is absent.
"""
from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import termios
import time
from pathlib import Path
from typing import Iterator

import pytest

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "847362"
RECORD = ('{"kind":"prediction","request_id":"%s","timestamp":"2026-11-01T10:00:00Z","model":"credit",'
          '"model_version":"1","serving_node":"n1","feature_values":{"income":4200},"prediction":"approve"}\n')


class Token:
    """A SoftHSM token of its own, and the environment in which programs find it."""

    def __init__(self, base: Path) -> None:
        self.dir = base / "tokens"
        self.dir.mkdir()
        conf = base / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {self.dir}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.env = {**os.environ, "SOFTHSM2_CONF": str(conf), "HOME": str(base), "XDG_CONFIG_HOME": str(base)}
        self.env.pop("MLTRAIL_PIN", None)
        self.env.pop("MLTRAIL_PIN_FILE", None)
        self.call("softhsm2-util", "--init-token", "--free", "--label", "trail", "--so-pin", "1234", "--pin", PIN)
        self.make_pair("signing", "01")
        self.make_pair("signing-2", "02")
        self.pkcs11("--keygen", "--key-type", "AES:32", "--id", "03", "--label", "kek")

    def call(self, *argv: str) -> None:
        subprocess.run(argv, env=self.env, check=True, capture_output=True, timeout=60)

    def pkcs11(self, *argv: str) -> None:
        self.call("pkcs11-tool", "--module", str(MODULE), "--token-label", "trail", "--login", "--pin", PIN, *argv)

    def make_pair(self, label: str, number: str) -> None:
        self.pkcs11("--keypairgen", "--key-type", "EC:edwards25519", "--id", number, "--label", label)

    def uri(self, label: str, *, module: bool = True) -> str:
        return f"pkcs11:token=trail;object={label}" + (f"?module-path={MODULE}" if module else "")


@pytest.fixture
def token(tmp_path: Path) -> Token:
    for tool in ("softhsm2-util", "pkcs11-tool"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is absent; scripts/install-deps.sh check installs it")
    if not MODULE.exists():
        pytest.skip(f"{MODULE} is absent")
    return Token(tmp_path)


class Trail:
    def __init__(self, binary: Path, base: Path, token: Token) -> None:
        self.binary, self.base, self.token = binary, base, token
        self.dir = base / "trail"
        self.state = base / "trail.state"

    def run(self, *argv: str, pin: str | None = PIN, stdin: str = "", status: int = 0) -> subprocess.CompletedProcess[str]:
        env = dict(self.token.env)
        if pin is not None:
            env["MLTRAIL_PIN"] = pin
        done = subprocess.run([str(self.binary), *argv], cwd=self.base, env=env, input=stdin, text=True,
                              capture_output=True, timeout=60)
        assert done.returncode == status, (argv, done.returncode, done.stdout, done.stderr)
        return done

    def init(self) -> "Trail":
        self.run("init", "trail", "--origin", "example.com/hsm", "--pkcs11", self.token.uri("signing"), "--pkcs11-kek",
                 self.token.uri("kek"))
        return self

    def append(self, request_id: str) -> None:
        self.run("append", stdin=RECORD % request_id)


@pytest.fixture
def trail(binary: Path, tmp_path: Path, token: Token) -> Trail:
    return Trail(binary, tmp_path, token).init()


def test_both_keys_in_the_token(trail: Trail) -> None:
    """The token signs and keeps the kek; what lies in <state> is of no use without it."""
    trail.append("r1")
    assert trail.state.joinpath("signing.key").read_text().startswith("pkcs11:")
    assert trail.state.joinpath("kek").read_text().startswith("pkcs11:")
    assert "PRIVATE" not in trail.state.joinpath("signing.key").read_text()
    assert "1 payloads (checked)" in trail.run("verify", "trail").stdout
    assert "approve" in trail.run("report", "r1", "--format", "json").stdout


def test_without_the_pin(trail: Trail) -> None:
    """Nothing is written without the PIN, nor with a wrong one; entries are still verified."""
    trail.append("r1")
    assert "wants a PIN" in trail.run("append", pin=None, stdin=RECORD % "r2", status=3).stderr
    assert "the PIN is wrong" in trail.run("append", pin="1111", stdin=RECORD % "r2", status=3).stderr
    assert "1 payloads (not checked)" in trail.run("verify", "trail", pin=None).stdout
    pin_file = trail.base / "pin"
    pin_file.write_text(PIN + "\n")
    trail.token.env["MLTRAIL_PIN_FILE"] = str(pin_file)
    trail.run("append", pin=None, stdin=RECORD % "r2")


class Asked:
    """`mltrail append FILE` on a terminal of its own, where it asks for the PIN."""

    def __init__(self, trail: Trail, request_id: str) -> None:
        records = trail.base / f"{request_id}.ndjson"
        records.write_text(RECORD % request_id)
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(trail.base)
            os.execve(trail.binary, ["mltrail", "append", str(records)], trail.token.env)
        self.wait_for(lambda: b"PIN of the token trail" in self.shown(), "the question")
        self.wait_for(lambda: not self.echoes(), "a terminal that does not echo")

    seen = b""

    def shown(self) -> bytes:
        while select.select([self.terminal], [], [], 0)[0]:
            try:
                self.seen += os.read(self.terminal, 4096)
            except OSError:  # the other side is closed
                break
        return self.seen

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO)

    @staticmethod
    def wait_for(what, name: str) -> None:
        until = time.monotonic() + 20
        while not what():
            assert time.monotonic() < until, f"{name} does not come"
            time.sleep(0.02)

    def end(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        self.shown()
        return os.waitstatus_to_exitcode(status)


def test_asked_on_a_terminal(trail: Trail) -> None:
    """A PIN that is typed is not shown, and opens the token."""
    asked = Asked(trail, "r1")
    os.write(asked.terminal, PIN.encode() + b"\n")
    assert asked.end() == 0, asked.seen
    assert PIN.encode() not in asked.seen
    assert "1 payloads (checked)" in trail.run("verify", "trail").stdout


def test_interrupted_at_the_question(trail: Trail) -> None:
    """Ctrl-C at the question ends the command by that signal, and leaves a terminal that echoes."""
    asked = Asked(trail, "r1")
    os.write(asked.terminal, b"\x03")
    asked.wait_for(asked.echoes, "the echo")
    assert asked.end() == -signal.SIGINT, asked.seen


def test_pin_source_and_no_module_path(binary: Path, tmp_path: Path, token: Token) -> None:
    """The URI may name the file with the PIN, and leave the module to p11-kit's configuration."""
    if not Path("/usr/share/p11-kit/modules/softhsm2.module").exists():
        pytest.skip("p11-kit does not know SoftHSM here")
    (tmp_path / "pin").write_text(PIN)
    uri = token.uri("signing", module=False) + f"?pin-source=file:{tmp_path}/pin"
    trail = Trail(binary, tmp_path, token)
    trail.run("init", "trail", "--origin", "example.com/hsm", "--pkcs11", uri, pin=None)
    trail.run("append", stdin=RECORD % "r1", pin=None)
    assert "verified" in trail.run("verify", "trail", pin=None).stdout


def test_rotations(trail: Trail) -> None:
    """From one key of the token to the other, and out of the token only when that is said."""
    trail.append("r1")
    first = trail.base / "first.vkey"
    first.write_text(trail.run("key", "export").stdout)
    trail.run("key", "rotate-signing", "--reason", "yearly", "--pkcs11", trail.token.uri("signing-2"))
    trail.append("r2")
    assert "say which of its keys" in trail.run("key", "rotate-signing", "--reason", "x", status=2).stderr
    assert "in use here already" in trail.run("key", "rotate-signing", "--reason", "x", "--pkcs11",
                                              trail.token.uri("signing"), status=2).stderr
    trail.run("key", "rotate-kek", "--reason", "erasures", "--yes")
    assert trail.state.joinpath("kek").read_text().startswith("pkcs11:")
    assert "verified" in trail.run("verify", "trail", "--key", "first.vkey").stdout
    trail.run("key", "rotate-signing", "--reason", "no token any more", "--in-file")
    trail.run("key", "rotate-kek", "--reason", "no token any more", "--in-file", "--yes")
    shutil.rmtree(trail.token.dir)
    trail.run("append", pin=None, stdin=RECORD % "r3")
    assert "(checked)" in trail.run("verify", "trail", "--key", "first.vkey", pin=None).stdout
    shown = json.loads(trail.run("key", "show", "--json", pin=None).stdout)
    assert [shown["signing_key_in"], shown["kek_in"], len(shown["keys"])] == ["file", "file", 3]


def test_another_key_of_the_same_name(trail: Trail) -> None:
    """A token whose key was exchanged does not sign this trail."""
    trail.append("r1")
    for kind in ("privkey", "pubkey"):
        trail.token.pkcs11("--delete-object", "--type", kind, "--id", "01")
    trail.token.make_pair("signing", "01")
    assert "not the one that the trail is signed with" in trail.run("append", stdin=RECORD % "r2", status=3).stderr
    assert "verified" in trail.run("verify", "trail").stdout


def test_two_keys_that_fit(trail: Trail) -> None:
    """A URI that fits several keys is refused, rather than one taken."""
    trail.token.make_pair("signing", "07")
    assert "several" in trail.run("append", stdin=RECORD % "r2", status=3).stderr


@pytest.fixture
def server(trail: Trail) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([str(trail.binary), "serve", "trail", "--socket-only"], cwd=trail.base,
                               env={**trail.token.env, "MLTRAIL_PIN": PIN}, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("serving")
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_the_token_goes_away(trail: Trail, server: subprocess.Popen[str]) -> None:
    """Nothing is acknowledged unsigned: the server ends with the reason, and signs at the next start what was durable."""
    trail.append("r1")
    hidden = trail.base / "hidden"
    trail.token.dir.rename(hidden)
    refused = trail.run("append", stdin=RECORD % "r2", status=3)
    assert "accepted" not in refused.stdout or "0 accepted" in refused.stdout
    server.wait(20)
    assert server.returncode == 3
    assert server.stderr is not None
    said = server.stderr.read()
    assert "PKCS#11 token trail: sign" in said, said
    assert said.count("PKCS#11 token trail") == 1  # one try
    trail.run("append", stdin=RECORD % "r3", status=3)  # nor does it start without the token
    checked = trail.run("verify", "trail").stdout  # what needs no token is verified all the same
    assert "verified" in checked and "(not checked)" in checked
    assert "wrapped by a PKCS#11 token" in trail.run("key", "show").stdout
    hidden.rename(trail.token.dir)
    trail.append("r3")
    assert "verified" in trail.run("verify", "trail").stdout
    assert "approve" in trail.run("report", "r1", "--format", "json").stdout


def test_a_successor_stays_in_the_token(trail: Trail) -> None:
    """Recovering does not take the key out of the token unsaid."""
    trail.append("r1")
    shutil.copytree(trail.dir, trail.base / "backup", symlinks=True)
    trail.append("r2")
    shutil.rmtree(trail.dir)
    (trail.base / "backup").rename(trail.dir)
    why = ("recover", "trail", "--yes", "--reason", "disk failed")
    assert "say which of its keys" in trail.run(*why, status=2).stderr
    trail.run(*why, "--pkcs11", trail.token.uri("signing-2"))
    assert "verified" in trail.run("verify", "trail").stdout
    assert trail.state.joinpath("signing.key").read_text().startswith(trail.token.uri("signing-2"))


def test_a_pin_never_shows(trail: Trail) -> None:
    """The PIN is in no file of the trail and in no argument."""
    trail.append("r1")
    for path in [*trail.dir.rglob("*"), *trail.state.rglob("*")]:
        if path.is_file() and path.name not in ("lock",):
            assert PIN.encode() not in path.read_bytes(), path
