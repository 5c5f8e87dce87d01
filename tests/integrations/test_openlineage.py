"""OpenLineage's own Python client against a real server, with nothing set but OPENLINEAGE_URL."""
from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

pytest.importorskip("openlineage.client")
jsonschema = pytest.importorskip("jsonschema")
requests = pytest.importorskip("requests")

from openlineage.client import OpenLineageClient  # noqa: E402
from openlineage.client.event_v2 import (DatasetEvent, InputDataset, Job, JobEvent, OutputDataset, Run,  # noqa: E402
                                         RunEvent, RunState, StaticDataset)
from openlineage.client.facet_v2 import dataset_version_dataset, tags_run  # noqa: E402
from openlineage.client.serde import Serde  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "openlineage"
SCHEMAS = ROOT / "docs" / "schemas" / "openlineage"
WAREHOUSE = "sqlite://warehouse.example.org/clinic.db"

from served import until  # noqa: E402
from mltrail import openlineage as facets  # noqa: E402


@pytest.fixture(scope="module")
def token(trail):
    return trail.producer("pipeline")


def url_of(trail, token: str) -> str:
    return f"http://x:{token}@127.0.0.1:{trail.port}"


@pytest.fixture
def client(trail, token, monkeypatch):
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENLINEAGE_URL", url_of(trail, token))
    made = OpenLineageClient()
    yield made
    made.close()


def a_time(seconds: float = 0) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()


def event(state: RunState, run: str, job: str = "job", when: str | None = None, **more) -> RunEvent:
    return RunEvent(eventTime=when or a_time(), run=Run(run, facets=more.pop("run_facets", {})), job=Job("tests", job), eventType=state,
                    producer="https://example.org/tests", **more)


def of_run(items: list[dict], run: str) -> list[dict]:
    return [item for item in items if item["entry"]["facts"].get("correlation") == run]


def versions(trail, dataset: str) -> list[dict]:
    return [item["entry"]["facts"] for item in trail.search(kind="dataset.version") if item["entry"]["facts"]["dataset"] == dataset]


def post(trail, token: str, path: str, body: bytes, **headers) -> requests.Response:
    return requests.post(trail.url + path, data=body, timeout=20,
                         headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers})


# --- the pipeline, from the source table to the prediction ---


@pytest.fixture(scope="module")
def story(trail, token, tmp_path_factory):
    """The example, run as its README says, and a prediction by the model that it made."""
    folder = tmp_path_factory.mktemp("pipeline") / "work"
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("OPENLINEAGE")},
                   "OPENLINEAGE_URL": url_of(trail, token)}
    ran = subprocess.run([sys.executable, EXAMPLE / "pipeline.py", folder], capture_output=True, text=True, timeout=120, env=environment)
    assert ran.returncode == 0, ran.stderr
    runs = json.loads(ran.stdout)
    model = next(item["entry"]["facts"] for item in trail.search(kind="model.version") if item["entry"]["facts"]["training_job_id"] == runs["train"])
    prediction = {"kind": "prediction", "request_id": "openlineage-1", "timestamp": a_time(), "model": "tumour-risk", "model_version": runs["train"],
                  "model_artifact_hash": model["model_artifact_hash"], "feature_values": {"mean_radius": 14.2}, "prediction": 0.1,
                  "serving_node": "node-1", "stream": "s", "sequence": 1}
    sent = post(trail, token, "/v1/records", json.dumps(prediction).encode())
    assert sent.status_code == 201, sent.text
    report = trail.run("report", "openlineage-1", "--trail", trail.dir, "--format", "json")
    assert report.returncode == 0, report.stderr
    return {"runs": runs, "dossier": json.loads(report.stdout)}


def test_every_step_is_a_dataset_version(story):
    """The dossier of a prediction leads over both intermediate tables to the source table, with its dates."""
    made = {version["facts"]["dataset"] if "facts" in version else version["dataset"]: version for version in story["dossier"]["dataset_versions"]}
    assert set(made) == {f"{WAREHOUSE}/extracted", f"{WAREHOUSE}/measured"}
    sources = json.dumps(story["dossier"]["sources"])
    assert '"biopsies"' in sources and '"2022-01-01"' in sources and '"2024-07-01"' in sources and "SELECT * FROM biopsies" in sources


