"""Anchoring against a real authority: `openssl ts -reply` behind HTTP on loopback, honest and otherwise."""
from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import threading
import time
import zipfile

import pytest
import authority as tsa
from api_server import Server, prediction
from served import until


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tsa.Root(tmp_path_factory.mktemp("root"))


@pytest.fixture
def service(root):
    running = tsa.Service(tsa.Authority(root))
    yield running
    running.close()


@pytest.fixture
def start(binary, tmp_path, root):
    """Starts servers that ask these services; each is stopped at the end."""
    started = []

    def serve(*services, interval="1s", roots=True):
        folder = tmp_path / str(len(started))
        folder.mkdir()
        more = ["--tsa", ",".join(s.url for s in services), "--tsa-interval", interval, "--publish-interval", "100ms"]
        started.append(Server(binary, folder, serve=more + (["--tsa-roots", str(root.pem)] if roots else [])))
        return started[-1]

    yield serve
    for server in started:
        if server.process.poll() is None:
            assert server.stop() == 0


def records(server, kind):
    return server.get(f"/v1/records?kind={kind}&order=asc&limit=1000").json()["items"]


def anchors(server):
    return records(server, "anchor")


def failures(server):
    return [r for r in records(server, "control") if r["entry"]["facts"]["control"] == "anchor-failed"]


