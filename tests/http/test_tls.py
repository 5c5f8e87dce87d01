"""TLS, and client certificates, which the handler checks because the HTTP library does not enforce them."""
import http.client
import json
import shutil
import ssl
import subprocess

import pytest

from api_server import Answer, Server, prediction, token_of


def openssl(folder, *args):
    subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("the openssl program is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    openssl(folder, *new, "-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=IP:127.0.0.1")
    openssl(folder, *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority")
    openssl(folder, *new, "-keyout", "stranger.key", "-out", "stranger.pem", "-subj", "/CN=node-1,O=serving")
    for name in ("node-1", "auditor"):
        openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                "2", "-out", f"{name}.pem")
    return folder


@pytest.fixture(scope="module")
def server(binary, certificates, tmp_path_factory):
    running = Server(binary, tmp_path_factory.mktemp("tls"), serve=[
        "--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key", "--tls-client-ca",
        certificates / "ca.pem"])
    (running.state / "certs.json").write_text(json.dumps({"certs": [
        {"subject": "CN=auditor", "rights": ["read"], "payloads": True}]}))
    assert running.stop() == 0
    running.start()
    yield running
    assert running.stop() == 0


def ask(server, certificates, method, target, name=None, record=None, who=None):
    context = ssl.create_default_context(cafile=str(certificates / "server.pem"))
    if name:
        context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=20, context=context)
    headers = {"Content-Type": "application/json"} if record else {}
    if who:
        headers["Authorization"] = "Bearer " + token_of(who)
    connection.request(method, target, json.dumps(record) if record else None, headers)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def test_a_token_over_tls(server, certificates):
    assert ask(server, certificates, "GET", "/v1/records", who="admin").status == 200
    assert ask(server, certificates, "GET", "/healthz").status == 200
    assert ask(server, certificates, "GET", "/v1/records").status == 401


def test_a_certificate_of_the_authority_is_a_principal(server, certificates):
    receipt = ask(server, certificates, "POST", "/v1/records", "node-1", prediction("by certificate"))
    assert receipt.status == 201
    assert ask(server, certificates, "GET", "/v1/records", "node-1").status == 403
    record = ask(server, certificates, "GET", f"/v1/records/{receipt.json()['index']}", "auditor").json()
    assert record["entry"]["producer"] == {"principal": "cert:CN=node-1", "assurance": "authenticated"}


def test_a_certificate_of_nobody_is_none(server, certificates):
    try:
        assert ask(server, certificates, "POST", "/v1/records", "stranger", prediction("no")).status == 401
    except (ssl.SSLError, OSError):
        pass  # refused in the handshake already
