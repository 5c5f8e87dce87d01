"""Every attack of the grid on real files, and the table in docs/THREATS.md from what was seen."""
from __future__ import annotations

import json
import os
import re
import shutil

import pytest

from built import ROOT
from grid import CHECKPOINT, KEYS, RECEIPT, REVOCATION, STORY, WITNESS, Bundle, Row, Trail, judge, look, patch, run, table
from watch import ask_witness, watched

ROWS: list[Row] = []
THREATS = ROOT / "docs" / "THREATS.md"
BEGIN, END = "<!-- tamper grid: written by tests/tamper/test_grid.py -->\n", "<!-- end of the tamper grid -->\n"


@pytest.fixture(scope="module")
def sound(binary, tmp_path_factory):
    """A trail with a story and a revocation; receipts of all of it and a checkpoint from before the revocation."""
    trail = Trail.make(binary, tmp_path_factory.mktemp("grid") / "sound")
    trail.append(STORY)
    trail.keep_checkpoint()
    trail.append([REVOCATION])
    assert not any(seen.detected for seen in look(trail).values())
    return trail


def add(attack: str, seen, located: str) -> None:
    ROWS.append(Row(attack, seen, located))


# --- files changed by somebody without keys: a copy in the hands of the auditor, without <state> ---

def flip_entry(t: Trail) -> None:
    at = (t.dir / "entries.dat").read_bytes().index(b"model-risk")
    patch(t.dir / "entries.dat", at)


def truncate_entries(t: Trail) -> None:
    path = t.dir / "entries.dat"
    path.write_bytes(path.read_bytes()[:-200])


def insert_entry(t: Trail) -> None:
    entries = t.entries()
    t.write_entries(entries[:5] + [entries[4]] + entries[5:])


def delete_entry(t: Trail) -> None:
    entries = t.entries()
    t.write_entries(entries[:5] + entries[6:])


def swap_entries(t: Trail) -> None:
    entries = t.entries()
    entries[6], entries[7] = entries[7], entries[6]
    t.write_entries(entries)


def reorder_entries(t: Trail) -> None:
    entries = t.entries()
    t.write_entries(entries[:2] + entries[3:6] + [entries[2]] + entries[6:])


def flip_hash(t: Trail) -> None:
    patch(t.dir / "hash" / "0", 32 * 6)


def replace_payload(t: Trail) -> None:
    patch(t.dir / "payloads" / "data", 10)


def swap_slots(t: Trail) -> None:
    first, second = t.index_of(b'"r-1"'), t.index_of(b'"r-2"')
    path = t.dir / "slots"
    data = bytearray(path.read_bytes())
    data[first * 60:first * 60 + 60], data[second * 60:second * 60 + 60] = data[second * 60:second * 60 + 60], data[first * 60:first * 60 + 60]
    path.write_bytes(bytes(data))


def erase_slot(t: Trail) -> None:
    at = t.index_of(b'"r-1"')
    path = t.dir / "slots"
    data = path.read_bytes()
    path.write_bytes(data[:at * 60] + b"\xff" * 60 + data[at * 60 + 60:])


def replace_offsets(t: Trail) -> None:
    patch(t.dir / "payloads" / "index", 7)


def forge_checkpoint(t: Trail) -> None:
    path = t.dir / "checkpoint"
    lines = path.read_text().split("\n")
    lines[1] = str(int(lines[1]) - 1)
    path.write_text("\n".join(lines))


def rename_origin(t: Trail) -> None:
    path = t.dir / "trail.json"
    path.write_text(path.read_text().replace("example.com/grid", "example.com/other", 1))


