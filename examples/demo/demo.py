#!/usr/bin/python3
"""A small machine-learning system, from its source tables to its predictions, with a trail beside it.

Real: the patients' measurements and diagnoses, the SQL, the training, the HTTP service, the commit, every hash.
Added: biopsy_id and biopsy_date, because the published data has neither; the roles, because a demo has no staff.
"""
from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any, Dict, List, Optional

import paths
import clinic
import mltrail
import training
from program import Program, command_line
from registry import ModelRegistry

PUBLISHED_SECONDS = 1.2  # a checkpoint is published at most once a second
MODEL = "tumour-risk"
DATASET = "biopsy-features"
PRODUCTION: Dict[str, Any] = {"environment": "clinic", "region": "local", "endpoint": "tumour-risk",
                              "variant": "champion", "traffic_percent": 100}
# Signs with an SSH key of his own, which the trail's allowed signers give to this name: anything else would be a claim.
APPROVER = "model-risk-officer"
# Role, rights, may see payloads, kinds it may append.
ROLES = [
    ("data-engineer", "append", False, "dataset.version,access"),
    ("data-scientist", "append", False, "training.run,model.version,access"),
    ("model-risk-officer", "append,approve", False, "approval,access"),
    ("ml-platform", "append", False, "transition,access"),
    ("scoring-service", "append", False, "prediction,tally,access"),
    ("auditor", "append,read", True, ""),
]
# Version, regularisation, first and last day of training, last day of validation, days whose patients it scores.
VERSIONS = [
    {"version": "1", "strength": 1.0, "train": ("2022-01-01", "2024-01-01"), "validate": ("2024-01-01", "2024-07-01"),
     "score": ("2024-07-01", "2024-10-01")},
    {"version": "2", "strength": 0.1, "train": ("2022-01-01", "2024-07-01"), "validate": ("2024-07-01", "2024-10-01"),
     "score": ("2024-10-01", "2025-03-01")},
]


