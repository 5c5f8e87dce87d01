"""A real `mlflow server --app-name mltrail` with real users, held against its own access log."""
from __future__ import annotations

import base64
import collections
import json
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

import mltrail
from served import Served, listen, until
from wrapped_mlflow import MlflowServer, installed

pytest.importorskip("mlflow")
ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "tests" / "integrations" / "mlflow_client.py"
ADMIN, ALICE, BOB = ("admin", "admin-passphrase-1"), ("alice", "alice-passphrase-2"), ("bob", "bob-passphrase-3")
MODEL = "tumour-risk"
AT = "positions in the log"
NAMED_BY = {"training.run": ("training_job_id",), "model.version": ("model", "model_version"), "dataset.version": ("dataset", "version")}


class TrailOnOnePort(Served):
    """A trail that comes back where it was."""

    port = 0

    def start(self) -> None:
        self.process, self.port = listen([self.binary, "serve", self.dir, "--listen", f"127.0.0.1:{self.port}"], self.port_file)
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return self.token_file.read_text().strip()

    def client(self) -> mltrail.Trail:
        return mltrail.Trail(self.url, self.token)

    def records(self, kind: str) -> list[dict]:
        """Records with their payloads, oldest first; what several say of one thing, joined. They may not contradict each other."""
        found: dict[str, dict] = {}
        with self.client() as client:
            for item in client.search(kind=kind, order="asc", limit=1000):
                facts = item["entry"]["facts"]
                named = [facts[name] for name in NAMED_BY.get(kind, ("event_id",)) if name in facts]
                one = found.setdefault(json.dumps(named or item["entry"]["id"]), {AT: []})
                one[AT].append(item["index"])
                for name, value in {**facts, **(item["payload"] or {})}.items():
                    assert one.setdefault(name, value) == value, f"{kind} {named}: {name}"
        return list(found.values())

    def accesses(self, server: str) -> list[dict]:
        """What was asked of that MLflow server."""
        return [one for one in self.records("access") if one.get("session", {}).get("server") == server]


def ask(server: MlflowServer, who: tuple | None, method: str, target: str, body=None, headers=None) -> tuple[int, bytes]:
    """A request of whatever is no Python client of MLflow: its pages, curl."""
    request = urllib.request.Request(server.url + target, method=method, headers=dict(headers or {}),
                                     data=None if body is None else json.dumps(body).encode())
    if body is not None:
        request.add_header("Content-Type", "application/json")
    if who is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(who).encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def run_client(server: MlflowServer, who: tuple | None, *arguments: str, **env: str):
    """A program that uses MLflow's own client; gives what it found."""
    user = {} if who is None else {"MLFLOW_TRACKING_USERNAME": who[0], "MLFLOW_TRACKING_PASSWORD": who[1]}
    done = subprocess.run([sys.executable, str(CLIENT), *arguments], env=server.environment(**user, **env), text=True,
                          capture_output=True, timeout=300, cwd=server.folder)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])  # MLflow prints lines of its own before


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    return installed(tmp_path_factory.mktemp("sdk"))


