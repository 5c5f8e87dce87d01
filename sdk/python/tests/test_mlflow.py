"""The parts of the MLflow wrapper that need no MLflow. tests/integrations/test_mlflow_wrapper.py has the real one."""
from __future__ import annotations

import asyncio
import base64
import json

import pytest

import mltrail.mlflow
from mltrail import spool
from mltrail.mlflow import settings as settings_module
from mltrail.mlflow.delivery import TALLY_ROOM, Delivery, NotInTrail
from mltrail.mlflow.redact import REDACTED, request_members
from mltrail.mlflow.routes import route_of
from mltrail.mlflow.settings import SettingsError, from_environment
from mltrail.mlflow.visit import EXCHANGE_MAX, Visit, said
from mltrail.mlflow.wrapper import HELD_MAX, Recorder

URL = {"MLTRAIL_URL": "http://127.0.0.1:1", "HOME": "/nowhere", "MLTRAIL_MLFLOW_SERVER": "registry"}


class Told:
    """Where exchanges go in these tests."""

    def __init__(self, refuses: bool = False):
        self.exchanges, self.refuses = [], refuses

    def open(self) -> None:
        pass

    def keep(self, exchange: bytes) -> None:
        self.exchanges.append(json.loads(exchange))

    def confirm(self, exchange: bytes) -> None:
        if self.refuses:
            raise NotInTrail("nobody answers")
        self.keep(exchange)

    def close(self) -> None:
        pass


