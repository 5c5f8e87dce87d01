"""Every route answers what docs/API.md says, and every read that returns records is recorded first."""
import base64
import hashlib
import json
import time
from urllib.parse import quote

import pytest

from api_server import prediction

NAMES = ["plain", "with/slash", "with#hash", "with%2Fencoded", "with space+plus", "mit-ümläut", "日本語/版#1", "a?b=c&d", "..", "💳"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_works_in_a_path(server, name):
    assert server.append(prediction(name)).status == 201
    page = server.get(f"/v1/predictions/{quote(name, safe='')}").json()
    assert [i["entry"]["facts"]["request_id"] for i in page["items"]] == [name]
    dossier = server.get(f"/v1/predictions/{quote(name, safe='')}/dossier").json()
    assert dossier["request_id"] == name
    assert dossier["integrity"]["verdict"] == "verified"


def test_a_receipt_names_place_leaf_and_signed_head(server):
    answer = server.append(prediction("receipt"))
    receipt = answer.json()
    assert answer.status == 201 and receipt["duplicate"] is False
    assert receipt["checkpoint"].split("\n")[1] == str(receipt["tree_size"])
    record = server.get(f"/v1/records/{receipt['index']}").json()
    assert record["leaf"] == receipt["leaf"]
    assert record["payload"] == {"feature_values": {"age": 41}, "prediction": 0.7}


def test_the_same_record_again_gives_the_first_receipt(server):
    first = server.append(prediction("retry")).json()
    again = server.append(prediction("retry"))
    assert again.status == 200
    assert again.json()["duplicate"] is True and again.json()["index"] == first["index"]


def test_a_batch_keeps_its_good_lines(server):
    lines = [json.dumps(prediction("b1")), "nope", "", json.dumps(prediction("b2")), json.dumps({"kind": "zz"}),
             json.dumps(prediction("b1"))]
    answer = server.batch("\r\n".join(lines), "/v1/records?receipts=all")
    report = answer.json()
    assert answer.status == 200
    assert (report["accepted"], report["duplicates"], report["rejected"]) == (2, 1, 2)
    assert [(p["line"], p["code"]) for p in report["problems"]] == [(2, "not-json"), (5, "unknown-kind")]
    assert [(r["line"], r["duplicate"]) for r in report["receipts"]] == [(1, False), (4, False), (6, True)]
    assert report["receipts"][2]["index"] == report["receipts"][0]["index"] == report["first_index"]


def test_what_was_rejected_is_kept(server):
    server.batch('{"kind":"prediction","request_id":7}')
    newest = server.get("/v1/records?kind=control&limit=1").json()["items"][0]
    assert newest["entry"]["facts"]["control"] == "rejected-input"
    assert newest["payload"]["input"] == '{"kind":"prediction","request_id":7}'
    assert newest["payload"]["pointer"] == "/request_id"


def test_rejected_input_is_bounded(server):
    before = server.size()
    server.batch("nope\n" * 500)
    assert server.size() - before <= 16


def test_a_proof_holds(server):
    index = server.append(prediction("proved")).json()["index"]
    answer = server.get(f"/v1/records/{index}/proof").json()
    size = int(answer["checkpoint"].split("\n")[1])
    node, last, hashed = index, size - 1, bytes.fromhex(answer["leaf"])
    for text in answer["proof"]:  # RFC 9162 section 2.1.3.2
        other = base64.b64decode(text)
        if node & 1 or node == last:
            hashed = hashlib.sha256(b"\1" + other + hashed).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hashed = hashlib.sha256(b"\1" + hashed + other).digest()
        node, last = node >> 1, last >> 1
    assert last == 0 and base64.b64encode(hashed).decode() == answer["checkpoint"].split("\n")[2]
    assert answer["tlog_proof"].startswith("c2sp.org/tlog-proof@v1\n")


def test_a_proof_leads_to_the_published_checkpoint_and_to_others_on_request(server):
    """What witnesses cosigned is the published checkpoint: a proof against it carries their signatures."""
    index = server.append(prediction("published")).json()["index"]
    for _ in range(100):
        published = server.get("/checkpoint").body.decode()
        if int(published.split("\n")[1]) > index:
            break
        time.sleep(0.1)
    proof = server.get(f"/v1/records/{index}/proof").json()
    assert proof["checkpoint"] in (published, server.get("/checkpoint").body.decode())
    assert proof["tlog_proof"].endswith("\n\n" + proof["checkpoint"])
    at_size = server.get(f"/v1/records/{index}/proof?at_size={index + 1}").json()
    assert at_size["checkpoint"].split("\n")[1] == str(index + 1)


def test_search_intersects_and_pages(server):
    for i in range(5):
        server.append(prediction(f"page-{i}", serving_node="page/node", model="a-paged"))
    target = "/v1/records?kind=prediction&model=a-paged&node=page%2Fnode&limit=2"
    seen, cursor = [], ""
    while True:
        page = server.get(target + cursor).json()
        assert page["total"] == 5
        seen += [i["entry"]["facts"]["request_id"] for i in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [f"page-{i}" for i in (4, 3, 2, 1, 0)]
    ascending = server.get(target + "&order=asc").json()
    assert [i["entry"]["facts"]["request_id"] for i in ascending["items"]] == ["page-0", "page-1"]
    assert server.get("/v1/records?model=a-nothing").json() == {**ascending, "items": [], "total": 0, "next": None,
                                                               "tree_size": ascending["tree_size"] + 1}


def test_search_by_time(server):
    server.append(prediction("old", timestamp="2001-02-03T04:05:06+01:00", model="a-old"))
    hit = server.get("/v1/records?model=a-old&from=2001-02-03T04:05:06%2B01:00&to=2001-02-03T03:05:07Z").json()
    assert len(hit["items"]) == 1
    assert len(server.get("/v1/records?model=a-old&from=2001-02-03T04:05:06+01:00").json()["items"]) == 1
    assert server.get("/v1/records?model=a-old&from=2001-02-04").json()["items"] == []


READS = ["/v1/records?limit=1", "/v1/records/1", "/v1/predictions/seen", "/v1/predictions/seen/dossier", "/v1/access",
         "/v1/settings", "/v1/export?limit=1", "/v1/lineage/prediction:seen", "/v1/questions/PRD-01?request_id=seen"]


@pytest.mark.parametrize("target", READS)
def test_a_read_is_recorded_before_its_answer(server, target):
    server.append(prediction("seen"))
    before = server.size()
    answer = server.ask("GET", target, headers={"X-Purpose": "a test", "User-Agent": "pytest"})
    assert answer.status == 200, answer.body
    assert server.size() == before + 1
    record = server.get(f"/v1/records/{before}").json()
    assert record["entry"]["kind"] == "access"
    assert record["entry"]["facts"]["outcome"] == "allowed"
    assert record["entry"]["facts"]["purpose"] == "a test"
    assert record["payload"]["principal"] == "token:admin"
    assert record["payload"]["source"] == {"address": "127.0.0.1", "user_agent": "pytest"}
    assert record["payload"]["query"] == f"GET {target}"


def test_trail_json_is_served_as_it_lies_there(server):
    answer = server.get("/trail.json", who=None)
    assert answer.status == 200
    assert answer.json()["keys"] == [server.get("/readyz").json()["vkey"]]
    assert answer.json()["origin"] == server.get("/checkpoint").body.decode().split("\n")[0]


@pytest.mark.parametrize("target", ["/checkpoint", "/trail.json", "/tile/0/000.p/1", "/healthz", "/readyz", "/metrics", "/openapi.json",
                                    "/v1/questions", "/v1/records/0/proof"])
def test_what_tells_no_record_is_not_recorded(server, target):
    before = server.size()
    assert server.get(target).status == 200
    assert server.size() == before


def test_a_dossier_is_the_same_bytes_at_the_same_size(server):
    server.append(prediction("same"))
    size = server.size()
    first = server.get(f"/v1/predictions/same/dossier?at_size={size}")
    second = server.get(f"/v1/predictions/same/dossier?at_size={size}")
    assert first.status == 200 and first.body == second.body
    assert server.get(f"/v1/predictions/same/dossier?at_size={size + 10**9}").code == "bad-parameter"


def test_a_dossier_as_text_and_html(server):
    server.append(prediction("forms"))
    text = server.get("/v1/predictions/forms/dossier?format=text")
    html = server.get("/v1/predictions/forms/dossier?format=html")
    assert text.headers["Content-Type"].startswith("text/plain") and b"forms" in text.body
    assert html.headers["Content-Type"].startswith("text/html") and b"forms" in html.body
    assert "default-src 'none'" in html.headers["Content-Security-Policy"]


def test_a_model_version_with_its_history(server):
    version = {"kind": "model.version", "model": "a/m#1", "model_version": "2", "timestamp": "2026-11-01T00:00:00Z"}
    approval = {"kind": "approval", "approval_reference": "CAB-1", "model": "a/m#1", "model_version": "2",
                "verdict": "approved", "approver": "ann", "timestamp": "2026-11-02T00:00:00Z"}
    assert server.append(version).status == 201
    assert server.append(approval).status == 201
    answer = server.get("/v1/models/a%2Fm%231/versions/2").json()
    assert len(answer["model_versions"]) == 1 and len(answer["approvals"]) == 1
    assert server.get("/v1/models/a%2Fm%231/versions/9").code == "not-found"


def test_a_setting_is_a_record(server):
    body = {"name": "production_stages", "value": ["live"], "reason": "our word for it"}
    assert server.ask("POST", "/v1/settings", body).json()["value"] == ["live"]
    setting = server.get("/v1/settings").json()["items"][0]
    assert setting["set_by"] == "token:admin" and setting["reason"] == "our word for it"
    record = server.get(f"/v1/records/{setting['entry']}").json()
    assert record["entry"]["facts"]["control"] == "setting"
    assert server.ask("POST", "/v1/settings", {**body, "name": "colour"}).code == "unknown-setting"
    assert server.ask("POST", "/v1/settings", {**body, "value": "live"}).code == "wrong-type"
    assert server.ask("POST", "/v1/settings", {**body, "reason": ""}).code == "missing-member"
    assert server.ask("POST", "/v1/settings", body, who="auditor").status == 403


def test_allowed_signers_are_read_before_they_are_in_force(server):
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGAc8ZVqD5qgV2DRAwjRPL3xCcDsGFU8tLzy3pbFYBMF"
    body = {"name": "allowed_signers", "value": f"# who\nann {key}\n", "reason": "ann approves"}
    assert server.ask("POST", "/v1/settings", body).json()["value"] == body["value"]
    setting = next(i for i in server.get("/v1/settings").json()["items"] if i["name"] == "allowed_signers")
    assert setting["value"] == body["value"]
    wrong = server.ask("POST", "/v1/settings", {**body, "value": f"ann {key}\nbob {key[:-4]}\n"})
    assert wrong.status == 422 and wrong.code == "wrong-type" and "line 2: " in wrong.json()["detail"]
    assert server.ask("POST", "/v1/settings", {**body, "value": ["ann"]}).code == "wrong-type"
    # Hundreds of signers do not fit into an entry: the value lies beside it, and is shown all the same.
    many = {**body, "value": "".join(f"signer-{i} {key} of the team\n" for i in range(400))}
    assert server.ask("POST", "/v1/settings", many).json()["value"] == many["value"]
    assert server.ask("POST", "/v1/settings", {**body, "value": "# more\n" * 10_000}).code == "wrong-type"


def test_export_goes_on_by_cursor(server):
    seen, cursor = [], 0
    size = server.size()
    while cursor is not None:
        answer = server.get(f"/v1/export?at_size={size}&limit=7&cursor={cursor}")
        seen += [json.loads(line)["index"] for line in answer.body.splitlines()]
        cursor = answer.headers["Mltrail-Next-Cursor"]
    assert seen == list(range(size))


def test_tiles_are_the_leaves(server):
    size = server.size()
    width = size % 256
    tile = server.get(f"/tile/0/{size // 256:03d}.p/{width}", who=None)
    bundle = server.get(f"/tile/entries/{size // 256:03d}.p/{width}", who="mirror").body
    leaves, at = [], 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at:at + 2], "big")
        leaves.append(hashlib.sha256(b"\0" + bundle[at + 2:at + 2 + length]).digest())
        at += 2 + length
    assert tile.body == b"".join(leaves) and len(leaves) == width
    assert server.get("/tile/0/999", who=None).status == 404
    assert server.get("/tile/9/000", who=None).status == 404
    assert server.get(f"/tile/0/{size // 256:03d}.p/{width + 100 if width < 150 else 255}", who=None).status == 404


def test_a_raw_trail_takes_any_bytes(raw_server):
    answers = [raw_server.ask("POST", "/add", bytes([i]) * 10, who="admin") for i in range(3)]
    assert [a.body for a in answers] == [b"0", b"1", b"2"]
    assert raw_server.get("/tile/entries/000.p/3").body == b"".join(b"\0\x0a" + bytes([i]) * 10 for i in range(3))
    assert raw_server.append(prediction("x")).code == "no-such-route"
    assert raw_server.ask("POST", "/add", b"").status == 400
    assert raw_server.ask("POST", "/add", b"x" * 65536).status == 413
    assert raw_server.ask("POST", "/add", b"x", who="reader").status == 403
