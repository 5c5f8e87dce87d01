"""What is captured of a prediction, read back from the spool; there is no server in these tests."""
from __future__ import annotations

import asyncio
import inspect
import json
import logging
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mltrail
from mltrail import spool
from mltrail.predictions import captured

NOWHERE = "http://127.0.0.1:1"


class Spooled:
    """A trail whose server is away, and the records that wait for it."""

    def __init__(self, folder, **how):
        self.folder = folder
        self.trail = mltrail.Trail(NOWHERE, spool_dir=folder, serving_node="n", exit_timeout=0, **how)

    def records(self):
        writer = self.trail.sink.writer
        if writer is None:
            return []
        frames = spool.read_batch(writer.files, spool.Position(1, 0, 1), 1, -1, 10_000, 1 << 30).frames
        return [json.loads(frame.body) for frame in frames]

    def record(self):
        record, = self.records()
        return record


@pytest.fixture()
def spooled(tmp_path):
    made = Spooled(tmp_path / "spool")
    yield made
    made.trail.close()


def test_arguments_become_features_by_their_names(spooled):
    @spooled.trail.predictions(model="credit", version="7", deployment={"environment": "test"}, threshold_version="2")
    def score(age, income=1000.5, *, region="eu"):
        """Scores."""
        return {"risk": 0.2}

    assert score(61, region="us") == {"risk": 0.2}
    record = spooled.record()
    assert record["feature_values"] == {"age": 61, "income": 1000.5, "region": "us"}
    assert record["prediction"] == {"risk": 0.2} and record["status"] == "ok" and record["latency_ms"] >= 0
    assert (record["model"], record["model_version"], record["threshold_version"]) == ("credit", "7", "2")
    assert record["deployment"] == {"environment": "test"} and len(record["request_id"]) == 32
    assert (record["kind"], record["serving_node"], record["sequence"]) == ("prediction", "n", 1)
    assert record["stream"] == spooled.trail.sink.stream and record["timestamp"].endswith("Z")
    assert score.__name__ == "score" and score.__doc__ == "Scores."
    assert list(inspect.signature(score).parameters) == ["age", "income", "region"]


def test_methods_variable_arguments_and_single_mappings(spooled):
    recorder = spooled.trail.predictions(model="m")

    class Model:
        @recorder
        def predict(self, features):
            return len(features)

        @recorder
        def other(self, first, *rest, **named):
            return 1

    assert Model().predict({"a": 1, "b": 2}) == 2
    assert Model().other(1, 2, 3, x=4) == 1
    recorder(Model().predict)  # a bound method: not called
    assert [r["feature_values"] for r in spooled.records()] == [{"a": 1, "b": 2}, {"first": 1, "rest": [2, 3], "x": 4}]


def test_identifiers_and_subjects_are_taken_from_arguments(spooled):
    @spooled.trail.predictions(model="m", request_id_from="rid", subject_from="customer")
    def score(age, rid=None, customer=None):
        return 1

    score(1, rid="r-1", customer=4711)
    score(2)
    first, second = spooled.records()
    assert (first["request_id"], first["subject"], first["feature_values"]) == ("r-1", "4711", {"age": 1})
    assert len(second["request_id"]) == 32 and "subject" not in second


def test_a_request_gives_its_identifier_and_counts_the_rows(spooled):
    @spooled.trail.predictions(model="m")
    def score(age):
        return mltrail.current_request_id()

    with mltrail.request("r-9") as id:
        assert id == "r-9" and [score(1), score(2), score(3)] == ["r-9"] * 3
    assert mltrail.current_request_id() is None
    assert [(r["request_id"], r.get("row")) for r in spooled.records()] == [("r-9", None), ("r-9", 1), ("r-9", 2)]


def test_a_request_follows_await_and_tasks_and_no_others(spooled):
    @spooled.trail.predictions(model="m")
    async def score(age):
        await asyncio.sleep(0)
        return age

    async def serve(n):
        with mltrail.request(f"r-{n}"):
            await asyncio.gather(score(n), score(n))

    async def main():
        await asyncio.gather(*(serve(n) for n in range(3)))

    asyncio.run(main())
    assert inspect.iscoroutinefunction(score)
    assert sorted((r["request_id"], r.get("row", 0)) for r in spooled.records()) == \
        [(f"r-{n}", row) for n in range(3) for row in (0, 1)]


