"""The demo, run short, and its dossier field by field against what the system really did."""
from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
from pathlib import Path

import pytest

import clinic
import demo as demonstration
from built import ROOT
from proofs import leaf_hash, open_checkpoint, root_from_inclusion, roots
from test_kill import vkey_of

# The demo records everything that a dossier can hold and closes its streams, so nothing is found.
EXPECTED_FINDINGS: list = []


def facts(ran):
    return ran.facts["versions"]["2"]


def one(nodes, **members):
    """The single node with these members."""
    found = [node for node in nodes if all(node.get(name) == value for name, value in members.items())]
    assert len(found) == 1, f"{len(found)} nodes with {members}"
    return found[0]


def test_the_prediction_is_the_one_that_the_service_answered(ran):
    made = ran.facts["predictions"][ran.request_id]
    node = one(ran.dossier["predictions"], request_id=ran.request_id)
    assert node["served"] is True
    assert node["feature_values"] == made["features"]
    assert node["prediction"] == {name: made["answer"][name] for name in ("class", "probability")}
    assert (node["model"], node["model_version"]) == ("tumour-risk", "2")
    assert node["model_artifact_hash"] == facts(ran)["digest"]
    assert node["serving_node"] == "scoring-1" and node["subject"] == made["subject"] and node["status"] == "ok"
    assert node["stream"] == ran.facts["streams"][1]["stream"]
    assert node["sequence"] == ran.patients // 2 + 1
    assert node["deployment"] == demonstration.PRODUCTION


def test_the_features_are_the_patients_row_in_the_source_table(ran):
    node = ran.dossier["predictions"][0]
    with sqlite3.connect(ran.database) as database:
        database.row_factory = sqlite3.Row
        row = database.execute("SELECT * FROM cell_nuclei WHERE biopsy_id = ?", (node["subject"],)).fetchone()
    assert node["feature_values"] == {name: row[name] for name in clinic.FEATURES}


def test_the_artifact_hash_is_that_of_the_files(ran):
    pipeline = "find . -type f | cut -c3- | LC_ALL=C sort | xargs -r sha256sum | sha256sum"
    for folder in (facts(ran)["files"], ran.folder / "registry" / "tumour-risk" / "2" / "files"):
        done = subprocess.run(["sh", "-c", pipeline], cwd=folder, capture_output=True, text=True, check=True)
        assert done.stdout.split()[0] == facts(ran)["digest"]["dirHash"]
    version = one(ran.dossier["model_versions"], model="tumour-risk", model_version="2")
    assert version["entry"] == facts(ran)["version_entry"]
    assert version["model_artifact_hash"] == facts(ran)["digest"]
    assert version["training_job_id"] == facts(ran)["job"] and version["registered_by"] == "data-scientist"


def test_the_training_run_names_commit_parameters_and_metrics(ran):
    def git(*arguments):
        return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True,
                              check=True).stdout.strip()
    run = one(ran.dossier["training_runs"], training_job_id=facts(ran)["job"])
    assert run["entry"] == facts(ran)["run_entry"]
    git("merge-base", "--is-ancestor", run["git_commit"], "HEAD")
    assert len(run["git_commit"]) == 40
    assert run["hyperparameters"] == {"C": 0.1, **demonstration.training.HYPERPARAMETERS}
    model = demonstration.training.train(Path(ran.facts["datasets"]["biopsy-features/2"]["file"]), 0.1)
    assert run["metrics"] == demonstration.training.evaluate(
        model, Path(ran.facts["datasets"]["biopsy-features-validation/2"]["file"]))
    assert run["triggered_by"] == "data-scientist" and run["trigger"] == "manual"
    assert run["artifact_hash"] == facts(ran)["digest"]
    assert [(used["role"], used["dataset"], used["version"]) for used in run["datasets"]] == [
        ("train", "biopsy-features", "2"), ("validation", "biopsy-features-validation", "2")]


@pytest.mark.parametrize("name, start, end", [("biopsy-features", "2022-01-01", "2024-07-01"),
                                              ("biopsy-features-validation", "2024-07-01", "2024-10-01")])