def test_exclusions_and_transformations_are_told(story):
    """What was left out and why, who agreed, what was done in each step and by which commit."""
    text = json.dumps(story["dossier"]["dataset_versions"])
    for what in ("taken as not measured", "mean_concavity = 0", "data-board@example.org", "rounded to three digits", "clinic/clean",
                 "INDIRECT FILTER", "examples/openlineage/pipeline.py"):
        assert what in text, what


def test_training_is_told(story):
    """Parameters, metrics, data with digest, and the person."""
    text = json.dumps(story["dossier"]["training_runs"])
    for what in ('"C": "0.5"', "train_auc", '"ana@example.org"', '"train"', f"{WAREHOUSE}/measured"):
        assert what in text, what


def test_nothing_about_data_is_missing(story):
    """The chain is whole: no dataset is unknown, no digest differs, no range, exclusion or source is missing."""
    codes = {finding["code"] for finding in story["dossier"]["findings"]}
    about_data = {code for code in codes if code.startswith(("dataset", "date-range", "exclusions", "sources", "training-run", "component"))}
    assert about_data == set(), codes


def test_report_and_ask_show_it(trail, story):
    """In the words of the command line, too."""
    report = trail.run("report", "openlineage-1", "--trail", trail.dir, "--format", "text")
    assert report.returncode == 0
    for what in ("biopsies", "2022-01-01", "taken as not measured"):
        assert what in report.stdout
    asked = trail.run("ask", "--trail", trail.dir, "--json")
    questions = [item["id"] for item in json.loads(asked.stdout)["items"]]
    told = ""
    for question in questions:
        told += trail.run("ask", question, "--request-id", "openlineage-1", "--trail", trail.dir).stdout
    assert "biopsies" in told and "taken as not measured" in told


def test_a_broken_chain_is_seen(trail, client):
    """The broken case: a run that says nothing of what it read leaves findings, not blanks."""
    run = str(uuid.uuid4())
    client.emit(event(RunState.COMPLETE, run, outputs=[OutputDataset("db", "broken")]))
    graph = trail.run("lineage", f"dataset:db%2Fbroken/{run}", "--trail", trail.dir, "--json")
    codes = {finding["code"] for finding in json.loads(graph.stdout)["findings"]}
    assert "exclusions-not-stated" in codes or any("exclusions" in code for code in codes), codes


# --- how events arrive ---


def test_events_are_kept_raw(trail, client):
    """Run, dataset and job events, each as it was sent, under what ties it to others."""
    run = str(uuid.uuid4())
    sent = event(RunState.START, run, inputs=[InputDataset("db", "kept")])
    client.emit(sent)
    client.emit(DatasetEvent(eventTime=a_time(), producer="https://example.org/tests", dataset=StaticDataset("db", "static", facets={
        "version": dataset_version_dataset.DatasetVersionDatasetFacet("v7"), "mltrail_exclusions": facets.exclusions()})))
    client.emit(JobEvent(eventTime=a_time(), producer="https://example.org/tests", job=Job("tests", "static-job")))
    captured = trail.search(kind="capture")
    kept = of_run(captured, run)[0]
    assert kept["payload"]["message"]["run"]["runId"] == run
    assert kept["payload"]["message"]["inputs"][0]["name"] == "kept"
    assert kept["entry"]["facts"]["digest"].startswith("sha256:")
    assert of_run(captured, "dataset:db/static") and of_run(captured, "job:tests/static-job")
    assert versions(trail, "db/static")[0]["version"] == "v7"


