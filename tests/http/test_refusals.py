"""What is refused, and that the refusal says what would be right."""
import json

import pytest

from api_server import GRANTS, prediction

DEEP = '{"kind":"prediction","request_id":"d","timestamp":"2026-11-23T10:00:00Z","model":' + "[" * 200 + "]" * 200 + "}"
GOOD = json.dumps(prediction("dup"))
BAD_RECORDS = {
    "empty": (b"", None),
    "not JSON": (b"nope", "not-json"),
    "cut": (b'{"kind":', "not-json"),
    "two values": (b"{} {}", None),
    "an array": (b"[]", None),
    "invalid UTF-8": (b'{"kind":"prediction","request_id":"\xff"}', None),
    "a lone surrogate": (b'{"kind":"prediction","request_id":"\\ud800"}', None),
    "a byte order mark": (b"\xef\xbb\xbf{}", None),
    "deep nesting": (DEEP.encode(), None),
    "a member twice": ((GOOD[:-1] + ',"model":"b"}').encode(), None),
    "a member twice, escaped": ((GOOD[:-1] + ',"\\u006dodel":"b"}').encode(), None),
    "no kind": (b"{}", None),
    "an unknown kind": (b'{"kind":"zz"}', "unknown-kind"),
    "a kind of the server's": (b'{"kind":"control","control":"x","timestamp":"2026-11-23T10:00:00Z"}', "server-only-kind"),
    "a missing member": (b'{"kind":"prediction","timestamp":"2026-11-23T10:00:00Z"}', "missing-member"),
    "a wrong type": (b'{"kind":"prediction","request_id":7,"timestamp":"2026-11-23T10:00:00Z"}', "wrong-type"),
    "a time without zone": (b'{"kind":"prediction","request_id":"z","timestamp":"2026-11-23T10:00:00"}', None),
    "a payload too long": (json.dumps(prediction("long", feature_values="x" * (5 << 20))).encode(), None),
}


