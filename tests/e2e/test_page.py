"""The HTML dossier checks itself in a real Chromium, offline, and turns red when something that it shows was changed."""
from __future__ import annotations

import html
import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync", "--disable-background-networking",
         "--disable-component-update", "--virtual-time-budget=10000", "--dump-dom"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the page in")


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """Opens a page as a file, lets its script run, and gives what the box then says: its result and its text."""

    def run(page: str) -> tuple[str, str]:
        folder = tmp_path_factory.mktemp("page")
        (folder / "dossier.html").write_text(page)
        done = subprocess.run([CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"file://{folder / 'dossier.html'}"],
                              capture_output=True, text=True, timeout=90)
        box = re.search(r'<aside id="check"([^>]*)>(.*?)</aside>', done.stdout, re.S)
        assert box, done.stdout[:2000] + done.stderr[-2000:]
        result = re.search(r'data-result="(\w+)"', box[1])
        return (result[1] if result else "none", html.unescape(re.sub(r"<[^>]*>", " ", box[2])))

    return run


def change(page: str, old: str, new: str) -> str:
    assert old in page and old != new, old
    return page.replace(old, new, 1)


def flip_hex(page: str, after: str) -> str:
    """Changes the first hexadecimal digit after a text."""
    at = page.index(after) + len(after)
    return page[:at] + ("0" if page[at] != "0" else "1") + page[at + 1:]


def proof(page: str) -> tuple[str, str, str]:
    begin = page.index('<script type="application/json" id="proof">')
    end = page.index("</script>", begin)
    return page[:begin], page[begin:end], page[end:]


def test_an_untouched_page_is_green_and_says_what_it_checked(ran, check):
    result, text = check(ran.html)
    assert result == "good", text
    entries = len(ran.dossier["integrity"]["entries"])
    assert f"{entries} entries hashed and proved in the tree of {ran.dossier['generated']['tree_size']}" in text
    assert int(re.search(r"(\d+) facts shown are those of the entries", text)[1]) > 50
    assert ran.dossier["integrity"]["key"] in text and "cannot vouch for itself" in text


def test_a_changed_fact_turns_it_red_and_is_named(ran, check):
    commit = ran.dossier["training_runs"][0]["git_commit"]
    cell = f'data-member="git_commit"><code>{commit}'
    result, text = check(change(ran.html, cell, cell[:-1] + ("0" if cell[-1] != "0" else "1")))
    assert result == "bad" and "git_commit: the page shows" in text


@pytest.mark.parametrize("old, new", [
    ("data-member=\"approver\">", "data-member=\"approver\">not "),
    ("<h2>Approval</h2>", "<h2>Approval (none needed)</h2>"),
    ("</p></footer>", " Certified.</p></footer>"),
], ids=["a name", "a heading", "a remark"])
def test_any_changed_text_turns_it_red(ran, check, old, new):
    assert check(change(ran.html, old, new))[0] == "bad"


def test_a_row_taken_out_turns_it_red(ran, check):
    row = re.search(r'<tr><th scope="row">reason</th><td data-member="reason">.*?</td></tr>', ran.html)[0]
    result, text = check(change(ran.html, row, ""))
    assert result == "bad" and "reason: not shown" in text


def test_a_changed_entry_turns_it_red(ran, check):
    before, data, after = proof(ran.html)
    changed = before + change(data, '\\"verdict\\":\\"approved\\"', '\\"verdict\\":\\"rejected\\"') + after
    result, text = check(changed)
    assert result == "bad" and "its bytes have another leaf hash" in text and "is not in the tree" in text


def test_a_changed_path_root_or_signature_turns_it_red(ran, check):
    before, data, after = proof(ran.html)
    assert "is not in the tree" in check(before + flip_hex(data, '"proof":["') + after)[1]
    note = ran.dossier["integrity"]["checkpoint"]["note"]
    origin, size, root = note.split("\n")[:3]
    other = ("A" if root[0] != "A" else "B") + root[1:]
    assert check(before + change(data, f"\\n{root}\\n", f"\\n{other}\\n") + after)[0] == "bad"
    signature = note.rstrip("\n").rsplit(" ", 1)[1]
    middle = len(signature) // 2
    forged = signature[:middle] + ("A" if signature[middle] != "A" else "B") + signature[middle + 1:]
    result, text = check(before + change(data, signature, forged) + after)
    assert result == "bad" and "not signed by the key" in text


def test_tables_that_are_no_longer_compared_turn_it_red(ran, check):
    """Somebody strips what the comparison goes by, changes a fact, and makes the digest of the text fit."""
    import hashlib

    changed = re.sub(r' data-entries="[^"]*"', "", ran.html).replace("model-risk-officer", "model-risk-director")
    main = changed[changed.index("<main"):changed.index("</main>")]
    text = re.sub(r"[ \t\n\f\r\u00a0]+", "", html.unescape(re.sub(r"<[^>]*>", "", main)))
    fitted = re.sub(r'data-text="[0-9a-f]{64}"', f'data-text="{hashlib.sha256(text.encode()).hexdigest()}"', changed)
    result, text = check(fitted)
    assert result == "bad" and "is not shown" in text and "the text of the page" not in text, text


def test_another_key_turns_it_red_or_shows_its_name(ran, check):
    key = ran.dossier["integrity"]["key"]
    before, data, after = proof(ran.html)
    name, key_id, base64 = key.split("+", 2)
    assert check(before + change(data, f'"key":"{key}"', f'"key":"{name}+{key_id}+{base64[:-4]}AAA="') + after)[0] == "bad"


def test_a_script_of_somebody_else_does_not_run(ran, check):
    injected = change(ran.html, "</main>", "</main><script>document.getElementById('check').dataset.result='forged'</script>")
    assert check(injected)[0] == "good"


def test_without_scripts_the_page_says_that_it_is_unchecked(ran, check):
    begin = ran.html.index("<script>")
    result, text = check(ran.html[:begin] + ran.html[ran.html.index("</script>", begin) + 9:])
    assert result == "none" and "Not checked" in text