def test_a_retry_is_the_same_record(trail, token):
    """The same bytes twice are one event and one dataset version."""
    run = str(uuid.uuid4())
    body = Serde.to_json(event(RunState.COMPLETE, run, outputs=[OutputDataset("db", "twice")])).encode()
    first = post(trail, token, "/api/v1/lineage", body)
    again = post(trail, token, "/api/v1/lineage", body)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["records"] == 2 and again.json()["records"] == 0 and again.json()["duplicates"] == 2
    assert len(versions(trail, "db/twice")) == 1 and len(of_run(trail.search(kind="capture"), run)) == 1


def test_a_restart_in_the_middle_of_a_run(trail, token, client):
    """What START said is in the log: a server that was stopped and started puts it together with COMPLETE."""
    run = str(uuid.uuid4())
    client.emit(event(RunState.START, run, inputs=[InputDataset("db", "before-restart", inputFacets={
        "mltrail_dateRange": facets.date_range("day", "2025-01-01", "2026-01-01")})]))
    assert trail.stop() == 0
    trail.start()
    body = Serde.to_json(event(RunState.COMPLETE, run, outputs=[OutputDataset("db", "after-restart")])).encode()
    assert post(trail, token, "/api/v1/lineage", body).status_code == 200
    made = versions(trail, "db/after-restart")[0]
    assert made["sources"][0]["table"] == "before-restart"
    assert made["sources"][0]["date_range"] == {"column": "day", "from": "2025-01-01", "to": "2026-01-01"}


def test_a_late_start_completes(trail, client):
    """Events in the wrong order: the record is completed, and nothing contradicts."""
    run = str(uuid.uuid4())
    start, end = a_time(), a_time(5)
    client.emit(event(RunState.COMPLETE, run, when=end, outputs=[OutputDataset("db", "late")]))
    assert "sources" not in versions(trail, "db/late")[0]
    client.emit(event(RunState.START, run, when=start, inputs=[InputDataset("db", "early")],
                      run_facets={"tags": tags_run.TagsRunFacet(tags=[tags_run.TagsRunFacetFields("triggered_by", "bo@example.org", "USER")])}))
    both = versions(trail, "db/late")
    assert len(both) == 2 and both[1]["sources"][0]["table"] == "early" and both[1]["created_by"] == "bo@example.org"
    graph = json.loads(trail.run("lineage", f"dataset:db%2Flate/{run}", "--trail", trail.dir, "--json").stdout)
    assert not [finding for finding in graph["findings"] if "conflict" in finding["code"]], graph["findings"]


def test_runs_of_other_producers_stay_apart(trail, token):
    """A run id that somebody else uses does not give him what the first one said."""
    run, other = str(uuid.uuid4()), trail.producer("other")
    start = Serde.to_json(event(RunState.START, run, inputs=[InputDataset("db", "private-table")])).encode()
    end = Serde.to_json(event(RunState.COMPLETE, run, outputs=[OutputDataset("db", "stolen")])).encode()
    assert post(trail, token, "/api/v1/lineage", start).status_code == 200
    assert post(trail, other, "/api/v1/lineage", end).status_code == 200
    assert "private-table" not in json.dumps(versions(trail, "db/stolen"))


def test_the_two_ends_of_a_run_at_once(trail, token):
    """START and COMPLETE on their way at the same time: whichever is second sees the other."""
    runs, start, end = [str(uuid.uuid4()) for _ in range(12)], a_time(), a_time(5)

    def send(body: str) -> int:
        return post(trail, token, "/api/v1/lineage", body.encode()).status_code

    bodies = [Serde.to_json(made) for run in runs for made in (
        event(RunState.START, run, when=start, inputs=[InputDataset("db", "at-once-source")]),
        event(RunState.COMPLETE, run, when=end, outputs=[OutputDataset("db", "at-once")]))]
    with ThreadPoolExecutor(max_workers=8) as pool:
        assert set(pool.map(send, bodies)) == {200}
    told = {}
    for made in versions(trail, "db/at-once"):
        told.setdefault(made["version"], []).append("sources" in made)
    assert set(told) == set(runs) and all(any(sources) for sources in told.values())


