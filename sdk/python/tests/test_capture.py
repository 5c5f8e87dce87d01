"""Dataset versions and training runs as they are captured: in a real repository, and into the real server."""
from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import types
from pathlib import Path

import pytest

import mltrail
from mltrail import environment
from mltrail.capturing import Capturing
from test_server import served, trail  # noqa: F401 (fixtures)

GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "train",
          "GITHUB_REPOSITORY": "example/model", "GITHUB_SERVER_URL": "https://example.com", "GITHUB_EVENT_NAME": "schedule",
          "GITHUB_ACTOR": "ana", "GITHUB_TRIGGERING_ACTOR": "bo", "GITHUB_SHA": "a" * 40}


class Kept(Capturing):
    """Takes the records and keeps them."""

    def __init__(self):
        self.records = []

    def log(self, kind, **members):
        self.records.append(json.loads(mltrail.encode_json({"kind": kind, **members})))
        return len(self.records)


@pytest.fixture()
def kept(monkeypatch):
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL"):
        monkeypatch.delenv(name, raising=False)
    return Kept()


@pytest.fixture()
def repository(tmp_path):
    def git(*arguments):
        return subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org",
                               *arguments], check=True, capture_output=True, text=True).stdout.strip()
    git("init", "-q")
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "join.py").write_text("def join(rows):\n    return rows[1:]\n")
    (tmp_path / "requirements.txt").write_text("numpy==1\n")
    git("add", ".")
    git("commit", "-qm", "first")
    git("remote", "add", "origin", "https://user:secret@example.org/team/model.git")
    return types.SimpleNamespace(path=tmp_path, commit=git("rev-parse", "HEAD"))


def test_a_run_says_what_it_was(kept, repository, tmp_path):
    with kept.training_run("job-1", path=repository.path, on_behalf_of="risk") as run:
        (repository.path / "model.bin").write_bytes(b"weights")
        run.log_params({"depth": 3}, eta=0.1)
        run.log_metrics(auc=0.5)
        run.log_metrics(auc=0.78)
        run.use_dataset("train", "loans", "2026-10", data=[{"a": 1}])
        run.use_base_model("base", "1", hash="sha256:" + "0" * 64)
        artifact = run.save_model(repository.path / "model.bin", model="credit", model_version="3")
    record, version = kept.records
    assert record["kind"] == "training.run" and record["status"] == "finished" and "error" not in record
    assert (record["git_commit"], record["git_dirty"]) == (repository.commit, False)  # as it was when the run began
    assert record["git_repository"] == "https://example.org/team/model.git"
    assert record["hyperparameters"] == {"depth": 3, "eta": 0.1} and record["metrics"] == {"auc": 0.78}
    assert record["datasets"] == [{"role": "train", "dataset": "loans", "version": "2026-10",
                                   "hash": mltrail.hash_data([{"a": 1}]).digests}]
    assert record["started_at"] <= record["ended_at"] and record["triggered_by"] == environment.process_user()
    assert record["on_behalf_of"] == "risk" and record["argv"] == sys.argv
    seen = record["environment"]
    assert seen["python"] == ".".join(map(str, sys.version_info[:3])) and seen["packages"]["pytest"] == pytest.__version__
    assert seen["lock_files"] == {"requirements.txt": "sha256:" + hashlib.sha256(b"numpy==1\n").hexdigest()}
    assert record["artifact_hash"] == artifact.digests == version["model_artifact_hash"]
    assert version["training_job_id"] == "job-1" and version["origin"] == "fine-tuned"
    assert version["manifest"] == [{"name": ".", "algorithm": "sha256", "digest": hashlib.sha256(b"weights").hexdigest()}]


def test_what_is_not_known_is_absent(kept, tmp_path):
    with kept.training_run(path=tmp_path):
        pass
    with kept.dataset("d", "1", created_by="me"):
        pass
    run, dataset = kept.records
    for member in ("git_commit", "git_dirty", "git_repository", "datasets", "hyperparameters", "metrics", "base_models",
                   "artifact_hash", "error"):
        assert member not in run
    assert set(dataset) == {"kind", "dataset", "version", "timestamp", "created_by"}
    assert run["training_job_id"] != kept.training_run().training_job_id


@pytest.mark.parametrize("raised, status, error", [
    (ValueError("no data"), "failed", "ValueError: no data"), (KeyboardInterrupt(), "killed", "KeyboardInterrupt: "),
    (SystemExit(3), "killed", "SystemExit: 3"), (SystemExit(0), "finished", None)])