def metric(server, name):
    lines = server.get("/metrics").body.decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{"))


def mltrail(binary, *args):
    done = subprocess.run([binary, *map(str, args)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_the_published_checkpoint_is_stamped(start, service, root, binary, tmp_path):
    """An anchor holds the checkpoint verbatim and a token over it, which openssl verifies; what it says is the token's."""
    server = start(service)
    server.append(prediction("p-1"))
    item = until(lambda: anchors(server))[0]
    facts = item["entry"]["facts"]
    note = facts["checkpoint"].encode()
    origin, size, root_hash = note.decode().split("\n")[:3]
    assert (origin, int(size), base64.b64decode(root_hash).hex()) == ("example.org/http", facts["tree_size"], facts["root"])
    assert facts["tree_size"] <= item["index"]
    assert facts["imprint"] == "sha256:" + hashlib.sha256(note).hexdigest()
    token = base64.b64decode(facts["token"])
    assert facts["token_hash"] == "sha256:" + hashlib.sha256(token).hexdigest()
    assert facts["roots"] == "sha256:" + hashlib.sha256(root.pem.read_bytes()).hexdigest()
    assert facts["authority"] == "CN=Example TSA,O=Example" and facts["policy"] == tsa.POLICY
    assert facts["accuracy_ns"] == int(tsa.ACCURACY_S * 1e9) and facts["url"] == service.url
    assert abs(time.mktime(time.strptime(facts["gen_time"][:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(time.gmtime())) < 60
    assert item["entry"]["producer"]["principal"] == "mltrail"
    assert all(media == "application/timestamp-query" for media, _ in service.queries)

    code, out, _ = mltrail(binary, "anchor", "save", item["index"], "--trail", server.dir, "-o", tmp_path)
    files = out.split()
    assert code == 0 and (tmp_path / f"{item['index']}.checkpoint").read_bytes() == note
    assert tsa.openssl_verifies(files[1], files[0], root.pem)
    (tmp_path / "other").write_bytes(note + b"\n")
    assert not tsa.openssl_verifies(files[1], tmp_path / "other", root.pem)
    assert metric(server, "mltrail_anchors_total") >= 1 and metric(server, "mltrail_anchor_failures_total") == 0
    assert metric(server, "mltrail_anchor_time_seconds") > time.time() - 600


def test_commands_list_and_verify(start, service, root, binary, tmp_path):
    """`anchor verify` and `verify --tsa-roots` agree, on a server, on the directory, and with roots that vouch for nothing."""
    server = start(service)
    server.append(prediction("p-1"))
    index = until(lambda: anchors(server))[0]["index"]
    until(lambda: int(server.get("/checkpoint").body.split(b"\n")[1]) > index)  # published
    where = ("--trail", server.dir)
    assert "CN=Example TSA" in mltrail(binary, "anchor", "list", *where)[1]
    code, out, _ = mltrail(binary, "anchor", "verify", *where, "--roots", root.pem, "--json")
    report = json.loads(out)
    assert code == 0 and report["verdict"], out
    assert report["checked_against_roots"] and report["anchored_size"] > 0
    assert mltrail(binary, "anchor", "verify", *where)[0] == 1  # consistent, but nobody vouches
    other = tsa.Root(tmp_path / "other", "Another Root")
    code, out, _ = mltrail(binary, "anchor", "verify", *where, "--roots", other.pem)
    assert code == 1 and "FALSE" in out and "issuer" in out
    code, out, _ = mltrail(binary, "anchor", "now", *where)
    assert code == 0 and service.url in out
    code, _, err = mltrail(binary, "anchor", "now", *where, "--tsa", service.url)
    assert code == 2 and "its own authorities" in err

    assert server.stop() == 0
    code, out, _ = mltrail(binary, "verify", server.dir, "--tsa-roots", root.pem, "--json")
    assert code == 0 and json.loads(out)["anchors"] >= 2, out
    code, out, _ = mltrail(binary, "verify", server.dir, "--tsa-roots", other.pem)
    assert code == 1 and "issuer" in out and "NOT VERIFIED" in out
    assert mltrail(binary, "verify", server.dir)[0] == 0


def test_a_quiet_trail_is_not_stamped_again(start, service):
    """What anchoring itself adds is no reason to anchor again; anything else is."""
    server = start(service)
    until(lambda: service.queries)
    time.sleep(2.5)  # by now the records of the start are covered
    quiet = len(service.queries)
    time.sleep(3)  # three intervals
    assert len(service.queries) == quiet
    server.append(prediction("p-1"))
    until(lambda: len(service.queries) > quiet)


def test_a_restart_goes_on_where_it_was(start, service):
    """The interval runs on across a restart: an authority is not asked with every start."""
    server = start(service, interval="1h")
    until(lambda: anchors(server))
    assert server.stop() == 0
    server.start()
    server.append(prediction("p-1"))
    time.sleep(2)
    assert len(service.queries) == 1 and len(anchors(server)) == 1


def test_several_authorities(start, root, service):
    """Each authority stamps, and one that fails does not keep the others from it."""
    second = tsa.Service(tsa.Authority(root, "Second TSA"))
    broken = tsa.Service(tsa.Authority(root, "Broken TSA"))
    broken.answer = lambda query: (500, "text/plain", b"out of paper")
    try:
        server = start(service, broken, second)
        names = until(lambda: {a["entry"]["facts"]["authority"] for a in anchors(server)} if len(anchors(server)) > 1 else None)
        assert names == {"CN=Example TSA,O=Example", "CN=Second TSA,O=Example"}
        items = server.ask("POST", "/v1/anchors").json()["items"]
        assert [item["problem"] is None for item in items] == [True, False, True]
        assert "500" in items[1]["problem"] and items[1]["entry"] is None
    finally:
        second.close()
        broken.close()


def other_root(service):
    return lambda query: (200, "application/timestamp-reply",
                          tsa.Authority(tsa.Root(service.authority.root.folder / "o", "Another Root")).reply(query))


def expired(service):
    import datetime

    now = datetime.datetime.utcnow()
    made = tsa.Authority(service.authority.root, "Expired", start=now - 3 * tsa.YEAR, end=now - 2 * tsa.YEAR)
    return lambda query: (200, "application/timestamp-reply", made.reply(query))


def without_usage(service):
    root = service.authority.root

    def answer(query):
        response = service.authority.reply(query)
        token = tsa.sign_by_hand(root, tsa.token_of(response), common_name="Example TSA", usage=False)
        granted = bytes.fromhex("3003020100")
        body = granted + token
        return 200, "application/timestamp-reply", b"\x30\x82" + len(body).to_bytes(2, "big") + body

    return answer


def other_bytes(service):
    other = tsa.query_for(hashlib.sha256(b"other").digest(), tsa.NONCE)
    return lambda query: (200, "application/timestamp-reply", service.authority.reply(other))


def other_nonce(service):
    def answer(query):
        at = query.index(bytes.fromhex("0609608648016503040201")) + 15  # the hash follows the algorithm
        return 200, "application/timestamp-reply", service.authority.reply(tsa.query_for(query[at:at + 32], tsa.NONCE))

    return answer


def flipped(service):
    def answer(query):
        body = bytearray(service.authority.reply(query))
        body[-1] ^= 1  # of the signature
        return 200, "application/timestamp-reply", bytes(body)

    return answer


def refused(service):
    made = tsa.Authority(service.authority.root, "Other Digests", digests="sha512")
    return lambda query: (200, "application/timestamp-reply", made.reply(query))


BAD = {
    "issuer": other_root,
    "expired": expired,
    "purpose": without_usage,
    "imprint": other_bytes,
    "nonce": other_nonce,
    "signature": flipped,
    "status 2": refused,
    "more than 1048576 bytes": lambda s: lambda q: (200, "application/timestamp-reply", bytes(1024 * 1024 + 1)),
    "status 307": lambda s: lambda q: (307, "text/plain", b"", ("Location", s.url)),
    "text/html": lambda s: lambda q: (200, "text/html", s.authority.reply(q)),
    "no time-stamp response": lambda s: lambda q: (200, "application/timestamp-reply", b"\x30\x03sorry"),
}


@pytest.mark.parametrize("why", BAD)
def test_a_bad_answer_is_no_anchor(start, service, why, capfd):
    """Whatever is wrong with an answer: nothing is stored, a line says why, it is counted, and an outage recorded once."""
    service.answer = BAD[why](service)
    server = start(service)
    failed = until(lambda: failures(server))
    queries = len(service.queries)
    until(lambda: len(service.queries) >= queries + 2)
    assert anchors(server) == [] and len(failures(server)) == 1
    facts = failed[0]["entry"]["facts"]
    assert why in facts["reason"] and facts["name"] == service.url and facts["count"] >= 2
    assert metric(server, "mltrail_anchor_failures_total") >= 2 and metric(server, "mltrail_anchors_total") == 0
    lines = [line for line in capfd.readouterr().err.splitlines() if "anchor: not stamped" in line]
    assert lines and all(why in line and service.url in line for line in lines)
    service.answer = service.honest
    until(lambda: anchors(server))


def test_without_roots_a_strange_authority_is_recorded_as_unchecked(start, service):
    """A server without roots records what it gets and says that it checked nothing; a broken signature it refuses."""
    service.answer = other_root(service)
    server = start(service, roots=False)
    assert "roots" not in until(lambda: anchors(server))[0]["entry"]["facts"]
    service.answer = flipped(service)
    assert "signature" in server.ask("POST", "/v1/anchors").json()["items"][0]["problem"]


def test_a_slow_authority_does_not_hold_up_the_end(start, service):
    """A server stops although an authority does not answer, also when somebody waits for that answer."""
    service.answer = lambda query: time.sleep(25) or service.honest(query)
    server = start(service)
    until(lambda: service.queries)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(server.ask("POST", "/v1/anchors")), daemon=True)
    waiting.start()
    time.sleep(1)
    before = time.monotonic()
    assert server.stop() == 0 and time.monotonic() - before < 10
    waiting.join(10)
    assert "stopped" in answers[0].json()["items"][0]["problem"]


def test_who_may_ask_now(start, service, server):
    """Asking now takes an administrator, and an authority."""
    anchored = start(service, interval="1h")
    assert anchored.ask("POST", "/v1/anchors", who="reader").code == "not-granted"
    assert server.ask("POST", "/v1/anchors").code == "no-authority"
    item = anchored.ask("POST", "/v1/anchors").json()["items"][0]
    assert item["problem"] is None
    assert anchored.get(f"/v1/records/{item['entry']}").json()["entry"]["facts"]["tree_size"] == item["anchored_size"]


def facts_of(entry):
    return json.loads(entry["bytes"])["facts"]


def test_a_dossier_brackets_its_entries(start, service, root, binary, tmp_path):
    """Each entry lies between the anchors around it, which the dossier carries whole: tokens, checkpoints, proofs."""
    server = start(service, interval="1h")
    server.append({"kind": "model.version", "model": "a-credit", "model_version": "3"})
    first = server.ask("POST", "/v1/anchors").json()["items"][0]
    server.append(prediction("p-1"))
    second = server.ask("POST", "/v1/anchors").json()["items"][0]
    server.append(prediction("p-2"))
    size = server.size()

    dossier = server.get("/v1/predictions/p-1/dossier").json()
    integrity = dossier["integrity"]
    assert integrity["verdict"] == "verified" and integrity["assurance"] == "self-attested, time-stamped"
    entries = {e["index"]: e for e in integrity["entries"]}
    times = {a["entry"]: a["time"] for a in integrity["anchors"]}
    version, served = dossier["model_versions"][0]["entry"], dossier["predictions"][0]["entry"]
    assert entries[served]["time_bounds"] == {"not_before": {"time": times[first["entry"]], "entry": first["entry"]},
                                              "not_after": {"time": times[second["entry"]], "entry": second["entry"]},
                                              "received_fits": True}
    assert entries[version]["time_bounds"]["not_after"]["entry"] == first["entry"]
    for anchor in integrity["anchors"]:
        assert anchor["consistent"] is True and entries[anchor["entry"]]["verified"]
        facts = facts_of(entries[anchor["entry"]])
        (tmp_path / "note").write_bytes(facts["checkpoint"].encode())
        (tmp_path / "token").write_bytes(base64.b64decode(facts["token"]))
        assert tsa.openssl_verifies(tmp_path / "token", tmp_path / "note", root.pem)
        assert facts["gen_time"] == anchor["time"] and anchor["checked_with"] == facts["roots"]

    # A bundle carries the same bounds and anchors, and the dossier follows from what is in it.
    bundle = tmp_path / "p-1.zip"
    assert mltrail(binary, "report", "p-1", "--trail", server.dir, "--format", "bundle", "-o", bundle)[0] == 0
    code, out, err = mltrail(binary, "verify", bundle, "--key", server.get("/readyz").json()["vkey"])
    assert code == 0, out + err

    late = server.get("/v1/predictions/p-2/dossier").json()["integrity"]
    bounds = {e["index"]: e["time_bounds"] for e in late["entries"]}
    assert late["assurance"] == "self-attested" and any("no time-stamp" in s for s in late["what_this_does_not_show"])
    assert [b for b in bounds.values() if b and b["not_before"] and b["not_after"] is None]

    text = server.get("/v1/predictions/p-1/dossier?format=text").body.decode()
    page = server.get("/v1/predictions/p-1/dossier?format=html").body.decode()
    for shown in (" ".join(text.split()), page):
        assert "logged between" in shown and f"(anchor {second['entry']})" in shown and "CN=Example TSA" in shown
    # Later anchors change nothing of the answer as of an earlier size.
    before = server.get(f"/v1/predictions/p-2/dossier?at_size={size}").body
    server.ask("POST", "/v1/anchors")
    assert server.get(f"/v1/predictions/p-2/dossier?at_size={size}").body == before
    assert "time-stamped" in server.get("/v1/predictions/p-2/dossier").json()["integrity"]["assurance"]


def test_an_evidence_bundle_carries_the_stamps(start, service, root, binary, tmp_path):
    """Tokens and what they stamp are files in it; the verifier holds them against roots from outside, and openssl does."""
    server = start(service)
    until(lambda: anchors(server))
    server.append(prediction("p-1"))
    covered = server.get("/v1/records?kind=prediction").json()["items"][0]["index"]
    until(lambda: any(a["entry"]["facts"]["tree_size"] > covered for a in anchors(server)))
    answer = server.get("/v1/predictions/p-1/dossier?format=bundle")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/zip"
    (tmp_path / "b.zip").write_bytes(answer.body)
    with zipfile.ZipFile(tmp_path / "b.zip") as packed:
        packed.extractall(tmp_path / "b")
    assert server.stop() == 0
    (tmp_path / "vkey").write_text(json.loads((server.dir / "trail.json").read_text())["keys"][0])
    tokens = sorted((tmp_path / "b" / "anchors").glob("*.tst"))
    assert len(tokens) == 2  # the anchors before and after the prediction
    for token in tokens:
        assert tsa.openssl_verifies(token, token.with_suffix(".checkpoint"), root.pem)
    verify = ("verify", tmp_path / "b.zip", "--key", tmp_path / "vkey")
    code, out, _ = mltrail(binary, *verify, "--tsa-roots", root.pem, "--json")
    report = json.loads(out)
    assert code == 0 and report["time_stamps"] == 2 and report["time_stamps_checked"], out
    assert report["not_before"] < report["not_after"]
    code, out, _ = mltrail(binary, *verify, "--tsa-roots", root.pem)
    assert code == 0 and "proved: the prediction was logged at or after" in out
    code, out, _ = mltrail(binary, *verify)
    assert code == 0 and "asserted: 2 time stamps: not checked" in out
    other = tsa.Root(tmp_path / "other", "Another Root")
    code, out, _ = mltrail(binary, *verify, "--tsa-roots", other.pem)
    assert code == 1 and "issuer" in out and "anchors/" in out