FILES = [
    ("flip a bit of an entry", flip_entry, r"entry (\d+) \(entries\.dat\)"),
    ("truncate the entries", truncate_entries, r"\((entries\.dat)\)|entries\.dat"),
    ("insert an entry", insert_entry, r"entry (\d+)"),
    ("delete an entry", delete_entry, r"entry (\d+)"),
    ("swap two entries", swap_entries, r"entry (\d+)"),
    ("reorder entries", reorder_entries, r"entry (\d+)"),
    ("change a stored hash", flip_hash, r"hash/0"),
    ("forge the published checkpoint", forge_checkpoint, r"checkpoint"),
    ("rename the trail", rename_origin, r"trail\.json|checkpoint"),
    ("change where payloads end", replace_offsets, r"payloads/index"),
    ("mark a secret as erased without an erasure", erase_slot, r"slots|payload"),
]
SEALED = [
    ("replace a sealed payload", replace_payload, r"entry (\d+)"),
    ("swap the secrets of two payloads", swap_slots, r"entry (\d+)"),
]


@pytest.mark.parametrize("attack, change, where", FILES, ids=[f[0] for f in FILES])
def test_a_changed_file_is_found_in_a_copy_by_the_key_alone(sound, tmp_path, attack, change, where):
    copy = sound.copy(tmp_path / "copy", state=False)
    change(copy)
    seen = look(copy)
    assert all(s.detected for s in seen.values()), {o: s.text for o, s in seen.items()}
    assert re.search(where, seen[KEYS].text), seen[KEYS].text
    add(attack, seen, "the entry" if "entry" in where else "the file")


@pytest.mark.parametrize("attack, change, where", SEALED, ids=[f[0] for f in SEALED])
def test_a_changed_payload_is_found_where_the_key_encryption_key_is(sound, tmp_path, attack, change, where):
    copy = sound.copy(tmp_path / "copy")
    change(copy)
    seen = look(copy)
    assert all(s.detected for s in seen.values()), {o: s.text for o, s in seen.items()}
    assert re.search(where, seen[KEYS].text), seen[KEYS].text
    add(attack, seen, "the entry (needs the key-encryption key, or the disclosed salt in a bundle)")