@pytest.mark.parametrize("what", BAD_RECORDS)
def test_a_bad_record_is_told_what_is_wrong(server, what):
    body, code = BAD_RECORDS[what]
    before = server.size()
    answer = server.ask("POST", "/v1/records", body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status < 500, answer.body
    assert code is None or answer.code == code
    assert answer.code and answer.json()["detail"]
    items = server.get(f"/v1/records?order=asc&cursor={before}").json()["items"]
    assert {i["entry"]["kind"] for i in items} <= {"control"}


@pytest.mark.parametrize("what", BAD_RECORDS)
def test_a_bad_line_does_not_harm_its_neighbours(server, what):
    body, _ = BAD_RECORDS[what]
    good = [json.dumps(prediction(f"beside {what} {i}")).encode() for i in range(2)]
    answer = server.batch(good[0] + b"\n" + body + b"\n" + good[1])
    assert answer.status == 200 and answer.json()["accepted"] == 2
    assert [p["line"] for p in answer.json()["problems"]] == ([2] if body else [])


def test_a_batch_of_bad_lines_alone_is_422(server):
    answer = server.batch("nope\nnope\n")
    assert answer.status == 422 and answer.json()["rejected"] == 2


@pytest.mark.parametrize("who", [None, "expired", "nobody"])
def test_without_a_good_token_nothing_is_told(server, who):
    for target in ("/v1/records", "/v1/records/0", "/metrics", "/v1/export", "/tile/entries/000.p/1"):
        answer = server.get(target, who=who)
        assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert server.append(prediction("x"), who=who).status == 401


def test_open_routes_need_no_token(server):
    for target in ("/healthz", "/readyz", "/checkpoint", "/tile/0/000.p/1", "/openapi.json"):
        assert server.get(target, who=None).status == 200


def test_a_producer_appends_and_reads_nothing(server):
    assert server.append(prediction("produced"), who="producer").status == 201
    for target in ("/v1/records", "/v1/predictions/produced", "/v1/predictions/produced/dossier", "/v1/access",
                   "/v1/settings", "/v1/export", "/metrics", "/v1/lineage/prediction:produced"):
        answer = server.get(target, who="producer")
        assert answer.status == 403 and '"read"' in answer.json()["detail"]


APPROVAL = {"kind": "approval", "approval_reference": "CAB-7", "model": "a-m", "model_version": "1", "verdict": "approved",
            "approver": "ann", "timestamp": "2026-11-02T00:00:00Z"}


def test_an_approval_needs_its_grant(server):
    for who in ("producer", "team-a"):
        answer = server.append(APPROVAL, who=who)
        assert answer.status == 403 and answer.code == "not-granted"
    assert server.append(APPROVAL, who="approver").status == 201
    assert server.append(prediction("by approver"), who="approver").status == 403


def test_a_grant_for_some_models_covers_no_others(server):
    good, bad = prediction("a ok", model="a-1"), prediction("b no", model="b-1")
    answer = server.batch(json.dumps(good) + "\n" + json.dumps(bad), who="team-a")
    assert answer.json()["accepted"] == 1
    assert [(p["line"], p["code"]) for p in answer.json()["problems"]] == [(2, "not-granted")]
    assert "b-1" in answer.json()["problems"][0]["detail"]
    other = server.append(prediction("b yes", model="b-1")).json()["index"]
    assert server.get(f"/v1/records/{other}", who="team-a").status == 403
    assert server.get("/v1/predictions/b%20yes/dossier", who="team-a").status == 403
    page = server.get("/v1/records?kind=prediction&limit=1000", who="team-a").json()
    assert all(i["entry"]["facts"]["model"].startswith("a-") for i in page["items"]) and page["total"] is None


def test_facts_without_payloads(server):
    index = server.append(prediction("private")).json()["index"]
    record = server.get(f"/v1/records/{index}", who="reader").json()
    assert record["payload"] is None and record["payload_state"] == "withheld"
    assert server.get("/v1/records?subject=x", who="reader").status == 403
    assert server.get("/v1/access?principal=x", who="reader").status == 403


def test_bundles_need_mirror(server):
    assert server.get("/tile/entries/000.p/1", who="auditor").status == 403
    assert server.get("/tile/entries/000.p/1", who="mirror").status == 200


@pytest.mark.parametrize("target, code", [
    ("/v1/records?nope=1", "unknown-parameter"), ("/v1/records?limit=0", "bad-parameter"),
    ("/v1/records?limit=1001", "bad-parameter"), ("/v1/records?limit=-1", "bad-parameter"),
    ("/v1/records?limit=1&limit=2", "bad-encoding"), ("/v1/records?from=yesterday", "bad-parameter"),
    ("/v1/records?cursor=x", "bad-parameter"), ("/v1/records?order=up", "bad-parameter"),
    ("/v1/records?model=%", "bad-encoding"), ("/v1/records?model=%ff", "bad-encoding"),
    ("/v1/records?model_version=1", "missing-parameter"), ("/v1/records/x", "bad-parameter"),
    ("/v1/access?resource_id=x", "missing-parameter"), ("/v1/predictions/%zz", "bad-encoding"),
    ("/v1/lineage/nonsense", "invalid"),
])
def test_a_bad_request_is_400(server, target, code):
    answer = server.get(target)
    assert answer.status == 400 and answer.code == code


@pytest.mark.parametrize("target", ["/v1/records/999999999", "/v1/predictions/none", "/v1/predictions/none/dossier",
                                    "/v1/questions/NOPE-99", "/nope", "/v1", "/v1/records/", "//", "/v1/predictions//dossier"])
def test_what_is_not_there_is_404(server, target):
    answer = server.get(target)
    assert answer.status == 404 and answer.code


def test_a_wrong_method_names_the_right_ones(server):
    answer = server.ask("DELETE", "/v1/records")
    assert answer.status == 405 and answer.headers["Allow"] == "POST, GET, HEAD"
    assert server.ask("POST", "/healthz", b"x").status == 405


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_a_wrong_media_type_names_the_right_ones(server, kind):
    answer = server.ask("POST", "/v1/records", b"{}", headers={"Content-Type": kind})
    assert answer.status == 415 and "application/x-ndjson" in answer.json()["detail"]


def test_a_compression_that_is_not_known_is_415(server):
    answer = server.ask("POST", "/v1/records", b"\x1f\x8b", headers={"Content-Type": "application/json",
                                                                     "Content-Encoding": "br"})
    assert answer.status == 415


def test_refused_attempts_are_recorded_once_a_window(server):
    for _ in range(20):
        server.get("/v1/records", who="producer")
    before = server.size()
    assert server.stop() == 0
    server.start()
    items = server.get(f"/v1/records?order=asc&kind=access&cursor={before - 1}").json()["items"]
    denied = [i for i in items if i["entry"]["facts"]["outcome"] == "denied"]
    mine = [i for i in denied if i["payload"]["principal"] == "token:producer"]
    assert len(mine) == 1 and mine[0]["entry"]["facts"]["count"] >= 20
    assert len(denied) <= 2 * len(GRANTS)