def test_select_and_redact(spooled):
    recorder = spooled.trail.predictions(model="m", select=["age", "name", "zip"], redact={"name": None, "zip": lambda z: z[:2]})

    @recorder
    def score(age, name, zip, secret):
        return 1

    score(61, "Ada", "10115", "x")
    recorder.log("r", features={"name": "Eve", "other": 1}, prediction=1)
    assert [r["feature_values"] for r in spooled.records()] == \
        [{"age": 61, "name": "[redacted]", "zip": "10"}, {"name": "[redacted]"}]
    assert "Ada" not in json.dumps(spooled.records())


def test_features_without_names_are_not_shown_where_some_must_not_be(spooled):
    recorder = spooled.trail.predictions(model="m", redact=["name"])
    recorder.log("r", features=[1, 2], prediction=1)
    assert "omitted" in spooled.record()["feature_values"]


def test_an_exception_is_recorded_and_raised(spooled):
    @spooled.trail.predictions(model="m")
    def score(age):
        raise ZeroDivisionError("by zero")

    @spooled.trail.predictions(model="m")
    def late(age):
        raise TimeoutError("late")

    with pytest.raises(ZeroDivisionError):
        score(1)
    with pytest.raises(TimeoutError):
        late(1)
    with pytest.raises(TypeError):
        score()
    first, second, third = spooled.records()
    assert first["status"] == "error" and first["error"] == {"type": "ZeroDivisionError", "message": "by zero"}
    assert first["feature_values"] == {"age": 1} and "prediction" not in first
    assert second["status"] == "timeout" and third["error"]["type"] == "TypeError"


def test_generators_are_recorded_at_their_end(spooled):
    recorder = spooled.trail.predictions(model="llm")

    @recorder
    def stream(prompt):
        got = yield "Hel"
        yield "lo" if got is None else got
        return 7

    assert list(stream("p")) == ["Hel", "lo"]
    talk = stream("q")
    assert next(talk) == "Hel" and talk.send("!") == "!"
    with pytest.raises(StopIteration) as ended:
        next(talk)
    assert ended.value.value == 7
    early = stream("e")
    next(early)
    early.close()

    @recorder
    def broken(prompt):
        yield 1
        raise ValueError("x")

    with pytest.raises(ValueError):
        list(broken("b"))
    whole, sent, cut, failed = spooled.records()
    assert (whole["prediction"], whole["chunks"], whole["status"]) == ("Hello", 2, "ok")
    assert sent["prediction"] == "Hel!" and sent["feature_values"] == {"prompt": "q"}
    assert (cut["prediction"], cut["ended_early"]) == ("Hel", True)
    assert failed["status"] == "error"


def test_asynchronous_generators(spooled):
    @spooled.trail.predictions(model="llm")
    async def stream(prompt):
        for part in ("a", "b"):
            await asyncio.sleep(0)
            yield part

    async def main():
        assert [part async for part in stream("p")] == ["a", "b"]
        async for _ in stream("q"):
            break

    assert inspect.isasyncgenfunction(stream)
    asyncio.run(main())
    assert [(r["prediction"], r.get("ended_early")) for r in spooled.records()] == [("ab", None), ("a", True)]


def test_batches_become_a_record_for_each_row(spooled):
    recorder = spooled.trail.predictions(model="m")

    @recorder
    def predict(X):
        return [sum(row) for row in X]

    @recorder
    def predict_one(X):
        return sum(X)

    assert predict([[1, 2], [3, 4]]) == [3, 7]
    assert predict_one([1, 2]) == 3
    first, second, single = spooled.records()
    assert [(r["row"], r["feature_values"], r["prediction"]) for r in (first, second)] == [(0, [1, 2], 3), (1, [3, 4], 7)]
    assert first["batch_id"] == second["batch_id"] and first["request_id"] == second["request_id"]
    assert [first["sequence"], second["sequence"]] == [1, 2]
    assert single["feature_values"] == {"X": [1, 2]} and "row" not in single


def test_what_is_a_batch_can_be_said(spooled):
    @spooled.trail.predictions(model="m", rows="texts")
    def embed(texts, size):
        return [len(text) for text in texts]

    @spooled.trail.predictions(model="m", rows=False)
    def whole(X):
        return [1, 2]

    @spooled.trail.predictions(model="m", rows=True)
    def forced(X):
        return [1, 2]

    embed(["a", "bb"], 3)
    whole([[1], [2]])
    forced(["x", "y"])
    assert [(r.get("row"), r["feature_values"], r["prediction"]) for r in spooled.records()] == \
        [(0, "a", 1), (1, "bb", 2), (None, {"X": [[1], [2]]}, [1, 2]), (0, "x", 1), (1, "y", 2)]
    with pytest.raises(ValueError, match="no such argument"):
        spooled.trail.predictions(model="m", rows="nope")(embed)