class Demo:
    """The system and what it did, for the reader and for the test."""

    def __init__(self, binary: Path, folder: Path, port: Optional[int], limit: Optional[int]) -> None:
        self.folder = folder
        self.limit = limit
        if folder.exists():
            if not (folder / ".mltrail-demo").exists() and any(folder.iterdir()):
                raise SystemExit(f"{folder} is not empty and not from an earlier demo: name another with --folder")
            end_earlier_server(folder)
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / ".mltrail-demo").touch()
        for name in ("tokens", "keys", "extracts", "registry", "training"):
            (folder / name).mkdir()
        self.program = Program(binary, folder / "trail", port)
        self.database = folder / clinic.SYSTEM
        self.facts: Dict[str, Any] = {"versions": {}, "predictions": {}, "datasets": {}, "streams": []}

    def token_file(self, role: str) -> Path:
        """Where a role's token is."""
        return self.folder / "tokens" / role

    def trail(self, role: str) -> mltrail.Trail:
        """The trail, as a role reaches it."""
        return mltrail.Trail(self.program.url, token_file=self.token_file(role))

    def registry(self, role: str) -> ModelRegistry:
        """The registry, as a role reaches it."""
        return ModelRegistry(self.folder / "registry", self.trail(role), role)

    def start(self) -> None:
        """A fresh trail, a token for each role, a server, and the source tables."""
        self.program.init("demo.example/tumour-risk")
        for role, rights, payloads, kinds in ROLES:
            self.program.token(role, rights, payloads, kinds, self.token_file(role))
        self.program.serve(self.folder / "server.log")
        self.appoint_approver()
        assert self.program.server is not None
        (self.folder / "server.pid").write_text(f"{self.program.server.pid}\n", encoding="ascii")
        clinic.load_source_tables(self.database)
        self.facts["git"] = mltrail.git_state(paths.ROOT).members

    def appoint_approver(self) -> None:
        """The approver makes an SSH key, and an admin says that approvals may be signed with it."""
        self.key = self.folder / "keys" / APPROVER
        self.allowed_signers = self.folder / "keys" / "allowed_signers"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", APPROVER, "-f", str(self.key)], check=True)
        public = self.key.with_suffix(".pub").read_text(encoding="ascii")
        self.allowed_signers.write_text(f'{APPROVER} namespaces="approval@mltrail" {public}', encoding="ascii")
        self.program.run("settings", "set", "allowed_signers", f"@{self.allowed_signers}", "--reason",
                         "the model-risk officer approves", "--trail", str(self.program.trail))

    def make_dataset(self, name: str, version: str, days: "tuple[str, str]") -> Dict[str, Any]:
        """Extracts, transforms, excludes; records how."""
        file = self.folder / "extracts" / f"{name}-{version}.csv"
        made = clinic.extract(self.database, days[0], days[1], file)
        code = {"git_commit": self.facts["git"]["git_commit"], "path": "examples/demo/clinic.py"}
        span = {"column": "biopsy.biopsy_date", "from": days[0], "to": days[1], "zone": "UTC"}
        members: Dict[str, Any] = dict(
            hash=made.digest, rows=made.rows, created_by="data-engineer",
            sources=[{"system": clinic.SYSTEM, "table": table, "date_range": span, "query": made.query,
                      "snapshot": made.snapshot, "rows": made.rows_in} for table in ("biopsy", "cell_nuclei")],
            transformations=[
                {"step": 1, "description": "diagnosis M, B becomes malignant 1, 0", "code": code,
                 "rows_in": made.rows, "rows_out": made.rows},
                {"step": 2, "description": "log(1 + x) of the three area measurements", "code": code,
                 "rows_in": made.rows, "rows_out": made.rows}],
            exclusions=[{"condition": clinic.EXCLUDED, "reason": clinic.EXCLUSION_REASON,
                         "rows": made.rows_excluded, "approved_by": "data-engineer"}],
            locations=[str(file.relative_to(self.folder))], license="CC BY 4.0 (UCI Machine Learning Repository, 17)",
            legal_basis="published research data")
        with self.trail("data-engineer") as trail:
            receipt = trail.log_dataset_version(name, version, **members)
        made_facts = {"entry": receipt.index, "file": str(file), **members}
        self.facts["datasets"][f"{name}/{version}"] = made_facts
        return made_facts

    def build_version(self, plan: Dict[str, Any]) -> None:
        """Data, training, registration."""
        version = plan["version"]
        sets = {"train": self.make_dataset(DATASET, version, plan["train"]),
                "validation": self.make_dataset(DATASET + "-validation", version, plan["validate"])}
        trail = self.trail("data-scientist")
        for role, made in sets.items():
            name = DATASET if role == "train" else DATASET + "-validation"
            trail.log_access("read", "training_data", f"{name}/{version}", principal="data-scientist",
                             source={"address": "127.0.0.1", "user_agent": "training.py"}, outcome="allowed",
                             count=made["rows"], purpose="training")
        job, started = f"train-{uuid.uuid4().hex[:12]}", mltrail.now()
        model = training.train(Path(sets["train"]["file"]), plan["strength"])
        metrics = training.evaluate(model, Path(sets["validation"]["file"]))
        files = self.folder / "training" / job
        training.save(model, files)
        digest = mltrail.hash_directory(files)
        run = dict(
            datasets=[{"role": "train", "dataset": DATASET, "version": version, "hash": sets["train"]["hash"]},
                      {"role": "validation", "dataset": DATASET + "-validation", "version": version,
                       "hash": sets["validation"]["hash"]}],
            hyperparameters={"C": plan["strength"], **training.HYPERPARAMETERS}, metrics=metrics,
            triggered_by="data-scientist", trigger="manual", started_at=started, ended_at=mltrail.now(),
            environment=training.ENVIRONMENT, artifact_hash=digest.digests, **self.facts["git"])
        receipt_run = trail.log_training_run(job, **run)
        stored = self.registry("data-scientist").register(MODEL, version, files, {"training_job_id": job, **metrics})
        assert stored.digests == digest.digests
        receipt_version = trail.log_model_version(
            MODEL, version, model_artifact_hash=digest.digests, training_job_id=job, registered_by="data-scientist",
            origin="trained", manifest=digest.manifest,
            artifacts=[{"name": file.path, "hash": "sha256:" + file.sha256} for file in digest.files],
            description="Risk that a biopsied tumour is malignant, from measurements of cell nuclei")
        trail.close()
        self.facts["versions"][version] = {
            "job": job, "run": run, "digest": digest.digests, "files": str(files), "run_entry": receipt_run.index,
            "version_entry": receipt_version.index, "approval": f"MRC-{version}", "transitions": []}

    def approve(self, version: str, reason: str) -> None:
        """The model-risk officer reads the registry, decides and signs."""
        facts = self.facts["versions"][version]
        card = self.registry("model-risk-officer").card(MODEL, version, "approval")
        done = self.program.run(
            "approve", MODEL, version, "--reference", facts["approval"], "--verdict", "approved", "--approver", APPROVER,
            "--artifact-hash", json.dumps(facts["digest"]), "--reason", f"{reason}: {metrics_line(card)}",
            "--role", "model risk", "--condition", "re-assess when the share of malignant predictions moves by 10 points",
            "--evidence", f"job:{facts['job']}", "--key", str(self.key), "--json",
            "--trail", self.program.url, "--token-file", str(self.token_file("model-risk-officer")))
        facts["approval_entry"] = json.loads(done.stdout)["index"]

    def move(self, version: str, start: str, end: str, reason: str) -> None:
        """A stage transition."""
        facts = self.facts["versions"][version]
        with self.trail("ml-platform") as trail:
            receipt = trail.log_transition(MODEL, version, end, from_stage=start, performed_by="ml-platform",
                                           reason=reason, approval_reference=facts["approval"], move="stage",
                                           deployment=PRODUCTION)
        facts["transitions"].append({"entry": receipt.index, "from_stage": start, "to_stage": end, "reason": reason})

    def serve_patients(self, plan: Dict[str, Any]) -> List[str]:
        """Runs the scoring service for the held-back patients of some days."""
        command = [sys.executable, str(paths.HERE / "scoring_service.py"), "--trail", self.program.url,
                   "--token-file", str(self.token_file("scoring-service")), "--registry", str(self.folder / "registry"),
                   "--model", MODEL, "--model-version", plan["version"], "--node", "scoring-1",
                   "--deployment", json.dumps(PRODUCTION)]
        requests: List[str] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
            assert service.stdout is not None
            try:
                ready = json.loads(service.stdout.readline() or "null")
                if ready is None:
                    raise RuntimeError("the scoring service did not start")
                for patient in clinic.held_back(self.database, *plan["score"])[:self.limit]:
                    requests.append(self._score(ready["port"], plan["version"], patient))
            finally:
                service.terminate()
                rest, _ = service.communicate(timeout=30)
        self.facts["streams"].append({"stream": ready["stream"], "count": json.loads(rest)["count"]})
        return requests

    def _score(self, port: int, version: str, patient: Dict[str, Any]) -> str:
        request_id = f"r-{uuid.uuid4().hex}"
        body = json.dumps({"request_id": request_id, "subject": patient["biopsy_id"],
                           "features": patient["features"]}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/score", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        self.facts["predictions"][request_id] = {"version": version, "subject": patient["biopsy_id"],
                                                 "features": patient["features"], "answer": answer,
                                                 "diagnosis": patient["diagnosis"]}
        return request_id

    def audit(self, request_id: str, version: str) -> None:
        """The auditor reads registry, training data and prediction log. All three leave a record."""
        registry = self.registry("auditor")
        registry.versions(MODEL, "annual review")
        registry.card(MODEL, version, "annual review")
        with self.trail("auditor") as trail:
            trail.log_access("read", "training_data", f"{DATASET}/{version}", principal="auditor",
                             source={"address": "127.0.0.1", "user_agent": "spreadsheet"}, outcome="allowed",
                             purpose="annual review")
            trail.predictions(request_id)

    def story(self) -> str:
        """All of it, in order. Returns the request to report on."""
        first, second = VERSIONS
        say("source tables", f"569 patients in {clinic.SYSTEM}; biopsy_id and biopsy_date are added")
        self.build_version(first)
        said = self.facts["versions"]["1"]["run"]["metrics"]
        say("version 1", f"trained and registered; {metrics_line(said)}")
        self.approve("1", "first model for this use")
        self.move("1", "none", "staging", "rehearsal with the clinic's client")
        self.move("1", "staging", "production", "rehearsal passed")
        say("into use", f"approved by {APPROVER}, signed with an SSH key of his own; staging, then production")
        say("scoring", f"{len(self.serve_patients(first))} held-back patients by version 1")
        self.build_version(second)
        said = self.facts["versions"]["2"]["run"]["metrics"]
        say("version 2", f"half a year more of data; {metrics_line(said)}")
        self.approve("2", "more data, stronger regularisation")
        self.move("2", "none", "staging", "rehearsal with the clinic's client")
        self.move("1", "production", "archived", "replaced by version 2")
        self.move("2", "staging", "production", "replaces version 1")
        say("into use", "approved and signed likewise; replaces version 1")
        served = self.serve_patients(second)
        say("scoring", f"{len(served)} held-back patients by version 2")
        chosen = served[len(served) // 2]
        self.audit(chosen, "2")
        say("auditor", "read the registry, the training data and the prediction log; that too is on record")
        return chosen


def end_earlier_server(folder: Path) -> None:
    """Ends the server that an earlier demo was told to keep, before its trail is replaced under it."""
    try:
        pid = int((folder / "server.pid").read_text(encoding="ascii"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return
    if b"serve" in command and os.fsencode(folder / "trail") in command:
        say("earlier demo", f"ending its server, pid {pid}")
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)


def metrics_line(metrics: Dict[str, Any]) -> str:
    """The metrics that people quote."""
    return (f"accuracy {metrics['validation_accuracy']:.3f}, log loss {metrics['validation_log_loss']:.3f} "
            f"on {metrics['validation_rows']} unseen patients")


def say(what: str, text: str) -> None:
    """One line of the story."""
    print(f"  {what:<14} {text}", flush=True)


def report(demo: Demo, request_id: str) -> Path:
    """The dossier in the terminal and as a file."""
    access = ["--trail", demo.program.url, "--token-file", str(demo.token_file("auditor"))]
    print(flush=True)
    subprocess.run([str(demo.program.binary), "report", request_id, *access], check=True)
    html = demo.folder / "dossier.html"
    demo.program.run("report", request_id, "--format", "html", "-o", str(html), *access)
    return html


def prove(demo: Demo, request_id: str) -> int:
    """The same dossier as evidence to hand on, and what whoever gets it does with it."""
    binary, key, bundle = demo.program.binary, demo.folder / "trail.vkey", demo.folder / "evidence.zip"
    key.write_text(demo.program.run("key", "export", "--trail", str(demo.program.trail)).stdout, encoding="ascii")
    make = [str(binary), "report", request_id, "--format", "bundle", "-o", str(bundle), "--trail", demo.program.url,
            "--token-file", str(demo.token_file("auditor"))]
    check = [str(binary), "verify", str(bundle), "--key", str(key)]
    print("\nEvidence to hand on, and its check, which needs neither the trail nor a network:", flush=True)
    for command in (make, check):
        print(f"  $ {command_line(command)}", flush=True)
        status = subprocess.run(command, check=False).returncode
        if status != 0:
            return status
    return 0


def main() -> int:
    """The demo as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mltrail", default=str(paths.ROOT / "build" / "mltrail"), help="the program")
    parser.add_argument("--folder", default=str(paths.ROOT / "demo-trail"), help="replaced by each run")
    parser.add_argument("--port", type=int, help="of the trail's server (default: a free one)")
    parser.add_argument("--keep", action="store_true", help="leave the server up")
    options = parser.parse_args()
    begin = time.monotonic()
    binary = Path(options.mltrail).resolve()
    if not os.access(binary, os.X_OK):
        raise SystemExit(f"{binary} is not there: run `make build` first")
    demo = Demo(binary, Path(options.folder).resolve(), options.port, None)
    try:
        demo.start()
        request_id = demo.story()
        html = report(demo, request_id)
        evidence = prove(demo, request_id)
        (demo.folder / "facts.json").write_text(json.dumps(demo.facts, indent=1, default=str) + "\n", encoding="utf-8")
        if not options.keep:
            demo.program.stop()
        else:
            time.sleep(PUBLISHED_SECONDS)  # beside a running server, verify goes up to the published checkpoint
        print(f"\nAnd the whole trail:\n  $ {command_line([str(binary), 'verify', str(demo.program.trail)])}", flush=True)
        verdict = subprocess.run([str(binary), "verify", str(demo.program.trail)], check=False).returncode
    except BaseException:
        demo.program.stop()
        raise
    trail, token = str(demo.program.trail), str(demo.token_file("auditor"))
    where = ["--trail", demo.program.url, "--token-file", token] if options.keep else ["--trail", trail]
    bundle, key = str(demo.folder / "evidence.zip"), str(demo.folder / "trail.vkey")
    say_by_hand = [
        ("the dossier as a page", [str(html)]),
        ("and once more", [str(binary), "report", request_id, *where]),
        ("as evidence to hand on", [str(binary), "report", request_id, "--format", "bundle", "-o", bundle, *where]),
        ("and for who gets it", [str(binary), "verify", bundle, "--key", key]),
        ("one record", [str(binary), "show", "0", *where]),
        ("questions", [str(binary), "ask", *where]),
        ("who approved it?", [str(binary), "ask", "APR-01", "--model", MODEL, "--model-version", "2", *where]),
        ("what depends on the data", [str(binary), "lineage", "dataset:" + DATASET + "/1", "--forward", *where]),
        ("who read what", [str(binary), "access", *where]),
        ("check it again", [str(binary), "verify", trail]),
    ]
    print(f"\nGo on by hand ({time.monotonic() - begin:.0f} s so far):")
    for what, parts in say_by_hand:
        print(f"  {what:<25} {command_line(parts)}")
    if options.keep and demo.program.server is not None:
        print(f"  {'the server stays up':<25} {demo.program.url}, pid {demo.program.server.pid}; "
              f"end it with: kill {demo.program.server.pid}")
    else:
        print(f"  {'serve it':<25} {command_line([str(binary), 'serve', trail])}    (or: make demo KEEP=1)")
    return verdict or evidence


if __name__ == "__main__":
    sys.exit(main())