def answering(*bodies: bytes, status: int = 200, length: bool = True, seen: list | None = None, state: dict | None = None):
    """An ASGI application that reads what it is sent and answers `bodies`."""
    async def app(scope, receive, send):
        message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            if seen is not None:
                seen.append(message.get("body"))
        scope["state"].update(state or {})
        headers = [(b"content-type", b"application/json")]
        if length:
            headers.append((b"content-length", str(sum(map(len, bodies))).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for body in bodies:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    return app


def visit(app, told, method="GET", path="/api/2.0/mlflow/runs/get", body=b"", headers=(), env=None, on_send=None, query=b""):
    """One request through the wrapper; what its client got."""
    sent, parts = [], [body[:10], body[10:]] if len(body) > 10 else [body]

    async def receive():
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message):
        sent.append(message)
        if on_send:
            on_send(message)

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query,
             "client": ("192.0.2.7", 4711), "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers]}
    recorder = Recorder(app, from_environment({**URL, **(env or {})}), told)
    asyncio.run(recorder(scope, receive, send))
    return sent


def basic(user: str, password: str = "secret") -> tuple:
    return ("authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


# What happens when --------------------------------------------------------------------------------------------


def test_a_short_answer_leaves_when_it_is_recorded():
    told = Told()
    visit(answering(b'{"run":', b"{}}"), told, on_send=lambda message: told.exchanges[0]["status"])
    assert [(one["status"], one["bytes"], one.get("phase")) for one in told.exchanges] == [(200, 10, None)]


def test_a_long_answer_is_announced_before_its_first_byte_and_not_kept_back():
    told, held = Told(), []
    sent = visit(answering(b"x" * HELD_MAX, b"y"), told, path="/api/2.0/mlflow-artifacts/artifacts/1/model.pkl",
                 on_send=lambda message: held.append([one["phase"] for one in told.exchanges]))
    assert held[:3] == [["begin"]] * 3, "start and both parts pass while the request goes on"
    assert [one["phase"] for one in told.exchanges] == ["begin", "end"]
    assert told.exchanges[0]["exchange"] == told.exchanges[1]["exchange"]
    assert told.exchanges[1]["bytes"] == HELD_MAX + 1
    assert b"".join(message.get("body", b"") for message in sent) == b"x" * HELD_MAX + b"y"


def test_an_answer_of_unknown_length_is_announced():
    told = Told()
    visit(answering(b"{}", length=False), told)
    assert [one["phase"] for one in told.exchanges] == ["begin", "end"]


def test_an_application_that_raises_is_recorded_as_an_error():
    async def broken(scope, receive, send):
        raise ValueError("no")
    told = Told()
    with pytest.raises(ValueError):
        visit(broken, told)
    assert (told.exchanges[0]["status"], told.exchanges[0]["error"]) == (500, "ValueError: no")


def test_an_upload_passes_part_by_part_and_its_bytes_are_counted():
    told, seen = Told(), []
    visit(answering(b"", seen=seen), told, "PUT", "/api/2.0/mlflow-artifacts/artifacts/1/a", b"0123456789abcdef")
    assert seen == [b"0123456789", b"abcdef"]
    assert told.exchanges[0]["bytes"] == 16 and "request" not in told.exchanges[0]


@pytest.mark.parametrize("path", ["/", "/health", "/version", "/static-files/static/js/main.js", "/api/3.0/mlflow/server-info"])
def test_the_program_itself_is_recorded_only_when_it_is_refused(path):
    told = Told()
    visit(answering(b"x"), told, path=path)
    assert told.exchanges == []
    visit(answering(b"x", status=401), told, path=path)
    assert told.exchanges[0]["status"] == 401


def test_a_request_that_fails_closed_reaches_mlflow_only_when_the_trail_has_it():
    told, seen = Told(), []
    body = b'{"name": "credit", "alias": "champion", "version": "3"}'
    visit(answering(b"{}", seen=seen), told, "POST", "/api/2.0/mlflow/registered-models/alias", body,
          env={"MLTRAIL_MLFLOW_ON_FAILURE": "closed"})
    assert b"".join(seen) == body
    assert [one["phase"] for one in told.exchanges] == ["begin", "end"]
    assert told.exchanges[0]["request"] == {"name": "credit", "alias": "champion", "version": "3"}


def test_a_change_is_refused_when_the_trail_does_not_take_it_and_a_read_is_not():
    told, seen = Told(refuses=True), []
    env = {"MLTRAIL_MLFLOW_ON_FAILURE": "closed"}
    sent = visit(answering(b"{}", seen=seen), told, "DELETE", "/api/2.0/mlflow/registered-models/alias", env=env)
    assert seen == [] and sent[0]["status"] == 503
    assert json.loads(sent[1]["body"])["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert told.exchanges[0]["status"] == 503 and "nobody answers" in told.exchanges[0]["error"]
    assert visit(answering(b"{}"), told, env=env)[0]["status"] == 200
    closed_all = {"MLTRAIL_MLFLOW_ON_FAILURE": "closed-all", "MLTRAIL_MLFLOW_REFUSAL_STATUS": "424"}
    assert visit(answering(b"{}"), told, env=closed_all)[0]["status"] == 424


# Who ---------------------------------------------------------------------------------------------------------


def test_the_user_that_mlflow_authenticated_is_the_principal():
    told = Told()
    visit(answering(b"", state={"username": "alice"}), told, headers=[basic("alice")])
    assert (told.exchanges[0]["principal"], told.exchanges[0]["auth"]) == ("alice", "basic")
    assert "claimed_user" not in told.exchanges[0]
    assert "secret" not in json.dumps(told.exchanges)


def test_a_user_whom_nobody_authenticated_is_claimed():
    told = Told()
    visit(answering(b"", status=401), told, headers=[basic("mallory")])
    assert (told.exchanges[0].get("principal"), told.exchanges[0]["claimed_user"]) == (None, "mallory")


def test_both_parts_of_an_exchange_claim_the_same():
    told = Told()
    body = b'{"experiment_id": "1", "user_id": "root"}'
    for path, sent in (("runs/create", body), ("runs/update", b"{}")):
        visit(answering(b"{}", state={"username": "alice"}), told, "POST", "/api/2.0/mlflow/" + path, sent, headers=[basic("alice")],
              env={"MLTRAIL_MLFLOW_ON_FAILURE": "closed"})
    assert [(one["phase"], one.get("principal"), one["claimed_user"]) for one in told.exchanges] == [
        ("begin", None, "root"), ("end", "alice", "root"), ("begin", None, "alice"), ("end", "alice", "alice")]


def test_what_a_full_spool_loses_is_told_to_the_trail(tmp_path):
    """The spool has no room for an exchange, and some for saying so."""
    with open(tmp_path / "1-00112233aabb.00000001.seg", "wb") as other:
        other.truncate(spool.SPOOL_MAX - 3 * TALLY_ROOM)
    delivery = Delivery(from_environment({"MLTRAIL_SPOOL_DIR": str(tmp_path), "MLTRAIL_MLFLOW_SERVER": "registry"}))
    delivery.keep(b'{"fits":1}')
    for _ in range(3):
        delivery.keep(b'{"big":"%b"}' % (b"x" * 2 * TALLY_ROOM))
    delivery.close()
    (stream,) = (name for name in spool.streams_in(tmp_path) if not name.startswith("1-"))
    frames = spool.read_batch(spool.StreamFiles(tmp_path, stream), spool.Position(1, 0, 1), 1, -1, 1, 1 << 20)
    assert [frame.type for frame in frames.frames] == [spool.REQUEST]
    rest = spool.read_batch(spool.StreamFiles(tmp_path, stream), frames.end, 1, -1, 100, 1 << 20).frames
    told = [json.loads(frame.body) for frame in rest]
    assert [(one["kind"], one["counted"], one["source"], one["count"], one["lost"]) for one in told] == \
        [("tally", "access", "registry", 2, 1), ("tally", "access", "registry", 4, 3)], "the first at once, the rest at the end"
    assert {one["scope"]["stream"] for one in told} == {stream} and not any("final" in one for one in told)


def test_strangers_do_not_fill_the_spool_with_what_they_send():
    told, body = Told(), json.dumps({"run_id": "r", "key": "k", "value": "x" * 5000}).encode()
    visit(answering(b"{}"), told, "POST", "/api/2.0/mlflow/runs/set-tag", body)
    visit(answering(b"", status=401), told, "POST", "/api/2.0/mlflow/runs/set-tag", body)
    assert ["request" in one for one in told.exchanges] == [True, False]


def test_a_header_names_the_user_only_where_its_sender_is_trusted():
    told, headers = Told(), [("x-forwarded-user", "carol")]
    env = {"MLTRAIL_MLFLOW_USER_HEADER": "X-Forwarded-User"}
    visit(answering(b""), told, headers=headers, env=env)
    visit(answering(b""), told, headers=headers, env={**env, "MLTRAIL_MLFLOW_TRUSTED_PROXIES": "192.0.2.0/24"})
    assert [(one.get("principal"), one.get("claimed_user"), one["auth"]) for one in told.exchanges] == [
        (None, "carol", "none"), ("carol", None, "header")]


def test_the_user_in_a_new_run_is_no_more_than_claimed():
    told = Told()
    visit(answering(b"{}"), told, "POST", "/api/2.0/mlflow/runs/create", b'{"experiment_id": "1", "user_id": "root"}')
    assert told.exchanges[0]["claimed_user"] == "root"


# What is kept --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path, name", [
    ("/api/2.0/mlflow/model-versions/create", "model-versions/create"),
    ("/ajax-api/2.0/mlflow/model-versions/create", "model-versions/create"),
    ("/registry/ajax-api/3.0/mlflow/model-versions/create", "model-versions/create"),
    ("/api/2.0/mlflow-artifacts/artifacts/1/api/2.0/mlflow/runs/create", "artifact/artifacts/1/api/2.0/mlflow/runs/create"),
    ("/registry/graphql", "graphql"),
    ("/v1/traces", "/v1/traces"),
])
def test_a_route_is_known_by_what_follows_the_prefix(path, name):
    assert route_of("POST", path, "/registry").name == name


@pytest.mark.parametrize("method, path, changes", [
    ("POST", "/api/2.0/mlflow/runs/search", False),
    ("POST", "/graphql", False),
    ("GET", "/api/2.0/mlflow/runs/get", False),
    ("POST", "/api/2.0/mlflow/runs/create", True),
    ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/search", True),
    ("POST", "/api/3.0/mlflow/something/new", True),
    ("POST", "/api/3.0/mlflow/traces/metrics", False),
])
def test_what_is_not_known_as_a_read_changes_something(method, path, changes):
    assert route_of(method, path).changes is changes


def test_the_static_prefix_does_not_make_a_program_of_an_artifact():
    assert route_of("GET", "/registry/static-files/main.js", "/registry").program
    assert not route_of("GET", "/api/2.0/mlflow-artifacts/artifacts/1/static-files/main.js").program
    assert not route_of("GET", "/api/2.0/mlflow-artifacts/artifacts/health").program


@pytest.mark.parametrize("name", ["gateway/secrets/create", "datasets/d-1/records", "traces", "scorers/register", "webhooks"])
def test_bodies_that_may_hold_secrets_or_data_are_not_kept(name):
    assert not route_of("POST", "/api/3.0/mlflow/" + name).keeps_request


def test_passwords_never_leave():
    kept = request_members("users/create", b'{"username": "bob", "password": "hunter2hunter2"}')
    assert kept == {"username": "bob"}
    kept = request_members("registered-models/create", b'{"name": "m", "tags": [{"key": "k", "secret": "s"}]}')
    assert kept == {"name": "m", "tags": [{"key": "k", "secret": REDACTED}]}


def test_measurements_are_counted_and_not_copied():
    kept = request_members("runs/log-batch", b'{"run_id": "r", "metrics": [{"key": "a"}, {"key": "b"}]}')
    assert kept == {"run_id": "r", "metrics": "2 of them"}


def test_an_exchange_has_a_largest_size():
    scope = {"path": "/", "headers": [], "query_string": b"", "client": None}
    big = Visit(scope, route_of("POST", "/api/2.0/mlflow/model-versions/create"), from_environment(URL))
    big.extra["run"] = {"data": "x" * EXCHANGE_MAX}
    big.extra["artifact"] = {"hash": {"oms": "a"}, "manifest": []}
    told = json.loads(big.end())
    assert "run" not in told and told["artifact"] == {"hash": {"oms": "a"}} and told["shortened"] is True


def test_a_reason_is_read_as_it_was_said():
    assert said("gepr%C3%BCft, 100% sicher") == "geprüft, 100% sicher"
    assert said("geprüft".encode().decode("latin-1")) == "geprüft"
    assert said("") is None


# Settings and the client's side ---------------------------------------------------------------------------------


@pytest.mark.parametrize("env, says", [
    ({}, "MLTRAIL_URL is not set"),
    ({**URL, "MLTRAIL_MLFLOW_ON_FAILURE": "maybe"}, "want one of open, closed, closed-all"),
    ({"MLTRAIL_SPOOL_DIR": "/s", "MLTRAIL_MLFLOW_ON_FAILURE": "closed"}, "needs MLTRAIL_URL"),
    ({**URL, "MLTRAIL_MLFLOW_TRUSTED_PROXIES": "here"}, "want addresses or networks"),
    ({**URL, "MLTRAIL_MLFLOW_TIMEOUT_S": "-1"}, "want seconds"),
    ({**URL, "MLTRAIL_TOKEN_FILE": "/no/such"}, "want a file with the token"),
    ({**URL, "MLTRAIL_MLFLOW_USER_HEADER": "a b"}, "want the name of a header"),
])
def test_a_setting_that_means_nothing_is_named(env, says):
    with pytest.raises(SettingsError, match=says):
        from_environment(env)


def test_because_holds_within_its_block_and_before_the_environment(monkeypatch):
    monkeypatch.setenv("MLTRAIL_REASON", "nightly")
    assert mltrail.mlflow.said_here() == {"reason": "nightly"}
    with mltrail.mlflow.because("reviewed", approval_reference="CAB-7"):
        with mltrail.mlflow.because(purpose="release"):
            assert mltrail.mlflow.said_here() == {"reason": "reviewed", "approval_reference": "CAB-7", "purpose": "release"}
    assert mltrail.mlflow.said_here() == {"reason": "nightly"}


def test_a_model_is_hashed_without_what_a_download_adds(tmp_path):
    (tmp_path / "MLmodel").write_text("x")
    before = mltrail.mlflow.hash_model(tmp_path).digests
    (tmp_path / "registered_model_meta").write_text("y")
    assert mltrail.mlflow.hash_model(tmp_path).digests == before


def test_every_choice_is_listed_first_with_its_default():
    assert settings_module.ON_FAILURE[0] == "open" and settings_module.ARTIFACT_HASH[0] == "on"