def test_a_replaced_index_changes_no_answer(sound, tmp_path):
    copy = sound.copy(tmp_path / "copy")
    size = (copy.dir / "checkpoint").read_text().split("\n")[1]
    ask = ("report", "r-1", "--trail", copy.dir, "--format", "json", "--at-size", size)
    before = run(copy.binary, *ask, code=(0,)).stdout
    shutil.rmtree(copy.dir / "index")
    assert run(copy.binary, *ask, code=(0,)).stdout == before
    for path in (copy.dir / "index").rglob("*"):
        if path.is_file() and path.stat().st_size > 100:
            patch(path, path.stat().st_size // 2)
    assert run(copy.binary, *ask, code=(0,)).stdout == before
    add("replace or remove the index", {}, "nothing is lost: it is derived, and built again")


# --- older copies, and an operator with every key ---

def test_an_older_copy_is_found_by_what_others_hold(binary, tmp_path):
    trail = Trail.make(binary, tmp_path / "trail")
    with watched(trail, tmp_path / "watch"):
        trail.append(STORY)
        old = trail.copy(tmp_path / "old")
        trail.keep_checkpoint()
        trail.append([REVOCATION])
        trail.keep_checkpoint()
        by_witness = ask_witness(old.copy(tmp_path / "asked"))
        assert not ask_witness(trail.copy(tmp_path / "sound")).detected
    rolled = trail.copy(tmp_path / "rolled")
    shutil.rmtree(rolled.dir)
    shutil.copytree(old.dir, rolled.dir)
    seen = look(rolled, trail)
    assert all(s.detected for s in seen.values()), seen
    refused = run(binary, "append", "--trail", rolled.dir, stdin='{"kind":"prediction","request_id":"x","timestamp":"2026-11-04T00:00:00Z"}\n')
    assert refused.returncode == 3 and "older copy of the trail" in refused.stderr, refused.stderr
    add("put back an older copy of the trail", seen, "at its start: nothing is signed; `verify`: the head in `<state>` is ahead")
    seen = look(old, trail)
    assert not seen[KEYS].detected and seen[RECEIPT].detected and seen[CHECKPOINT].detected, seen
    assert re.search(r"extend|size", seen[RECEIPT].text)
    assert by_witness.detected and "an older copy was put in its place" in by_witness.text
    seen[WITNESS] = by_witness
    add("put back older copies of trail and state together", seen, "the receipt or checkpoint that the tree does not extend; the witness, at the start: nothing is signed")


def test_an_operator_with_every_key_cannot_rewrite_what_others_hold(binary, tmp_path):
    trail = Trail.make(binary, tmp_path / "trail")
    with watched(trail, tmp_path / "watch"):
        trail.append(STORY)
        trail.keep_checkpoint()
        other = trail.copy(tmp_path / "other")
        trail.append([REVOCATION])
        trail.keep_checkpoint()
        # Longer than the one that was cosigned, or the witness would just find it short.
        asked = other.copy(tmp_path / "asked")
        policy = (asked.folder / "trail.state" / "policy").read_text()
        (asked.folder / "trail.state" / "policy").unlink()
        asked.append([{**STORY[5], "request_id": f"other-{n}"} for n in range(20)], keep=False)
        (asked.folder / "trail.state" / "policy").write_text(policy)
        by_witness = ask_witness(asked)
    (other.folder / "trail.state" / "policy").unlink()
    # The operator starts again from before the revocation, with the same keys, and writes on as if it had never been.
    other.append([{**STORY[5], "request_id": "r-3"}, {**STORY[5], "request_id": "r-4"}], keep=False)
    seen = look(other, trail)
    assert not seen[KEYS].detected and seen[RECEIPT].detected and seen[CHECKPOINT].detected, seen
    assert by_witness.detected and "another tree" in by_witness.text
    seen[WITNESS] = by_witness
    add("rewrite history and sign it again with the operator's own key", seen,
        "the receipt or checkpoint that the tree does not extend; the witness, which cosigns no second history")
    mine = look(other)
    assert not mine[KEYS].detected
    add("serve two logs to two readers", {**seen}, "when they compare what they hold, or ask a witness")


# --- evidence bundles, in the hands of somebody who has the key and nothing else ---

@pytest.fixture(scope="module")
def bundle(binary, sound, tmp_path_factory):
    """A bundle about r-1, whose approval was revoked; it holds as it is, also after it was only packed again."""
    folder = tmp_path_factory.mktemp("bundle")
    trail = sound.copy(folder / "trail")
    run(binary, "report", "r-1", "--trail", trail.dir, "--format", "bundle", "-o", folder / "r-1.zip", code=(0,))
    assert not judge(binary, folder / "r-1.zip", sound.key_file, folder).detected
    packed = Bundle(folder / "r-1.zip")
    before = dict(packed.members)
    packed.fit_manifests()
    assert packed.members == before, "the grid's own idea of a manifest is wrong"
    assert not judge(binary, packed.write(folder / "packed.zip"), sound.key_file, folder).detected
    return folder / "r-1.zip"


def entry_named(b: Bundle, text: bytes) -> str:
    return next(n for n, d in b.members.items() if n.startswith("entries/") and text in d)


def b_flip(b: Bundle) -> bool:
    b.members["answers.json"] = b.members["answers.json"].replace(b"{", b" {", 1)
    return False  # whoever changes a member does not think of the manifest


def b_fact(b: Bundle) -> bool:
    b.members["dossier.json"] = b.members["dossier.json"].replace(b"within policy", b"without a doubt", 1)
    return True


def b_finding(b: Bundle) -> bool:
    told = json.loads(b.members["dossier.json"])
    assert told["findings"]
    told["findings"] = []
    b.members["dossier.json"] = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    return True


def b_page(b: Bundle) -> bool:
    b.members["dossier.html"] = b.members["dossier.html"].replace(b"ml-platform", b"ml-operator")
    return True


def b_entry(b: Bundle) -> bool:
    name = entry_named(b, b'"verdict":"approved"')
    b.members[name] = b.members[name].replace(b"within policy", b"within budget")
    return True


def b_proof(b: Bundle) -> bool:
    names = [n for n in b.members if n.startswith("proofs/")]
    b.members[names[0]], b.members[names[1]] = b.members[names[1]], b.members[names[0]]
    return True


def b_payload(b: Bundle) -> bool:
    name = next(n for n in b.members if n.startswith("payloads/"))
    assert b"4200" in b.members[name]
    b.members[name] = b.members[name].replace(b"4200", b"9200")
    return True


def b_salt(b: Bundle) -> bool:
    name = next(n for n in b.members if n.startswith("payloads/"))
    said = json.loads(b.members[name])
    salts = [m["salt"] for m in said["members"]]
    b.members[name] = b.members[name].replace(salts[0].encode(), b"#").replace(salts[1].encode(), salts[0].encode()).replace(b"#", salts[1].encode())
    return True


def b_revocation(b: Bundle) -> bool:
    """Leaves the revocation out wherever it stands: entry, proof, the lists of links, and the dossier's mention."""
    name = entry_named(b, b'"verdict":"revoked"')
    index = int(re.search(r"\d+", name)[0])
    del b.members[name], b.members[f"proofs/{index}.tlog-proof"]
    said = json.loads(b.members["absence.json"])
    for link in said["links"]:
        for proof in link["proofs"]:
            kept = [leaf for leaf in proof["shown"] if leaf["entry"] != index]
            proof["count"] -= len(proof["shown"]) - len(kept)
            proof["shown"] = kept
    b.members["absence.json"] = (json.dumps(said, separators=(",", ":"), ensure_ascii=False) + "\n").encode()
    return True


def b_unshown(b: Bundle) -> bool:
    """Lets the proofs count the revocation as they must, shows the approval alone, and asserts that nothing else is to be shown."""
    index = int(re.search(r"\d+", entry_named(b, b'"verdict":"revoked"'))[0])
    said, told = json.loads(b.members["absence.json"]), json.loads(b.members["answers.json"])
    for link in said["links"]:
        for proof in link["proofs"]:
            kept = [leaf for leaf in proof["shown"] if leaf["entry"] != index]
            if kept and len(kept) < len(proof["shown"]):
                proof["shown"] = kept
                told["finds"].append({"terms": [{"dimension": link["dimension"], "values": link["values"]}], "from": None, "descending": True,
                                      "limit": 1000, "entries": [leaf["entry"] for leaf in kept], "total": proof["count"], "more": False})
    assert told["finds"]
    for name, text in (("absence.json", said), ("answers.json", told)):
        b.members[name] = (json.dumps(text, separators=(",", ":"), ensure_ascii=False) + "\n").encode()
    return True


def b_checkpoint(b: Bundle) -> bool:
    lines = b.members["checkpoint"].split(b"\n")
    lines[1] = str(int(lines[1]) + 1).encode()
    b.members["checkpoint"] = b"\n".join(lines)
    return True


def b_extra(b: Bundle) -> bool:
    b.members["addendum.txt"] = b"The committee withdrew its objection.\n"
    return True


BUNDLES = [
    ("change a member of a bundle", b_flip, "answers.json|manifest", "the member"),
    ("change a fact of the dossier and make the manifest fit", b_fact, r"dossier\.json.*reason", "the member and the fact (JSON pointer)"),
    ("take the findings out of the dossier", b_finding, r"dossier\.json.*findings", "the member and the fact (JSON pointer)"),
    ("change the page alone", b_page, r"dossier\.html", "the member"),
    ("replace an entry of a bundle", b_entry, r"entries/\d+\.json|entry \d+", "the entry"),
    ("swap two proofs", b_proof, r"proofs/\d+|entry \d+", "the entry"),
    ("replace a disclosed value", b_payload, r"payloads/\d+\.json", "the member of the payload"),
    ("swap the salts of two values", b_salt, r"payloads/\d+\.json", "the member of the payload"),
    ("drop a revocation", b_revocation, r"absence\.json", "the link whose list does not hold"),
    ("count a revocation, and do not show it", b_unshown, r"absence\.json.*newest", "the link whose newest leaf is not shown"),
    ("change the checkpoint", b_checkpoint, "checkpoint", "the checkpoint"),
    ("add a member", b_extra, r"addendum\.txt", "the member"),
]


@pytest.mark.parametrize("attack, change, where, said", BUNDLES, ids=[b[0] for b in BUNDLES])
def test_a_changed_bundle_does_not_hold(binary, sound, bundle, tmp_path, attack, change, where, said):
    b = Bundle(bundle)
    if change(b):
        b.fit_manifests()
    seen = judge(binary, b.write(tmp_path / "changed.zip"), sound.key_file, tmp_path)
    assert seen.detected and re.search(where, seen.text), seen.text
    add(attack, {KEYS: seen}, said)


def test_the_page_of_another_build_is_asserted(binary, sound, bundle, tmp_path):
    """Which build made a bundle is the bundle's own word, so that its page is not compared: verify says that it was not."""
    b = Bundle(bundle)
    build = json.loads(b.members["dossier.json"])["generated"]["build"].encode()
    b.members["dossier.json"] = b.members["dossier.json"].replace(b'"build":"' + build + b'"', b'"build":"mltrail 99"', 1)
    b_page(b)
    b.fit_manifests()
    seen = judge(binary, b.write(tmp_path / "other.zip"), sound.key_file, tmp_path)
    assert not seen.detected and re.search(r"asserted: .*dossier\.html", seen.text), seen.text
    add("change the page, and say that another build made it", {KEYS: seen}, "*asserted*: that the page shows what the dossier says")


def test_a_bundle_made_under_another_key_does_not_hold(binary, sound, tmp_path):
    """The attacker makes a whole log of the same name, without the revocation, and a bundle from it."""
    forged = Trail.make(binary, tmp_path / "forged")
    forged.append(STORY)
    run(binary, "report", "r-1", "--trail", forged.dir, "--format", "bundle", "-o", tmp_path / "forged.zip", code=(0,))
    assert not judge(binary, tmp_path / "forged.zip", forged.key_file, tmp_path).detected
    seen = judge(binary, tmp_path / "forged.zip", sound.key_file, tmp_path)
    assert seen.detected and "key" in seen.text, seen.text
    add("rebuild the bundle under an attacker's key", {KEYS: seen}, "the checkpoint: not signed by the key")
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    alone = run(binary, "verify", tmp_path / "forged.zip", code=(1,), env=env)
    assert "not authenticated" in alone.stdout + alone.stderr
    add("show a bundle to somebody without any key", {}, "nothing can be said: *consistent with key …, not authenticated*, exit status 1")


@pytest.mark.parametrize("end", ["3", "9"])
def test_an_extract_carries_nothing_else(binary, sound, tmp_path, end):
    """Also not one whose range is empty; and what its VERIFY.txt says in other words is said to be asserted."""
    trail = sound.copy(tmp_path / "trail")
    run(binary, "export", "--trail", trail.dir, "--format", "bundle", "--from-entry", "3", "--to-entry", end, "-o", tmp_path / "e.zip", code=(0,))
    b = Bundle(tmp_path / "e.zip")
    b.members["VERIFY.txt"] = b"It is all true.\n"
    b.fit_manifests()
    seen = judge(binary, b.write(tmp_path / "other.zip"), sound.key_file, tmp_path)
    assert not seen.detected and "asserted: what VERIFY.txt says" in seen.text, seen.text
    for name in ("addendum.txt", "entries/00000000000000000100.bin", "payloads/00000000000000000100.ndjson"):
        more = Bundle(tmp_path / "other.zip")
        more.members[name] = b"The committee withdrew its objection.\n"
        more.fit_manifests()
        seen = judge(binary, more.write(tmp_path / "more.zip"), sound.key_file, tmp_path)
        assert seen.detected and name in seen.text, seen.text


# --- the table ---

def test_the_grid_itself_can_fail(sound, tmp_path):
    """A row whose attack does nothing is not detected, so a harness that always says "detected" would be seen here."""
    copy = sound.copy(tmp_path / "copy", state=False)
    assert not any(s.detected for s in look(copy).values())


def test_threats_md_shows_what_was_seen(request):
    if request.session.testsfailed or len(ROWS) < 29:
        pytest.skip("the whole grid must have run, and held")
    text = THREATS.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    if os.environ.get("MLT_WRITE"):
        THREATS.write_text(text[:begin] + table(ROWS) + text[end:])
        return
    assert text[begin:end] == table(ROWS), "MLT_WRITE=1 writes the table anew"