def test_the_data_leads_back_to_its_tables(ran, name, start, end):
    data = one(ran.dossier["dataset_versions"], dataset=name, version="2")
    file = Path(ran.facts["datasets"][f"{name}/2"]["file"])
    content = file.read_bytes()
    assert data["hash"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert data["rows"] == content.count(b"\n") - 1
    with sqlite3.connect(ran.database) as database:
        everything, excluded = database.execute(
            "SELECT count(*), coalesce(sum(\"mean concavity\" = 0), 0) FROM biopsy JOIN cell_nuclei USING (biopsy_id) "
            "WHERE biopsy_date >= ? AND biopsy_date < ?", (start, end)).fetchone()
    assert [source["table"] for source in data["sources"]] == ["biopsy", "cell_nuclei"]
    for source in data["sources"]:
        assert source["system"] == "clinic.sqlite" and source["rows"] == everything
        assert source["date_range"] == {"column": "biopsy.biopsy_date", "from": start, "to": end, "zone": "UTC"}
        assert source["snapshot"] == "sha256:" + hashlib.sha256(ran.database.read_bytes()).hexdigest()
    assert [step["step"] for step in data["transformations"]] == [1, 2]
    assert data["transformations"][1]["rows_out"] == data["rows"] == everything - excluded
    assert data["exclusions"] == [{"condition": '"mean concavity" = 0', "reason": clinic.EXCLUSION_REASON,
                                   "rows": excluded, "approved_by": "data-engineer"}]
    assert data["created_by"] == "data-engineer"


def test_the_sources_list_has_the_tables(ran):
    assert {source["table"] for source in ran.dossier["sources"]} == {"biopsy", "cell_nuclei"}


def test_the_approval_is_by_somebody_else_and_for_this_artifact(ran):
    approval = one(ran.dossier["approvals"], approval_reference="MRC-2")
    assert approval["entry"] == facts(ran)["approval_entry"]
    assert approval["approver"] == demonstration.APPROVER != ran.dossier["training_runs"][0]["triggered_by"]
    assert approval["verdict"] == "approved" and approval["model_artifact_hash"] == facts(ran)["digest"]
    assert approval["producer"]["principal"] == "token:" + demonstration.APPROVER


def test_the_approval_is_signed_and_ssh_keygen_agrees(ran):
    approval = one(ran.dossier["approvals"], approval_reference="MRC-2")
    assert approval["approver_assurance"] == "signed"
    check, = approval["signature_checks"]
    assert check["entry"] == approval["entry"] and check["verdict"] == "good"
    setting = json.loads(ran.entries[check["allowed_signers"]])
    assert setting["facts"]["value"] == ran.allowed_signers.read_text()
    assert approval["statement"].startswith('mltrail approval v1\norigin: "demo.example/tumour-risk"\n')
    signature = ran.folder / "approval.sig"
    signature.write_text(approval["signature"])
    verify = ["ssh-keygen", "-Y", "verify", "-f", str(ran.allowed_signers), "-I", demonstration.APPROVER,
              "-n", "approval@mltrail", "-s", str(signature)]
    for statement, good in ((approval["statement"], True), (approval["statement"].replace("approved", "rejected"), False)):
        done = subprocess.run(verify, input=statement, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is good, done.stdout + done.stderr


def test_the_transitions_are_those_that_were_made(ran):
    shown = [{name: node[name] for name in ("entry", "from_stage", "to_stage", "reason")}
             for node in sorted(ran.dossier["transitions"], key=lambda node: node["entry"])
             if node["model_version"] == "2"]
    assert shown == facts(ran)["transitions"]
    assert [(move["from_stage"], move["to_stage"]) for move in shown] == [("none", "staging"),
                                                                          ("staging", "production")]
    for node in ran.dossier["transitions"]:
        assert node["performed_by"] == "ml-platform"
    approval = one(ran.dossier["approvals"], approval_reference="MRC-2")
    assert approval["entry"] < facts(ran)["transitions"][0]["entry"] < ran.dossier["predictions"][0]["entry"]


def test_the_accesses_tell_who_read_what(ran):
    seen = {(node["resource"]["type"], node["resource"].get("id"), node["action"], node["principal"])
            for node in access_nodes(ran.dossier)}
    for expected in [("model_registry", "tumour-risk/2", "create", "data-scientist"),
                     ("model_registry", "tumour-risk/2", "read", "model-risk-officer"),
                     ("model_registry", "tumour-risk/2", "read", "scoring-service"),
                     ("model_registry", "tumour-risk/2", "read", "auditor"),
                     ("training_data", "biopsy-features/2", "read", "data-scientist"),
                     ("training_data", "biopsy-features/2", "read", "auditor")]:
        assert expected in seen, expected
    assert any(kind == "prediction_log" and what == ran.request_id and who.endswith("auditor")
               for kind, what, _, who in seen)


def access_nodes(dossier):
    access = dossier["access"]
    return access["items"] if isinstance(access, dict) else access


def test_the_findings_are_exactly_those_expected(ran):
    assert sorted((finding["code"], finding["severity"]) for finding in ran.dossier["findings"]) == \
        sorted(EXPECTED_FINDINGS), json.dumps(ran.dossier["findings"], indent=1)


def test_every_entry_is_proved_by_a_second_opinion(ran):
    integrity = ran.dossier["integrity"]
    assert integrity["verdict"] == "verified"
    head = open_checkpoint(integrity["checkpoint"]["note"], vkey_of(ran.program))
    assert head.size == ran.dossier["generated"]["tree_size"]
    leaves = [leaf_hash(entry) for entry in ran.entries]
    assert roots(leaves)[head.size] == head.root
    proved = set()
    for entry in integrity["entries"]:
        assert entry["leaf"] == leaves[entry["index"]].hex()
        path = [bytes.fromhex(node) for node in entry["proof"]]
        assert root_from_inclusion(leaves[entry["index"]], entry["index"], head.size, path) == head.root
        proved.add(entry["index"])
    for part in ("predictions", "model_versions", "training_runs", "dataset_versions", "approvals", "transitions"):
        assert {node["entry"] for node in ran.dossier[part]} <= proved


def test_the_same_question_at_the_same_size_gives_the_same_bytes(ran):
    assert json.loads(ran.again) == ran.dossier


def test_page_and_text_tell_the_same(ran):
    for rendering in (ran.html, ran.text):
        for said in (ran.request_id, "tumour-risk", "model-risk-officer", facts(ran)["job"], "biopsy-features"):
            assert said in rendering
    assert ran.html.count("<script") == 2  # what the page checks, and what checks it


def test_the_trail_verifies_and_a_changed_byte_does_not(ran):
    assert ran.program.run("verify", str(ran.program.trail)).returncode == 0
    file = ran.program.trail / "entries.dat"
    content = file.read_bytes()
    at = content.index(b"model-risk-officer")
    try:
        file.write_bytes(content[:at] + b"M" + content[at + 1:])
        assert ran.program.run("verify", str(ran.program.trail), ok=(1,)).returncode == 1
    finally:
        file.write_bytes(content)
