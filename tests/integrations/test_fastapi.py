"""The FastAPI example as a user runs it: trained, served by uvicorn, asked over HTTP, and its dossier is complete."""
from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mltrail
from served import end, until

requests = pytest.importorskip("requests")
for needed in ("fastapi", "uvicorn", "sklearn", "pandas", "joblib"):
    pytest.importorskip(needed)
from mltrail import asgi  # noqa: E402 (after the skips)

ROOT = Path(__file__).resolve().parents[2]
TUMOUR = {"mean radius": 14.2, "mean concavity": 0.09}


class Example:
    """A copy of the example in a repository of its own, trained and served."""

    def __init__(self, trail, folder: Path):
        self.folder = folder / "example"
        shutil.copytree(ROOT / "examples" / "fastapi", self.folder, ignore=shutil.ignore_patterns("model", "__pycache__"))
        git = ["git", "-C", self.folder, "-c", "user.name=t", "-c", "user.email=t@example.org"]
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "the example"]):
            subprocess.run([*git, *command], check=True, capture_output=True)
        self.commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
        self.env = {name: value for name, value in os.environ.items() if name not in ("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL")}
        # One thread: the machine is shared, and joblib need not look for the number of cores.
        self.env.update(MLTRAIL_URL=trail.url, MLTRAIL_TOKEN=trail.producer("example"), MLTRAIL_SPOOL_DIR=str(folder / "spool"),
                        MLTRAIL_SERVING_NODE="example-node", PYTHONPATH=os.pathsep.join([str(ROOT / "sdk" / "python"),
                                                                                       os.environ.get("PYTHONPATH", "")]),
                        LOKY_MAX_CPU_COUNT="1", OMP_NUM_THREADS="1")
        self.trained = subprocess.run([sys.executable, "train.py", "1"], cwd=self.folder, env=self.env, capture_output=True,
                                      text=True, timeout=300)
        assert self.trained.returncode == 0, self.trained.stderr
        self.log = folder / "uvicorn.log"
        with self.log.open("wb") as log:
            self.server = subprocess.Popen([sys.executable, "-m", "uvicorn", "service:app", "--host", "127.0.0.1", "--port", "0"],
                                           cwd=self.folder, env=self.env, stdout=log, stderr=log)
        try:
            found = until(lambda: self.server.poll() is not None or re.search(r"running on (http://\S+)", self.log.read_text()),
                          60, "uvicorn did not start")
            assert self.server.poll() is None, self.log.read_text()
        except AssertionError:
            end(self.server)
            raise
        self.url = found[1]


@pytest.fixture(scope="module")
def example(trail, tmp_path_factory):
    running = Example(trail, tmp_path_factory.mktemp("fastapi"))
    yield running
    assert end(running.server) in (0, -15), running.log.read_text()


def dossier_of(trail, request_id: str) -> dict:
    with mltrail.Trail(trail.url, token_file=trail.token_file, mode="sync") as client:
        def asked():
            try:
                return client.report(request_id)
            except mltrail.NotFound:
                return None
        return until(asked, 20, f"no prediction {request_id} in the trail")


def test_a_prediction_leads_back_to_its_source_tables(trail, example):
    answer = requests.post(example.url + "/score", json=TUMOUR, headers={"X-Request-Id": "req-1", "User-Agent": "ward-7"}, timeout=20)
    assert answer.status_code == 200 and 0 <= answer.json()["benign"] <= 1
    assert answer.headers["x-request-id"] == "req-1"
    dossier = dossier_of(trail, "req-1")
    text = json.dumps(dossier)
    records = {kind: trail.search(kind=kind) for kind in ("dataset.version", "training.run", "model.version", "prediction")}
    facts = {kind: found[-1]["entry"]["facts"] for kind, found in records.items()}
    source = facts["dataset.version"]["sources"][0]
    assert (source["system"], source["table"], source["rows"]) == ("scikit-learn", "breast_cancer.csv", 569)
    assert facts["dataset.version"]["exclusions"] == [
        {"condition": "mean concavity = 0", "reason": "the outline was not measured", "rows": 13, "approved_by": "data steward"}]
    step = facts["dataset.version"]["transformations"][0]
    assert (step["rows_in"], step["rows_out"], step["code"]["path"]) == (569, 556, "train.py")
    assert step["code"]["git_commit"] == facts["training.run"]["git_commit"] == example.commit
    run = facts["training.run"]
    assert run["status"] == "finished" and run["git_dirty"] is False and run["metrics"]["auc"] > 0.95
    assert [used["hash"] for used in run["datasets"]] == [facts["dataset.version"]["hash"]] * 2
    assert {"scikit-learn", "pandas", "numpy"} <= set(run["environment"]["packages"])
    version = facts["model.version"]
    assert version["training_job_id"] == run["training_job_id"]
    assert version["model_artifact_hash"] == run["artifact_hash"] == facts["prediction"]["model_artifact_hash"]
    for part in ("breast_cancer.csv", "mean concavity = 0", run["training_job_id"], example.commit, version["model_artifact_hash"]["oms"],
                 "example-node", "ward-7"):
        assert part in text, part


