"""The README as a newcomer reads it: its commands run in order, its options exist, its links lead somewhere."""
from __future__ import annotations

import os
import re
import subprocess

import pytest

from built import ROOT
from program import free_port

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(path for path in ROOT.rglob("*.md")
                   if not any(part.startswith((".", "build", "demo-trail", "node_modules")) for part in
                              path.relative_to(ROOT).parts))
RUN_SECONDS = 120
# Between two blocks, as a reader does: a server is up, a token known and a checkpoint published within a second.
WAIT = "sleep 1.2"


def blocks(text, language):
    """The fenced blocks of a language, without those that install or build."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for block in found if not re.match(r"make |pip ", block)]


def script(text, trail_port, witness_port):
    """All shell blocks as one script that stops at the first command that fails, and the Python block in its place."""
    shell = []
    for kind, block in re.findall(r"^```(sh|python)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if kind == "python":
            block = f"/usr/bin/python3 - <<'PYTHON'\n{block}PYTHON\n"
        elif block not in blocks(text, "sh"):
            continue
        block = re.sub(r"^export PATH=.*\n", "", block, flags=re.MULTILINE)
        block = re.sub(r"^(mltrail serve \./trail)", rf"\1 --listen 127.0.0.1:{trail_port}", block, flags=re.MULTILINE)
        block = re.sub(r"^(mltrail witness serve \./w1)", rf"\1 --listen 127.0.0.1:{witness_port}", block, flags=re.MULTILINE)
        block = block.replace("127.0.0.1:8470", f"127.0.0.1:{trail_port}").replace("127.0.0.1:8471", f"127.0.0.1:{witness_port}")
        shell.append(block + WAIT)
    return "\n".join(["set -euxo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || :' EXIT", *shell])


def run(text, binary, folder):
    """Runs the script in an empty directory, with a home of its own."""
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(ROOT / "sdk" / "python"),
                   "PATH": f"{binary.resolve().parent}:{os.environ['PATH']}"}
    for name in ("MLTRAIL", "MLTRAIL_TOKEN", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        environment.pop(name, None)
    return subprocess.run(["bash", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, check=False,
                          timeout=RUN_SECONDS)


def test_every_command_of_the_readme_works_as_written(binary, tmp_path):
    done = run(script(README, free_port(), free_port()), binary, tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    # and does what the words around it say
    assert "The approver signed it, and the signature is good" in " ".join(done.stdout.split())
    assert "0 alarms" in done.stdout and "none missing" in done.stdout
    assert re.search(r"[1-9]\d* payload members shown, [1-9]\d* masked", done.stdout)
    assert "witnessed 1 of 1" in done.stdout and "cosigned by 1 of the policy's 1 witnesses" in done.stdout
    shown = re.findall(r"proved: entries \d+ to \d+ of \S+: (\d+) expected", done.stdout)
    assert shown and int(shown[0]) >= 3


def test_a_command_that_fails_is_noticed(binary, tmp_path):
    broken = README.replace("mltrail prove 1 -o", "mltrail prove 1000 -o")
    assert broken != README
    assert run(script(broken, free_port(), free_port()), binary, tmp_path).returncode != 0


def commands(text):
    """Every command line of the program, in blocks and in running text, that names its command."""
    shell = "\n".join(blocks(text, "sh") + re.findall(r"^    (\S.*)$", text, re.MULTILINE)).replace("\\\n", "")
    lines = [re.split(r" +#", line)[0] for line in shell.splitlines()]
    return [line for line in lines + re.findall(r"`([^`\n]+)`", text) if re.match(r"mltrail [a-z]+\b", line)]


def unknown_options(text, binary):
    """The options that a command line has and the command's help has not."""
    unknown = []
    for line in commands(text):
        command = line.split()[1]
        done = subprocess.run([str(binary), "help", command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            unknown.append(line)
            continue
        unknown += [f"{line}: {option}" for option in re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", line)
                    if not re.search(rf"{option}(?![a-z0-9-])", done.stdout)]
    return unknown


def test_every_option_that_the_readme_names_is_in_the_help(binary):
    assert len(commands(README)) > 20
    assert unknown_options(README, binary) == []
    assert unknown_options("`mltrail verify --no-such`, `mltrail nosuch`", binary) == [
        "mltrail verify --no-such: --no-such", "mltrail nosuch"]


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "integrations").glob("*.md")), ids=lambda path: path.name)
def test_every_option_that_an_integration_page_names_is_in_the_help(page, binary):
    assert unknown_options(page.read_text(encoding="utf-8"), binary) == []


def anchors(text):
    """The names that headings can be linked by."""
    headings = re.findall(r"^#+ +(.*?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, name = target.partition("#")
        linked = (document.parent / path) if path else document
        assert linked.exists(), f"{document.name} links to {target}"
        if name and linked.suffix == ".md":
            assert name in anchors(linked.read_text(encoding="utf-8")), f"{document.name} links to {target}"