def test_frames_and_arrays(spooled):
    numpy = pytest.importorskip("numpy")
    pandas = pytest.importorskip("pandas")
    recorder = spooled.trail.predictions(model="m", redact=["name"])

    @recorder
    def predict(X):
        return numpy.asarray([0.5, float("nan")])

    plain = spooled.trail.predictions(model="m")

    @plain
    def score(x):
        return numpy.float32(0.25)

    predict(pandas.DataFrame({"age": numpy.array([1, 2]), "name": ["Ada", "Eve"]}))
    plain(lambda X: X.sum(axis=1))(numpy.array([[1, 2], [3, 4]]))
    score(pandas.Series({"a": 1, "b": 2.5}))
    score(numpy.array([1, 2]))
    records = spooled.records()
    assert [(r["row"], r["feature_values"], r["prediction"]) for r in records[:2]] == \
        [(0, {"age": 1, "name": "[redacted]"}, 0.5), (1, {"age": 2, "name": "[redacted]"}, "NaN")]
    assert [(r["row"], r["feature_values"], r["prediction"]) for r in records[2:4]] == [(0, [1, 2], 3), (1, [3, 4], 7)]
    assert records[4]["feature_values"] == {"a": 1, "b": 2.5} and records[4]["prediction"] == 0.25
    assert records[5]["feature_values"] == {"x": [1, 2]}


def test_features_output_and_extra_are_functions_of_ones_own(spooled):
    @spooled.trail.predictions(model="m", features=lambda a: {"n": a["x"] * 2}, output=lambda r: r["label"],
                               extra=lambda r: {"confidence": r["p"]})
    def score(x):
        return {"label": "yes", "p": 0.75}

    score(4)
    record = spooled.record()
    assert (record["feature_values"], record["prediction"], record["confidence"]) == ({"n": 8}, "yes", 0.75)


def test_the_with_block(spooled):
    with spooled.trail.prediction("r-1", model="m", version="2", subject="s") as p:
        p.features(age=61)
        p.features({"income": 2})
        p.output("yes")
        p.set(confidence=0.5)
    with pytest.raises(KeyError):
        with spooled.trail.prediction(model="m", version="2") as q:
            q.features([1, 2])
            raise KeyError("gone")

    async def main():
        async with spooled.trail.prediction("r-3", model="m") as r:
            r.output(1)

    asyncio.run(main())
    first, second, third = spooled.records()
    assert first["feature_values"] == {"age": 61, "income": 2} and first["subject"] == "s" and first["confidence"] == 0.5
    assert p.logged.sequence == 1 and first["request_id"] == p.request_id == "r-1" and first["status"] == "ok"
    assert second["status"] == "error" and second["feature_values"] == [1, 2] and second["request_id"] == q.request_id
    assert third["request_id"] == "r-3" and "model_version" not in third


def test_what_cannot_be_encoded_is_said_and_the_rest_recorded(spooled):
    class Strange:
        def tolist(self):
            raise RuntimeError("no")

    recorder = spooled.trail.predictions(model="m")
    recorder.log("r-1", features={"x": Strange()}, prediction=float("inf"))
    recorder.log("r-2", features="x" * 2_000_000, prediction=1)
    recorder.log("r-\ud800", features={1: 2}, prediction={"a": {3, 1}})
    first, second, third = spooled.records()
    assert "RuntimeError" in first["feature_values"]["unencodable"] and first["prediction"] == "Infinity"
    assert second["feature_values"]["omitted"] == "too large" and second["feature_values"]["bytes"] == 2_000_002
    assert third["feature_values"] == {"1": 2} and third["prediction"] == {"a": [1, 3]}