def test_what_is_on_disk_is_what_was_registered(trail, example):
    manifest = example.folder / "record.json"
    manifest.write_text(json.dumps(trail.search(kind="model.version")[-1]["entry"]["facts"]))
    checked = trail.run("digest", example.folder / "model", "--check", manifest)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_request_without_an_identifier_gets_one(trail, example):
    trace = "0af7651916cd43dd8448eb211c80319c"
    traced = requests.post(example.url + "/score", json=TUMOUR, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"}, timeout=20)
    assert traced.headers["x-request-id"] == trace
    plain = requests.post(example.url + "/score", json=TUMOUR, headers={"X-Request-Id": "no identifier, since it has spaces"}, timeout=20)
    made = plain.headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", made) and made != trace
    for request_id in (trace, made):
        assert dossier_of(trail, request_id)


# The middleware alone ----------------------------------------------------------------------------------------------

def through(middleware, scope):
    """What the application sees, and the headers of the answer."""
    seen, sent = {}, []

    async def app(scope, receive, send):
        seen.update(request_id=mltrail.current_request_id(), caller=asgi.current_caller())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Request-Id", b"the application's")]})

    async def send(message):
        sent.append(message)
    asyncio.run(middleware(app)(scope, None, send))
    assert asgi.current_caller() is None and mltrail.current_request_id() is None
    return seen, dict(sent[0]["headers"]) if sent else {}


def test_the_caller_is_what_was_seen_and_no_header_is_believed():
    scope = {"type": "http", "client": ("192.0.2.7", 5), "headers": [(b"x-request-id", b"r-1"), (b"user-agent", b"ward"),
                                                                    (b"x-forwarded-user", b"root")]}
    seen, headers = through(asgi.TrailMiddleware, scope)
    assert seen == {"request_id": "r-1", "caller": {"address": "192.0.2.7", "user_agent": "ward"}}
    assert headers == {b"x-request-id": b"r-1"}

    class User:
        is_authenticated, display_name = True, "ana"
    seen, _ = through(asgi.TrailMiddleware, {**scope, "user": User()})
    assert seen["caller"]["user"] == "ana" and asgi.with_caller() == {}


def test_identifiers_of_clients_need_not_be_trusted():
    scope = {"type": "http", "headers": [(b"x-request-id", b"r-1")]}
    seen, headers = through(lambda app: asgi.TrailMiddleware(app, trust_headers=False), scope)
    assert seen["request_id"] != "r-1" and seen["caller"] == {"request_id": "r-1"}
    assert headers[b"x-request-id"].decode() == seen["request_id"]
    for wrong in (b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", b"ff-" + b"a" * 32 + b"-b7ad6b7169203331-01", b"x"):
        seen, _ = through(asgi.TrailMiddleware, {"type": "http", "headers": [(b"traceparent", wrong)]})
        assert re.fullmatch("[0-9a-f]{32}", seen["request_id"]) and seen["request_id"] not in wrong.decode()


def test_what_is_no_request_passes():
    seen, _ = through(asgi.TrailMiddleware, {"type": "lifespan"})
    assert seen == {"request_id": None, "caller": None}
