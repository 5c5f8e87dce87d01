"""The client against the real server."""
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import mltrail

BINARY = Path(os.environ.get("MLTRAIL_BIN", Path(__file__).resolve().parents[3] / "build" / "mltrail"))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A served trail: its URL, its directory, its admin token's file."""
    if not os.access(BINARY, os.X_OK):
        pytest.skip(f"{BINARY} is not built")
    folder = tmp_path_factory.mktemp("served") / "trail"
    subprocess.run([BINARY, "init", folder, "--origin", "sdk.example/log"], check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([BINARY, "serve", folder, "--listen", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(url + "/readyz", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, server.stderr.read()
                time.sleep(0.05)
        yield url, folder, Path(str(folder) + ".state") / "admin.token"
    finally:
        server.terminate()
        server.wait(20)
        server.stderr.close()


@pytest.fixture()
def trail(served):
    with mltrail.Trail(served[0], token_file=served[2]) as client:
        yield client


def test_a_repeated_record_gets_its_first_receipt(trail):
    members = dict(model="m", model_version="1", feature_values={"a": 1}, prediction=0.5, serving_node="n",
                   timestamp=mltrail.now())
    first = trail.log_prediction("sdk-1", **members)
    again = trail.log_prediction("sdk-1", **members)
    assert not first.duplicate and again.duplicate
    assert (again.index, again.leaf) == (first.index, first.leaf)
    assert first.head.origin == "sdk.example/log" and first.index < first.tree_size == first.head.size


def test_every_kind_is_accepted(trail):
    receipts = [
        trail.log_dataset_version("d", "1", hash="sha256:" + "a" * 64, sources=[], transformations=[], exclusions=[],
                                  created_by="x"),
        trail.log_training_run("job-1", datasets=[{"role": "train", "dataset": "d", "version": "1"}],
                               git_commit="c" * 40, hyperparameters={"a": 1}, metrics={"auc": 0.9}, triggered_by="x"),
        trail.log_model_version("m", "1", model_artifact_hash={"dirHash": "b" * 64}, training_job_id="job-1",
                                registered_by="x"),
        trail.log_approval("A-1", "m", "1", "approved", "officer", model_artifact_hash={"dirHash": "b" * 64},
                           reason="good"),
        trail.log_transition("m", "1", "production", from_stage="none", performed_by="x", reason="y",
                             approval_reference="A-1"),
        trail.log_access("read", "training_data", "d/1", principal="x", source={"address": "::1"}, outcome="allowed"),
        trail.log("x-note", anything={"goes": [1, 2]}),
    ]
    indexes = [receipt.index for receipt in receipts]
    assert indexes == sorted(indexes) and len(set(indexes)) == len(indexes)


def test_a_wrong_member_is_named_with_its_pointer(trail):
    with pytest.raises(mltrail.RecordRejected) as caught:
        trail.log("prediction", request_id=7, timestamp=mltrail.now())
    assert caught.value.pointer == "/request_id" and caught.value.code and "string" in caught.value.detail


def test_a_batch_keeps_its_good_lines_and_reports_the_bad_one(trail):
    records = [{"kind": "prediction", "request_id": f"b-{n}", "timestamp": mltrail.now(), "prediction": n}
               for n in range(2500)]
    records[1700] = {"kind": "prediction", "timestamp": mltrail.now()}
    with pytest.raises(mltrail.BatchRejected) as caught:
        trail.log_batch(records)
    receipt = caught.value.receipt
    assert (receipt.accepted, receipt.rejected) == (2499, 1)
    assert [(problem.line, problem.pointer) for problem in receipt.problems] == [(1701, "/request_id")]
    assert len(receipt.receipts) == 2499
    assert trail.log_batch([]).accepted == 0
    only_bad = trail.log_batch([{"kind": "prediction"}], check=False)
    assert only_bad.rejected == 1 and only_bad.accepted == 0


def test_a_dossier_comes_back_and_an_unknown_request_is_not_found(trail):
    trail.log_prediction("name/with # and ä", model="m", prediction=1)
    assert trail.report("name/with # and ä")["request_id"] == "name/with # and ä"
    with pytest.raises(mltrail.NotFound):
        trail.report("nobody")


def test_search_goes_through_all_pages(trail):
    trail.log_batch([{"kind": "prediction", "request_id": f"s-{n}", "timestamp": mltrail.now(), "model": "paged"}
                     for n in range(25)])
    found = list(trail.search(kind="prediction", model="paged", limit=10))
    assert len(found) == 25


def test_a_wrong_token_is_not_allowed(served):
    with pytest.raises(mltrail.NotAllowed):
        mltrail.Trail(served[0], token="mlt_" + "A" * 43).log_prediction("r")


def test_the_local_socket_needs_no_token(served):
    with mltrail.Trail(f"unix://{served[1]}/sock") as local:
        assert local.log_prediction("over-the-socket", prediction=1).index >= 0


def test_a_process_that_ends_leaves_its_final_tally(served, trail):
    program = ("import mltrail, sys\n"
               "stream = mltrail.PredictionStream(mltrail.Trail(sys.argv[1], token_file=sys.argv[2]), 'node-x')\n"
               "for n in range(3): stream.log(f'exit-{n}', prediction=n)\n")
    subprocess.run([sys.executable, "-c", program, served[0], str(served[2])], check=True,
                   cwd=Path(__file__).resolve().parents[1])
    tallies = [item for item in trail.search(kind="tally") if "node-x" in json.dumps(item)]
    assert len(tallies) == 1 and '"count": 3' in json.dumps(tallies[0]) and '"final": true' in json.dumps(tallies[0])