def test_json_is_what_the_slow_encoder_writes():
    for value in ({"a": 1, "b": [1.5, None, True, "ü\n\u0001\""]}, math.pi, 1e300, -0.0, 10**30, "", [], {}, "\u2028"):
        assert captured(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def test_a_full_spool_does_not_stop_the_inference(tmp_path, caplog):
    made = Spooled(tmp_path / "s", spool_max=spool.SEGMENT_LEAST, block_timeout=0.05)

    @made.trail.predictions(model="m")
    def score(x):
        return len(x)

    for _ in range(20):
        assert score("x" * 10_000) == 10_000
    assert sum("was not recorded" in record.getMessage() for record in caplog.records) == 1
    assert made.trail.sink.writer.lost > 0
    made.trail.close()


def test_a_full_spool_is_the_callers_error_where_that_was_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("MLTRAIL_ON_FULL", "error")
    made = Spooled(tmp_path / "s", spool_max=spool.SEGMENT_LEAST)
    recorder = made.trail.predictions(model="m")
    with pytest.raises(mltrail.SpoolFull):
        for _ in range(20):
            recorder.log("r", features="x" * 10_000)
    made.trail.close()


def test_the_event_loop_does_not_wait_for_a_full_spool(tmp_path):
    made = Spooled(tmp_path / "s", spool_max=spool.SEGMENT_LEAST, block_timeout=0.5)

    @made.trail.predictions(model="m")
    async def score(x):
        return 1

    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.get_running_loop().create_task(tick())
        for _ in range(9):
            await score("x" * 10_000)
        ticking.cancel()
        return ticks

    assert asyncio.run(main()) > 20
    made.trail.close()


def test_disabled_is_nothing_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("MLTRAIL_MODE", "disabled")
    trail = mltrail.Trail(mode="spool", spool_dir=tmp_path / "s")

    @trail.predictions(model="m")
    def score(x):
        return x

    assert score(1) == 1 and trail.flush() and not (tmp_path / "s").exists()
    assert trail.log_prediction("r").index == -1 and trail.log_batch([{"kind": "x-y"}]).accepted == 0
    trail.close()


def test_settings_come_from_the_environment(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="MLTRAIL_URL"):
        mltrail.Trail()
    monkeypatch.setenv("MLTRAIL_URL", NOWHERE)
    monkeypatch.setenv("MLTRAIL_SPOOL_DIR", str(tmp_path / "e"))
    monkeypatch.setenv("MLTRAIL_SERVING_NODE", "n-7")
    trail = mltrail.Trail(exit_timeout=0)
    trail.predictions(model="m").log("r", prediction=1)
    assert trail.mode == "spool" and trail.sink.serving_node == "n-7" and len(os.listdir(tmp_path / "e")) >= 2
    trail.close()
    monkeypatch.setenv("MLTRAIL_MODE", "often")
    with pytest.raises(ValueError, match="want one of spool, sync, fire, disabled"):
        mltrail.Trail()
    monkeypatch.delenv("MLTRAIL_MODE")
    with pytest.raises(ValueError, match="want one of block, error, drop"):
        mltrail.Trail(on_full="burst")
    monkeypatch.delenv("MLTRAIL_SPOOL_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    one, other = mltrail.Trail("http://a:1"), mltrail.Trail("http://a:2")
    assert one.sink.folder != other.sink.folder and str(one.sink.folder).startswith(str(tmp_path / "state"))


def test_predictions_asks_or_records_and_not_both(spooled):
    with pytest.raises(ValueError, match="want one of them"):
        spooled.trail.predictions("r-1", model="m")


def test_a_failure_of_the_audit_is_told_once_and_not_raised(spooled, caplog, monkeypatch):
    @spooled.trail.predictions(model="m", features=lambda a: 1 / 0)
    def score(x):
        return x

    with caplog.at_level(logging.ERROR):
        assert [score(n) for n in range(5)] == [0, 1, 2, 3, 4]
    assert len([r for r in caplog.records if "was not recorded" in r.getMessage()]) == 1


def test_what_is_logged_while_the_process_ends_is_in_a_stream_of_its_own(tmp_path):
    """Whoever registered for the end before the first prediction is called after the stream has ended."""
    program = ("import atexit, mltrail, sys\n"
               "trail = mltrail.Trail('http://127.0.0.1:1', spool_dir=sys.argv[1], exit_timeout=0)\n"
               "recorder = trail.predictions(model='m', version='1')\n"
               "atexit.register(lambda: recorder.log('late', prediction=2))\n"
               "recorder.log('early', prediction=1)\n")
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, timeout=60,
                          cwd=Path(__file__).resolve().parents[1])
    assert done.returncode == 0 and "not recorded" not in done.stderr, done.stderr
    left = [[json.loads(frame.body) for frame in dead.batch(100, 1 << 20).frames] for dead in spool.dead_streams(tmp_path)]
    assert sorted([r.get("request_id", r["kind"]) for r in records] for records in left) == [["early", "tally"], ["late"]]