def test_a_run_that_ends_by_an_exception_is_recorded_and_registers_nothing(kept, tmp_path, raised, status, error):
    (tmp_path / "model").write_bytes(b"half")
    with pytest.raises(type(raised)):
        with kept.training_run(path=tmp_path) as run:
            run.save_model(tmp_path / "model", model="m", model_version="1")
            raise raised
    assert (kept.records[0]["status"], kept.records[0].get("error")) == (status, error)
    assert len(kept.records) == (2 if status == "finished" else 1)


def test_a_lost_record_does_not_hide_the_exception_of_the_run(kept, tmp_path, capsys):
    def lost(kind, **members):
        raise mltrail.TransportError("no answer")
    kept.log = lost
    with pytest.raises(ZeroDivisionError):
        with kept.training_run("job-9", path=tmp_path):
            raise ZeroDivisionError
    assert "the record of the training run job-9 is lost: no answer" in capsys.readouterr().err
    with pytest.raises(mltrail.TransportError):
        with kept.training_run(path=tmp_path) as run:
            pass
    sent = []
    kept.log = lambda kind, **members: sent.append(members) or 1
    before = run.members()["ended_at"]
    assert run.end() == 1 and sent[0]["ended_at"] < before  # the record of then, not another one


def test_what_cannot_be_sent_waits_in_the_spool(kept, tmp_path):
    take = kept.log

    def away(kind, **members):
        raise mltrail.TransportError("no answer")
    kept.log, kept.enqueue, kept.mode = away, take, "spool"
    with kept.training_run("job-8", path=tmp_path) as run:
        pass
    with kept.dataset("d", "1"):
        pass
    assert [record["kind"] for record in kept.records] == ["training.run", "dataset.version"] and run.receipt == 1
    kept.mode = "sync"
    with pytest.raises(mltrail.TransportError):
        kept.training_run(path=tmp_path).end()