def test_a_token_for_messages_alone(trail):
    """A grant that covers events and not what follows from them: the event is kept, the client goes on, the trail knows why."""
    made = trail.run("token", "create", "messages", "--trail", trail.dir, "--quiet", "--kinds", "capture")
    assert made.returncode == 0, made.stderr
    token, run = made.stdout.strip(), str(uuid.uuid4())
    until(lambda: trail.knows(token), 10, "the server did not take notice of the token")
    sent = post(trail, token, "/api/v1/lineage", Serde.to_json(event(RunState.COMPLETE, run, outputs=[OutputDataset("db", "not-granted")])).encode())
    assert sent.status_code == 200 and sent.json()["records"] == 1
    assert of_run(trail.search(kind="capture"), run) and not versions(trail, "db/not-granted")


def test_gzip(trail, token):
    """The client's own compression; and a body that is no gzip is refused."""
    config = {"transport": {"type": "http", "url": url_of(trail, token), "compression": "gzip"}}
    client, run = OpenLineageClient(config=config), str(uuid.uuid4())
    client.emit(event(RunState.START, run))
    assert of_run(trail.search(kind="capture"), run)
    body = gzip.compress(Serde.to_json(event(RunState.OTHER, run)).encode())
    assert post(trail, token, "/api/v1/lineage", body, **{"Content-Encoding": "gzip"}).status_code == 200
    assert post(trail, token, "/api/v1/lineage", body[:-9], **{"Content-Encoding": "gzip"}).status_code == 400


def test_bearer_key(trail, token, monkeypatch):
    """The client's other way: OPENLINEAGE_API_KEY beside a URL without userinfo."""
    monkeypatch.setenv("OPENLINEAGE_URL", trail.url)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", token)
    run = str(uuid.uuid4())
    OpenLineageClient().emit(event(RunState.START, run))
    assert of_run(trail.search(kind="capture"), run)


def test_a_wrong_token_is_an_error(trail, monkeypatch):
    """The client is told, at once."""
    monkeypatch.setenv("OPENLINEAGE_URL", url_of(trail, "mltrail-no-such-token"))
    with pytest.raises(requests.HTTPError) as told:
        OpenLineageClient().emit(event(RunState.START, str(uuid.uuid4())))
    assert told.value.response.status_code == 401


def test_batch_with_bad_events(trail, token):
    """Good events are kept, bad ones are named by their index and kept in the record of what was rejected."""
    run = str(uuid.uuid4())
    good = json.loads(Serde.to_json(event(RunState.START, run)))
    end = json.loads(Serde.to_json(event(RunState.COMPLETE, run, outputs=[OutputDataset("db", "batched")])))
    answer = post(trail, token, "/api/v1/lineage/batch", json.dumps([good, {"eventTime": "yesterday"}, end, 7, good]).encode())
    assert answer.status_code == 200
    told = answer.json()
    assert told["status"] == "partial_success"
    assert told["summary"] == {"received": 5, "successful": 3, "failed": 2, "retriable": 0, "non_retriable": 2}
    assert [(failed["index"], failed["retriable"]) for failed in told["failed_events"]] == [(1, False), (3, False)]
    assert versions(trail, "db/batched")[0]["version"] == run
    assert any(item["entry"]["facts"].get("control") == "rejected-input" for item in trail.search(kind="control"))
    whole = post(trail, token, "/api/v1/lineage/batch", json.dumps([good]).encode()).json()
    assert whole["status"] == "success" and whole["failed_events"] == []


def test_a_chain_within_one_batch(trail, token):
    """What a run of a batch made is the input of a later run of the same batch."""
    one, two, now = str(uuid.uuid4()), str(uuid.uuid4()), datetime.now(timezone.utc)
    at = [(now + timedelta(seconds=i)).isoformat() for i in range(4)]
    events = [event(RunState.START, one, when=at[0]), event(RunState.COMPLETE, one, when=at[1], outputs=[OutputDataset("db", "link-1")]),
              event(RunState.START, two, when=at[2], inputs=[InputDataset("db", "link-1")]),
              event(RunState.COMPLETE, two, when=at[3], outputs=[OutputDataset("db", "link-2")])]
    answer = post(trail, token, "/api/v1/lineage/batch", ("[" + ",".join(map(Serde.to_json, events)) + "]").encode())
    assert answer.json()["summary"]["successful"] == 4
    assert versions(trail, "db/link-2")[0]["inputs"] == [{"dataset": "db/link-1", "version": one}]


