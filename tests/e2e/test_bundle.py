"""The demo's evidence: a bundle and an extract of it, checked without the trail, and a second time by code of its own."""
from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import zipfile

import pytest

import demo as demonstration
from proofs import leaf_hash, open_checkpoint, root_from_inclusion
from test_kill import vkey_of
from test_page import CHROMIUM, check  # noqa: F401 (a fixture)

PATIENTS = 4


@pytest.fixture(scope="module")
def evidence(binary, tmp_path_factory):
    """A bundle, a masked one and an extract, taken while the demo serves; and a folder where no trail is."""
    demo = demonstration.Demo(binary, tmp_path_factory.mktemp("evidence") / "demo-trail", None, PATIENTS)
    try:
        demo.start()
        request_id = demo.story()
        with demo.trail("auditor") as trail:
            dossier = trail.report(request_id)
            size = dossier["generated"]["tree_size"]
            whole = trail.report_as(request_id, "bundle", at_size=size)
            again = trail.report_as(request_id, "bundle", at_size=size)
        away = tmp_path_factory.mktemp("away")
        served = ["--trail", demo.program.url, "--token-file", str(demo.token_file("auditor"))]
        masked, extract, lines = away / "masked.zip", away / "extract.zip", away / "extract.ndjson"
        demo.program.run("report", request_id, "--format", "bundle", "--mask", "subject,feature_values", "-o", str(masked), *served)
        demo.program.run("export", "--format", "bundle", "-o", str(extract), *served)
        demo.program.run("export", "-o", str(lines), *served)
    finally:
        demo.program.stop()
    (away / "whole.zip").write_bytes(whole)
    (away / "vkey").write_text(vkey_of(demo.program) + "\n")
    demo.away, demo.whole, demo.again, demo.request_id, demo.dossier = away, whole, again, request_id, dossier
    demo.run = lambda *arguments: subprocess.run([binary, *arguments], cwd=away, capture_output=True, text=True, timeout=60)
    demo.members = {name: zipfile.ZipFile(io.BytesIO(whole)).read(name) for name in zipfile.ZipFile(io.BytesIO(whole)).namelist()}
    return demo


@pytest.mark.parametrize("name", ["whole.zip", "masked.zip", "extract.zip", "extract.ndjson"])
def test_it_verifies_where_no_trail_is(evidence, name):
    done = evidence.run("verify", name, "--key", "vkey")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("verified with key demo.example/tumour-risk+")


def test_the_report_for_programs_says_what_was_proved(evidence):
    report = json.loads(evidence.run("verify", "whole.zip", "--key", "vkey", "--json").stdout)
    assert report["verdict"] and report["authenticated"] and report["same_build"]
    assert report["request_id"] == evidence.request_id
    assert report["entries"] > len(evidence.dossier["integrity"]["entries"])  # the segments' entries too
    assert report["links"] > 20 and report["members_masked"] == 0
    # Left-out anchors would only widen the bounds of time, so segments do not commit to them.
    assert all("the stream" in line or '"anchor"' in line or "another log" in line for line in report["asserted"]), report["asserted"]


def test_the_dossier_in_it_is_the_one_that_was_asked_for(evidence):
    assert json.loads(evidence.members["dossier.json"]) == evidence.dossier


def test_members_have_the_sums_that_the_manifest_says(evidence):
    listed = dict(line.split("  ")[::-1] for line in evidence.members["manifest.sha256"].decode().splitlines())
    assert set(listed) == set(evidence.members) - {"manifest.sha256"}
    for name, digest in listed.items():
        assert hashlib.sha256(evidence.members[name]).hexdigest() == digest


def test_entries_are_proved_by_a_second_opinion(evidence):
    checkpoint = evidence.members["checkpoint"].decode()
    head = open_checkpoint(checkpoint, (evidence.away / "vkey").read_text().strip())
    entries = [name for name in evidence.members if name.startswith("entries/")]
    assert entries
    for name in entries:
        index = int(name[len("entries/"):-len(".json")])
        text = evidence.members[f"proofs/{index}.tlog-proof"].decode()
        proof, note = text.split("\n\n", 1)
        header, position, *path = proof.split("\n")
        assert (header, position, note) == ("c2sp.org/tlog-proof@v1", f"index {index}", checkpoint)
        hashes = [base64.b64decode(line) for line in path]
        assert root_from_inclusion(leaf_hash(evidence.members[name]), index, head.size, hashes) == head.root


def test_payload_members_give_their_commitments_by_a_second_opinion(evidence):
    shown = 0
    for name, content in evidence.members.items():
        if not name.startswith("payloads/"):
            continue
        entry = json.loads(evidence.members[name.replace("payloads/", "entries/")])
        for member in json.loads(content)["members"]:
            raw = content.split(b'"name":' + json.dumps(member["name"]).encode() + b',"value":')[1].split(b',"salt":')[0]
            text = member["name"].encode()
            committed = hashlib.sha256(b"mltrail/v1 commitment\0" + bytes.fromhex(member["salt"]) + len(text).to_bytes(2, "big") + text + raw)
            assert base64.b64encode(committed.digest()).decode() == entry["payload"][member["as"]]
            shown += 1
    assert shown > 5


def test_what_is_masked_is_nowhere(evidence):
    subject = evidence.dossier["predictions"][0]["subject"].encode()
    assert any(subject in content for content in evidence.members.values())
    with zipfile.ZipFile(evidence.away / "masked.zip") as masked:
        assert not any(subject in masked.read(name) for name in masked.namelist())
        prediction = json.loads(masked.read("dossier.json"))["predictions"][0]
    assert prediction["subject"]["withheld"] == prediction["feature_values"]["withheld"] == "masked"


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the page in")
@pytest.mark.parametrize("file", ["whole.zip", "masked.zip"])
def test_the_page_in_it_checks_itself(evidence, check, file):  # noqa: F811
    with zipfile.ZipFile(evidence.away / file) as packed:
        result, text = check(packed.read("dossier.html").decode())
    assert result == "good", text


@pytest.mark.parametrize("file", ["whole.zip", "extract.zip"])
def test_a_byte_of_each_member_is_enough(evidence, file):
    with zipfile.ZipFile(evidence.away / file) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    for name, content in members.items():
        changed = io.BytesIO()
        with zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as out:
            for other, kept in sorted(members.items()):
                at = len(kept) // 2
                out.writestr(other, kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1:] if other == name else kept)
        (evidence.away / "changed.zip").write_bytes(changed.getvalue())
        done = evidence.run("verify", "changed.zip", "--key", "vkey")
        assert done.returncode == 1 and (name in done.stdout or file == "extract.zip"), name


def test_a_bundle_that_was_only_packed_again_still_verifies(evidence):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in sorted(evidence.members.items()):
            out.writestr(name, content)
    (evidence.away / "packed.zip").write_bytes(packed.getvalue())
    assert evidence.run("verify", "packed.zip", "--key", "vkey").returncode == 0


def test_making_it_was_recorded_with_every_entry(evidence):
    done = evidence.run("access", "--trail", str(evidence.program.trail), "--resource",
                        f"prediction_log:{evidence.request_id}", "--json")
    exports = [item for item in json.loads(done.stdout)["items"] if item["entry"]["facts"].get("action") == "export"]
    assert len(exports) == 3, done.stdout[:2000] + done.stderr
    entries = sorted(int(name[len("entries/"):-len(".json")]) for name in evidence.members if name.startswith("entries/"))
    listed = [item["entry"]["facts"].get("entries") or item["details"]["entries"] for item in exports]
    assert entries in [sorted(one) for one in listed]