@pytest.fixture(scope="module")
def trail(binary, tmp_path_factory):
    running = TrailOnOnePort(binary, tmp_path_factory.mktemp("trail"), "example.org/mlflow")
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def registry(trail, site, tmp_path_factory):
    """MLflow with its own users, all of them real, two workers; alice has trained, registered and moved a model."""
    folder = tmp_path_factory.mktemp("registry")
    (folder / "auth.ini").write_text(f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{folder}/auth.db\n"
                                     f"admin_username = {ADMIN[0]}\nadmin_password = {ADMIN[1]}\n"
                                     "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n")
    server = MlflowServer(folder, site, {
        "MLTRAIL_URL": trail.url, "MLTRAIL_TOKEN_FILE": str(trail.token_file), "MLTRAIL_SPOOL_DIR": str(folder / "spool"),
        "MLTRAIL_MLFLOW_SERVER": "registry", "MLTRAIL_MLFLOW_APP": "basic-auth", "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "not-a-secret"})
    server.start()
    try:
        for name, password in (ALICE, BOB):
            assert ask(server, ADMIN, "POST", "/api/2.0/mlflow/users/create", {"username": name, "password": password})[0] == 200
        server.made = run_client(server, ALICE, "train-and-move", MODEL)
        yield server
    finally:
        server.stop()


def settled(trail: TrailOnOnePort, server: MlflowServer, name: str) -> list[dict]:
    """The accesses, once as many are in the trail as the access log has lines (or, when something is wrong, after a while)."""
    try:
        until(lambda: len(trail.accesses(name)) >= len(server.counted()), 60)
    except AssertionError:
        pass
    return trail.accesses(name)


def of(records: list[dict], **members) -> list[dict]:
    return [one for one in records if all(one.get(name) == value for name, value in members.items())]


def test_what_was_trained_is_in_the_trail(trail, registry):
    settled(trail, registry, "registry")
    first = registry.made["runs"][0]
    run = until(lambda: of(trail.records("training.run"), training_job_id=first))[0]
    assert (run["triggered_by"], run["status"]) == ("alice", "finished")
    assert run["hyperparameters"] == {"C": "1.0"}
    assert run["metrics"]["auc"] > 0.9
    assert [(one["dataset"], one["role"], list(one["hash"])) for one in run["datasets"]] == [("patients", "train", ["mlflow-md5-8"])]
    assert of(trail.records("dataset.version"), dataset="patients")


def test_a_version_has_the_digest_of_what_is_stored(trail, registry):
    stored = {mltrail.hash_directory(folder.parent).dir_hash for folder in (registry.folder / "artifacts").rglob("MLmodel")}
    versions = of(trail.records("model.version"), model=MODEL)
    assert [one["model_version"] for one in versions] == ["1", "2"]
    assert {one["model_artifact_hash"]["dirHash"] for one in versions} == stored
    assert [one["registered_by"] for one in versions] == ["alice", "alice"]
    assert [one["training_job_id"] for one in versions] == registry.made["runs"]
    assert registry.made["downloaded"] == versions[1]["model_artifact_hash"], "what a client loads is what was registered"


def test_every_move_says_from_where_by_whom_and_why(trail, registry):
    moves = [(one["move"], one["model_version"], one["from_stage"], one["to_stage"], one["performed_by"], one.get("reason"),
              one.get("approval_reference")) for one in of(trail.records("transition"), model=MODEL)]
    why = ("geprüft – 100 %", "CAB-7")
    assert moves == [
        ("alias", "1", "none", "champion", "alice", *why),
        ("stage", "1", "none", "Production", "alice", "from a tag", "CAB-1"),
        ("alias", "1", "champion", "none", "alice", *why),
        ("alias", "2", "none", "champion", "alice", *why),
        ("stage", "2", "none", "Production", "alice", None, None),
        ("stage", "1", "Production", "Archived", "alice", None, None),
        ("alias", "2", "none", "shadow", "alice", None, None),
        ("alias", "2", "shadow", "none", "alice", None, None),
    ]


def test_who_is_refused_is_recorded_as_whom_they_said_they_are(trail, registry):
    target = f"/api/2.0/mlflow/registered-models/get?name={MODEL}"
    assert ask(registry, ("alice", "wrong"), "GET", target)[0] == 401
    assert ask(registry, None, "GET", target)[0] == 401
    assert ask(registry, BOB, "GET", target)[0] == 403
    artifact = next((registry.folder / "artifacts").rglob("MLmodel")).relative_to(registry.folder / "artifacts")
    assert ask(registry, BOB, "GET", f"/api/2.0/mlflow-artifacts/artifacts/{artifact}")[0] == 403
    assert ask(registry, ("bob", "wrong"), "GET", f"/api/2.0/mlflow-artifacts/artifacts/{artifact}")[0] == 401
    denied = of(settled(trail, registry, "registry"), outcome="denied")
    assert sorted((one.get("principal") or "", one.get("claimed_user") or "", one["resource"]["id"]) for one in denied) == sorted([
        ("", "alice", MODEL), ("", "", MODEL), ("bob", "", MODEL), ("bob", "", str(artifact)), ("", "bob", str(artifact))])
    assert {one["source"]["address"] for one in denied} == {"127.0.0.1"}


def test_what_the_pages_read_is_recorded(trail, registry):
    run = registry.made["runs"][0]
    assert ask(registry, ALICE, "GET", f"/ajax-api/2.0/mlflow/registered-models/get?name={MODEL}", headers={"User-Agent": "browser"})[0] == 200
    assert ask(registry, ALICE, "GET", f"/ajax-api/2.0/mlflow/runs/get?run_id={run}")[0] == 200
    assert ask(registry, ALICE, "GET", f"/get-artifact?run_uuid={run}&path=notes.txt")[0] == 200
    query = "query Look($data: MlflowGetRunInput!) { mlflowGetRun(input: $data) { run { info { status } } } }"
    assert ask(registry, ALICE, "POST", "/graphql", {"operationName": "Look", "query": query, "variables": {"data": {"runId": run}}})[0] == 200
    found = settled(trail, registry, "registry")
    page = [one for one in found if one["source"].get("user_agent") == "browser"]
    assert [(one["principal"], one["resource"], one["outcome"]) for one in page] == [
        ("alice", {"type": "model_registry", "id": MODEL}, "allowed")]
    look = of(found, native_action="mlflow.graphql.Look")
    assert [(one["principal"], one["query"]["fields"], one["resource"]["id"]) for one in look] == [("alice", ["mlflowGetRun"], f"run/{run}")]
    notes = of(found, native_action="mlflow.getArtifact")
    assert [(one["action"], one["bytes"]) for one in notes] == [("export", len("read me"))]


def test_a_header_from_the_same_machine_does_not_change_the_address(trail, registry):
    assert ask(registry, ALICE, "GET", "/api/2.0/mlflow/registered-models/search?max_results=7",
               headers={"X-Forwarded-For": "203.0.113.9"})[0] == 200
    found = [one for one in settled(trail, registry, "registry") if one.get("query") == "max_results=7"]
    assert [one["source"]["address"] for one in found] == ["127.0.0.1"]


def test_an_upload_and_a_download_of_many_bytes_are_counted_and_not_changed(trail, registry):
    size = 5_000_003
    sums = run_client(registry, ALICE, "up-and-down", registry.made["experiment"], str(size))
    assert sums[0] == sums[1]
    moved = [one for one in settled(trail, registry, "registry") if one.get("bytes") == size]
    assert sorted(one["native_action"] for one in moved) == ["mlflow.downloadArtifact", "mlflow.uploadArtifact"]
    assert [len(one[AT]) for one in moved if one["action"] == "export"] == [2], "announced before its first byte"


def test_passwords_are_nowhere(trail, registry):
    settled(trail, registry, "registry")
    text = json.dumps(trail.accesses("registry"))
    assert "passphrase" not in text and "createUser" in text
    for file in (registry.folder / "spool").rglob("*"):
        assert not file.is_file() or b"passphrase" not in file.read_bytes()


def test_a_trail_that_dies_and_comes_back_has_everything(trail, registry):
    run = registry.made["runs"][0]

    def log_metrics(first: int, last: int) -> None:
        for step in range(first, last):
            assert ask(registry, ALICE, "POST", "/api/2.0/mlflow/runs/log-metric",
                       {"run_id": run, "key": "drift", "value": step, "timestamp": 1, "step": step})[0] == 200

    log_metrics(0, 5)
    before = threading.Thread(target=log_metrics, args=(5, 40))
    before.start()
    trail.stop(signal.SIGKILL)
    before.join(60)
    log_metrics(40, 50)
    trail.start()
    log_metrics(50, 55)
    found = settled(trail, registry, "registry")
    assert len(found) == len(registry.counted())
    assert len(of(found, native_action="mlflow.logMetric")) == 2 + 55, "two of the training"


def test_everything_in_the_access_log_is_in_the_trail_and_nothing_twice(trail, registry):
    found = settled(trail, registry, "registry")
    lines = registry.counted()
    assert len(lines) > 100, "the access log was not read"
    assert len(found) == len(lines)
    assert collections.Counter(one["session"]["status"] for one in found) == collections.Counter(line.status for line in lines)
    asked = collections.Counter((one["session"]["status"], one["query"]) for one in found if isinstance(one.get("query"), str))
    assert asked == collections.Counter((line.status, line.target.partition("?")[2]) for line in lines if "?" in line.target)
    assert not [one for one in found if one.get("principal") is None and one["outcome"] == "allowed"]


def test_an_access_log_with_one_line_more_is_noticed(trail, registry):
    """The comparison above can fail."""
    found = settled(trail, registry, "registry")
    assert ask(registry, None, "GET", "/health")[0] == 200, "not recorded, and not counted"
    lines = registry.lines()
    assert len(lines) > len(registry.counted()) == len(found)


def test_from_a_prediction_the_dossier_reaches_the_run_the_version_and_the_alias(trail, registry):
    with trail.client() as client:
        client.log_prediction("r-wrapper-1", model=MODEL, model_version="2", model_artifact_hash=registry.made["downloaded"],
                              feature_values={"mean radius": 14.2}, prediction={"malignant": 0.1}, serving_node="node-1")
        dossier = client.report("r-wrapper-1")
    assert [one["training_job_id"] for one in dossier["training_runs"]] == [registry.made["runs"][1]]
    assert [one["model_artifact_hash"] for one in dossier["model_versions"]] == [registry.made["downloaded"]]
    assert ["champion"] == [one["to_stage"] for one in dossier["transitions"] if one.get("reason") == "geprüft – 100 %"]
    assert any(one["dataset"] == "patients" for one in dossier["dataset_versions"])


def test_mlflow_that_is_killed_leaves_nothing_behind_that_is_not_sent(trail, registry):
    """Last: it ends the server. What its workers had on disk is sent by whoever opens the spool next."""
    trail.stop(signal.SIGKILL)
    try:
        assert ask(registry, ALICE, "GET", "/api/2.0/mlflow/registered-models/search?max_results=9")[0] == 200
        registry.kill()
    finally:
        trail.start()
    registry.start()
    found = settled(trail, registry, "registry")
    assert [one["principal"] for one in found if one.get("query") == "max_results=9"] == ["alice"]
    assert len(found) == len(registry.counted())


# Fail closed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal, prefix", [(503, ""), (424, "/registry")])
def test_a_registry_that_fails_closed_changes_nothing_unrecorded(binary, site, tmp_path, refusal, prefix):
    trail = TrailOnOnePort(binary, tmp_path / "trail", "example.org/closed")
    server = MlflowServer(tmp_path / "closed", site, {
        "MLTRAIL_URL": trail.url, "MLTRAIL_TOKEN_FILE": str(trail.token_file), "MLTRAIL_SPOOL_DIR": str(tmp_path / "spool"),
        "MLTRAIL_MLFLOW_SERVER": "closed", "MLTRAIL_MLFLOW_ON_FAILURE": "closed",
        "MLTRAIL_MLFLOW_REFUSAL_STATUS": str(refusal)}, workers=1, prefix=prefix).start()
    try:
        assert ask(server, None, "POST", "/api/2.0/mlflow/registered-models/create", {"name": "m"})[0] == 200
        run_client(server, None, "move-an-alias", "m")
        trail.stop()
        status, body = ask(server, None, "DELETE", "/api/2.0/mlflow/registered-models/delete", {"name": "m"})
        assert (status, json.loads(body)["error_code"]) == (refusal, "TEMPORARILY_UNAVAILABLE")
        assert "could not be recorded first" in json.loads(body)["message"]
        said = run_client(server, None, "try-to-create", "n", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
        # MLflow's client repeats a 503 until it gives up, and says no more than that.
        assert ("could not be recorded first" if refusal == 424 else "too many 503 error responses") in said
        assert ask(server, None, "GET", "/api/2.0/mlflow/registered-models/get?name=m")[0] == 200, "still there, and read"
        trail.start()
        until(lambda: ask(server, None, "DELETE", "/api/2.0/mlflow/registered-models/delete", {"name": "m"})[0] == 200)
        found = settled(trail, server, "closed")
        assert len(found) == len(server.counted())
        deleted = of(found, native_action="mlflow.deleteRegisteredModel")
        # What succeeded was in the trail before it was done; what was refused came out of the spool when the trail was back.
        assert sorted((one["outcome"], len(one[AT])) for one in deleted) == [("allowed", 2), ("error", 1)]
        removed = of(found, native_action="mlflow.deleteRegisteredModelAlias")
        assert [(one["resource"]["id"], len(one[AT])) for one in removed] == [("m/1", 2)]
        assert [(one["from_stage"], one["to_stage"]) for one in trail.records("transition")] == [("none", "a"), ("a", "none")]
    finally:
        server.stop()
        trail.stop()


@pytest.mark.parametrize("env, says", [
    ({}, "MLTRAIL_URL is not set"),
    ({"MLTRAIL_URL": "http://127.0.0.1:1", "MLTRAIL_MLFLOW_APP": "no-such"}, "want mlflow, basic-auth"),
])
def test_a_wrong_setting_stops_mlflow_with_one_sentence(site, tmp_path, env, says):
    server = MlflowServer(tmp_path, site, env)
    server.launch()
    assert server.process.wait(timeout=180) != 0
    assert says in server.log_file.read_text()


# The example ---------------------------------------------------------------------------------------------------


def test_the_example_runs_and_its_prediction_is_explained(binary, site, tmp_path):
    trail = TrailOnOnePort(binary, tmp_path / "trail", "example.org/example")
    server = MlflowServer(tmp_path / "mlflow", site, {"MLTRAIL_URL": trail.url, "MLTRAIL_TOKEN_FILE": str(trail.token_file),
                                                     "MLTRAIL_SPOOL_DIR": str(tmp_path / "spool")}, workers=1).start()
    try:
        done = subprocess.run([sys.executable, str(ROOT / "examples" / "mlflow" / "registry.py"), str(tmp_path)], text=True,
                              capture_output=True, timeout=300, cwd=tmp_path,
                              env=server.environment(MLTRAIL_URL=trail.url, MLTRAIL_TOKEN_FILE=str(trail.token_file)))
        assert done.returncode == 0, done.stderr[-4000:]
        request_id = done.stdout.split()[-1]
        until(lambda: trail.records("transition"))
        with trail.client() as client:
            dossier = client.report(request_id)
        assert [one["approval_reference"] for one in dossier["approvals"]] == ["CAB-2031"]
        assert [(one["to_stage"], one["approval_reference"]) for one in dossier["transitions"]] == [("champion", "CAB-2031")]
        assert dossier["training_runs"][0]["metrics"]["auc"] > 0.98
        assert not [one for one in dossier["findings"] if "hash" in one["code"] or "artifact" in one["code"]]
    finally:
        server.stop()
        trail.stop()