@pytest.mark.parametrize("body, status, pointer", [
    (b"{", 400, ""), (b"[]", 422, ""), (b'{"eventTime":"2026-01-01T00:00:00Z"}', 422, ""),
    (b'{"eventTime":"2026-01-01T00:00:00","producer":"p","schemaURL":"s","run":{"runId":"r"},"job":{"namespace":"n","name":"j"}}', 422, "/eventTime"),
    (b'{"eventTime":"2026-01-01T00:00:00Z","producer":"p","schemaURL":"s","run":{"runId":"r"},"job":{"namespace":"n"}}', 422, "/job/name"),
])
def test_malformed(trail, token, body, status, pointer):
    """A problem document with the place; nothing that a client would send again."""
    answer = post(trail, token, "/api/v1/lineage", body)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json().get("pointer", "") == pointer


def test_a_server_that_is_away_is_tried_again(trail, client):
    """The client's retries bridge a restart: the event is in the trail although the server was stopped when it was sent."""
    run = str(uuid.uuid4())
    port = trail.port
    assert trail.stop() == 0

    def back() -> None:
        time.sleep(1.0)
        serve = [trail.binary, "serve", trail.dir, "--listen", f"127.0.0.1:{port}", "--port-file", str(trail.port_file)]
        trail.process = subprocess.Popen([*map(str, serve)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    starter = threading.Thread(target=back)
    starter.start()
    client.emit(event(RunState.START, run))
    starter.join(timeout=60)
    trail.url = f"http://127.0.0.1:{port}"
    assert of_run(trail.search(kind="capture"), run)


# --- facets ---


@pytest.mark.parametrize("name, facet", [
    ("mltrail_datasetDigest", facets.dataset_digest("sha256:" + "a" * 64, "bytes of the file", 7)),
    ("mltrail_datasetDigest", facets.dataset_digest("oms:00ff")),
    ("mltrail_datasetDigest", facets.dataset_digest({"oms": "00ff", "dirHash": "11"})),
    ("mltrail_exclusions", facets.exclusions()),
    ("mltrail_exclusions", facets.exclusions(facets.exclusion("age < 18", "minors", 3, "board"))),
    ("mltrail_actor", facets.actor("ana", "manual", "bo", "cy", "di")),
    ("mltrail_dateRange", facets.date_range()),
    ("mltrail_dateRange", facets.date_range("day", "2025-01-01", "2026-01-01", "Europe/Berlin")),
    ("mltrail_datasetRole", facets.dataset_role("validation")),
    ("mltrail_metrics", facets.metrics(auc=0.9)),
])
def test_facets_follow_their_schemas(name, facet):
    """What the helpers make is what the published schemas say."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(facet, schema)
    assert facet["_schemaURL"] == schema["$id"]


@pytest.mark.parametrize("name, facet", [
    ("mltrail_datasetDigest", {**facets.dataset_digest("sha256:" + "a" * 64), "value": "zz"}),
    ("mltrail_exclusions", {"_producer": "urn:x", "_schemaURL": "urn:y"}),
    ("mltrail_exclusions", facets.exclusions({"condition": "a"})),
    ("mltrail_actor", {**facets.actor("ana"), "trigger": "whim"}),
    ("mltrail_datasetRole", {**facets.dataset_role("test"), "role": "toy"}),
])
def test_schemas_refuse(name, facet):
    """A schema that takes everything would say nothing."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(facet, json.loads((SCHEMAS / f"{name}.json").read_text()))


def test_every_schema_has_its_helper():
    assert {path.stem for path in SCHEMAS.glob("*.json")} == {"mltrail_datasetDigest", "mltrail_exclusions", "mltrail_actor",
                                                              "mltrail_dateRange", "mltrail_datasetRole", "mltrail_metrics"}
