"""Bodies that come compressed, and tokens that come as a password: clients that were not written for us."""
from __future__ import annotations

import base64
import gzip
import json

import pytest

from api_server import prediction, token_of

JSON = {"Content-Type": "application/json"}
GZIP = {**JSON, "Content-Encoding": "gzip"}
MIB = 1024 * 1024


def packed(record: dict) -> bytes:
    return gzip.compress(json.dumps(record).encode())


def test_a_gzip_body_is_the_same_record(server):
    record = prediction("gz-1")
    assert server.ask("POST", "/v1/records", packed(record), headers=GZIP).status == 201
    assert server.append(record).status == 200  # a duplicate: the bytes within are what counts


def test_several_gzip_members_are_one_body(server):
    text = json.dumps(prediction("gz-2")).encode()
    parts = b"".join(gzip.compress(text[i:i + 10]) for i in range(0, len(text), 10))
    assert server.ask("POST", "/v1/records", parts, headers=GZIP).status == 201


@pytest.mark.parametrize("body, says", [
    (b"\x1f\x8b", "midst"),
    (packed(prediction("gz-3"))[:-9], "midst"),
    (json.dumps(prediction("gz-3")).encode(), "not gzip"),
    (packed(prediction("gz-3")) + b"more", "not gzip"),
    (packed(prediction("gz-3"))[:-8] + b"\0" * 8, "not gzip"),
])
def test_what_is_no_whole_gzip_is_400(server, body, says):
    answer = server.ask("POST", "/v1/records", body, headers=GZIP)
    assert answer.status == 400 and answer.code == "bad-encoding" and says in answer.json()["detail"]
    assert server.get("/v1/predictions/gz-3").json()["total"] == 0 if server.get("/v1/predictions/gz-3").status == 200 else True


def test_a_body_that_unpacks_beyond_the_limit_is_413(server):
    bomb = gzip.compress(b" " * (40 * MIB), 9)
    assert len(bomb) < MIB
    answer = server.ask("POST", "/v1/records", bomb, headers=GZIP)
    assert answer.status == 413 and answer.code == "body-too-large"
    assert server.append(prediction("gz-after-the-bomb")).status == 201


def test_many_bombs_leave_the_server_as_it_was(server):
    bomb = gzip.compress(b" " * (40 * MIB), 1)
    for _ in range(12):  # together more than all bodies may have, were they not given back
        assert server.ask("POST", "/v1/records", bomb, headers=GZIP).status == 413
    assert server.append(prediction("gz-after-many-bombs")).status == 201


def basic(user: str, password: str) -> dict:
    return {**JSON, "Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("user", ["x", "", "somebody@example.com"])
def test_a_token_may_come_as_the_password(server, user):
    answer = server.ask("GET", "/v1/records?limit=1", who=None, headers=basic(user, token_of("admin")))
    assert answer.status == 200


@pytest.mark.parametrize("headers", [
    basic("x", "wrong"),
    basic(token_of("admin"), ""),
    {"Authorization": "Basic " + base64.b64encode(token_of("admin").encode()).decode()},
    {"Authorization": "Basic !!!"},
    {"Authorization": "Basic " + "QUFB" * 2000},
    {"Authorization": "Negotiate " + token_of("admin")},
])
def test_other_passwords_are_401(server, headers):
    answer = server.ask("GET", "/v1/records", who=None, headers=headers)
    assert answer.status == 401 and answer.code == "bad-token"