def test_the_ci_job_says_who_started_it_and_why(kept, monkeypatch, tmp_path):
    for name, value in GITHUB.items():
        monkeypatch.setenv(name, value)
    with kept.training_run(path=tmp_path):
        pass
    record = kept.records[0]
    assert (record["triggered_by"], record["trigger"]) == ("bo", "schedule")
    assert record["environment"]["ci"]["url"] == "https://example.com/example/model/actions/runs/77"
    assert environment.ci_job({"GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "web", "GITLAB_USER_LOGIN": "cy", "CI_JOB_ID": "5"}) \
        == {"job": {"system": "gitlab", "job_id": "5", "event": "web"}, "triggered_by": "cy", "trigger": "manual"}
    assert environment.ci_job({"JENKINS_URL": "https://ci.example.com/", "BUILD_ID": "9", "JOB_NAME": "train"}) \
        == {"job": {"system": "jenkins", "run_id": "9", "job": "train"}}
    assert environment.ci_job({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "something_new"}) \
        == {"job": {"system": "github", "event": "something_new"}}
    assert environment.ci_job({}) == {}


def test_a_parameter_has_one_value(kept):
    run = kept.training_run(capture=False)
    run.log_params(depth=3)
    run.log_params(depth=3)
    with pytest.raises(ValueError, match="logged as 3 before, now 4"):
        run.log_params(depth=4)
    with pytest.raises(ValueError, match="want one of train"):
        run.use_dataset("training", "d")
    with pytest.raises(ValueError, match="belong together"):
        run.save_model(__file__, model="m")


def test_a_dataset_says_where_its_rows_came_from(kept, repository):
    space: dict = {}
    file = repository.path / "steps" / "join.py"
    exec(compile(file.read_text(), str(file), "exec"), space)  # as an import of that file
    with kept.dataset("payments", "1") as inputs:
        inputs.no_exclusions()
        inputs.hash([{"a": 1}])
    with kept.dataset("loans", "2", legal_basis="contract", created_by="etl") as d:
        d.source("bank", "loans", date_range=("2020-01-01", None), column="opened", zone="Europe/Berlin", rows=5)
        d.source("bank", "codes", date_range=None).source("files", "x.csv", query="all")
        join = d.transform("join")(space["join"])
        assert join([1, 2, 3]) == [2, 3] and join.__name__ == "join"
        d.transform("scale", rows_in=2, rows_out=2)
        join(rows=[5])
        d.exclude("age < 18", "no contract possible", rows=3, approved_by="dpo")
        d.input(inputs)
        d.hash([{"a": 2}, {"a": 3}])
    first, record = kept.records
    assert first["exclusions"] == [] and first["rows"] == 1
    assert record["sources"] == [
        {"system": "bank", "table": "loans", "rows": 5,
         "date_range": {"from": "2020-01-01", "to": None, "column": "opened", "zone": "Europe/Berlin"}},
        {"system": "bank", "table": "codes", "date_range": {"from": None, "to": None}},
        {"system": "files", "table": "x.csv", "query": "all"}]
    joined, scaled, again = record["transformations"]
    assert joined == {"step": 1, "description": "join", "rows_in": 3, "rows_out": 2,
                      "code": {"git_commit": repository.commit, "path": "steps/join.py", "line": 1}}
    assert (scaled["step"], scaled["description"], scaled["rows_in"], scaled["rows_out"]) == (2, "scale", 2, 2)
    assert scaled["code"]["path"].endswith("test_capture.py")
    assert (again["step"], again["rows_in"], again["rows_out"]) == (3, 1, 0)
    assert record["exclusions"] == [{"condition": "age < 18", "reason": "no contract possible", "rows": 3, "approved_by": "dpo"}]
    assert record["inputs"] == [{"dataset": "payments", "version": "1", "hash": inputs.digests}]
    assert (record["rows"], record["legal_basis"], record["created_by"]) == (2, "contract", "etl")


def test_exclusions_and_none_contradict_each_other(kept):
    d = kept.dataset("d", "1").no_exclusions()
    with pytest.raises(ValueError, match="one or the other"):
        d.exclude("a", "b")
    with pytest.raises(ValueError, match="one or the other"):
        kept.dataset("d", "1").exclude("a", "b").no_exclusions()
    with pytest.raises(ValueError, match="want \\(from, to\\)"):
        d.source("s", "t", date_range="2024")


def test_a_dataset_that_was_not_finished_is_not_recorded(kept):
    with pytest.raises(RuntimeError):
        with kept.dataset("d", "1"):
            raise RuntimeError
    assert kept.records == []


def test_cuda_is_seen_without_an_import(monkeypatch):
    monkeypatch.setattr(environment, "_read", lambda path: {
        environment._CUDA_DRIVER: "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue\n",
        environment._CUDA_TOOLKIT: '{"cuda": {"version": "12.4.1"}}',
        environment._GPUS + "/0/information": "Model: \t\t NVIDIA A100\n"}.get(path, ""))
    monkeypatch.setattr(environment, "_listed", lambda path: ["0"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    before = set(sys.modules)
    assert environment.cuda() == {"driver": "550.54.15", "toolkit": "12.4.1", "devices": ["NVIDIA A100"],
                                  "visible_devices": "0"}
    assert set(sys.modules) == before


def test_the_server_takes_both_and_the_dossier_has_them(trail, tmp_path):  # noqa: F811
    (tmp_path / "model").write_bytes(b"weights")
    with trail.dataset("loans", "c-1") as d:
        d.source("bank", "loans", date_range=("2020-01-01", "2026-10-01"), rows=3)
        d.exclude("age < 18", "no contract possible", rows=1, approved_by="dpo")
        d.hash([{"a": 1}, {"a": 2}])
    with trail.training_run() as run:
        run.use_dataset("train", d)
        run.log_params(depth=3)
        run.log_metrics(auc=0.7)
        artifact = run.save_model(tmp_path / "model", model="capture", model_version="1")
    trail.log_prediction("c-1", model="capture", model_version="1", model_artifact_hash=artifact.digests,
                         feature_values={"a": 1}, prediction=0, serving_node="n")
    dossier = json.dumps(trail.report("c-1"))
    for part in ("bank", "age < 18", run.training_job_id, d.digests["mltrail-rows-1"], artifact.oms, "finished"):
        assert part in dossier, part


def test_a_run_that_ended_while_the_server_was_away_is_drained_later(served, trail, tmp_path):  # noqa: F811
    with socket.socket() as reserved:  # a port where nobody answers
        reserved.bind(("127.0.0.1", 0))
        away = mltrail.Trail(f"http://127.0.0.1:{reserved.getsockname()[1]}", token="x", attempts=1, timeout=1, mode="spool",
                             spool_dir=tmp_path / "spool", exit_timeout=0.1)
        with away.training_run("job-away", path=tmp_path) as run:
            (tmp_path / "model").write_bytes(b"weights")
            run.save_model(tmp_path / "model", model="away", model_version="1")
        away.close()
    done = subprocess.run([sys.executable, "-m", "mltrail", "drain", tmp_path / "spool", "--url", served[0], "--token-file",
                           served[2]], capture_output=True, text=True, timeout=60, cwd=Path(__file__).resolve().parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert [item["entry"]["facts"]["training_job_id"] for item in trail.search(kind="training.run")
            if item["entry"]["facts"]["training_job_id"] == "job-away"] == ["job-away"]
    assert trail.model_version("away", "1")
    assert run.receipt is not None and run.model_receipt is not None
