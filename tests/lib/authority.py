"""A time-stamping authority of one's own: a root, certificates good and bad, and `openssl ts -reply` behind HTTP.

Run as a program it writes the vectors of tests/vectors/timestamp anew.
"""

import datetime
import hashlib
import http.server
import itertools
import pathlib
import subprocess
import sys
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

OPENSSL = "/usr/bin/openssl"
POLICY = "1.3.6.1.4.1.32473.1"  # the arc of RFC 5612 for examples
TST_INFO = "1.2.840.113549.1.9.16.1.4"
YEAR = datetime.timedelta(days=365)
ACCURACY_S = 1.5
NUMBERS = itertools.count(1)  # of certificates, which may have a name in common


def run(*args, stdin=None):
    return subprocess.run([OPENSSL, *map(str, args)], input=stdin, check=True, capture_output=True, timeout=60).stdout


def name_of(common_name):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
                      x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def pem_key(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


class Root:
    def __init__(self, folder, common_name="Example Time Root"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        self.cert = (x509.CertificateBuilder().subject_name(name_of(common_name)).issuer_name(name_of(common_name))
                     .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                     .not_valid_before(now - 10 * YEAR).not_valid_after(now + 30 * YEAR)
                     .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                     .sign(self.key, hashes.SHA256()))
        self.pem = self.folder / "root.pem"
        self.pem.write_bytes(self.cert.public_bytes(serialization.Encoding.PEM))

    def issue(self, common_name, usage=True, critical=True, start=None, end=None):
        """A certificate and its key as files; `usage` is whether it may stamp time."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(name_of(common_name)).issuer_name(self.cert.subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(start or now - YEAR).not_valid_after(end or now + 20 * YEAR)
                   .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True))
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical)
        stem = self.folder / f"{next(NUMBERS)}-{common_name.replace(' ', '-').lower()}"
        cert_file, key_file = stem.with_suffix(".pem"), stem.with_suffix(".key")
        cert_file.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(pem_key(key))
        return cert_file, key_file


class Authority:
    """Answers requests as `openssl ts -reply` does, with a certificate of `root`."""

    def __init__(self, root, common_name="Example TSA", digests="sha256", **cert):
        self.root = root
        self.cert, self.key = root.issue(common_name, **cert)
        self.digests = digests

    def reply(self, query):
        with tempfile.TemporaryDirectory(dir=self.root.folder) as folder:
            return self.reply_in(pathlib.Path(folder), query)

    def reply_in(self, folder, query):
        config, serial = folder / "tsa.cnf", folder / "serial"
        serial.write_text(f"{x509.random_serial_number():040X}\n")
        config.write_text(f"""[tsa]
default_tsa = it
[it]
serial = {serial}
signer_cert = {self.cert}
signer_key = {self.key}
signer_digest = sha256
default_policy = {POLICY}
digests = {self.digests}
accuracy = secs:1, millisecs:500
tsa_name = yes
ess_cert_id_alg = sha256
""")
        query_file = folder / "query.tsq"
        query_file.write_bytes(query)
        return run("ts", "-reply", "-config", config, "-queryfile", query_file)


class Service:
    """The authority behind HTTP on loopback. `answer` (query -> (status, type, body)) may be replaced by a test."""

    def __init__(self, authority):
        self.authority = authority
        self.answer = self.honest
        self.queries = []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                query = self.rfile.read(int(self.headers["Content-Length"]))
                service.queries.append((self.headers["Content-Type"], query))
                status, media, body, *headers = service.answer(query)
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", media)
                    self.send_header("Content-Length", str(len(body)))
                    for field in headers:
                        self.send_header(*field)
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # who asked has gone: what slow answers are made for

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/tsa"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def honest(self, query):
        return 200, "application/timestamp-reply", self.authority.reply(query)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def openssl_verifies(token, data, roots, at=None):
    """What `openssl ts -verify` says of a token file over a data file, at a time (default: now)."""
    when = ["-attime", str(int(at))] if at is not None else []
    done = subprocess.run([OPENSSL, "ts", "-verify", "-token_in", "-in", str(token), "-data", str(data),
                           "-CAfile", str(roots), *when], capture_output=True, timeout=60)
    return done.returncode == 0


# -- the vectors ------------------------------------------------------------------------------------------------------

NONCE = bytes([0x81, 2, 3, 4, 5, 6, 7, 8])
NOTE = (b"example.com/trail\n7\nDFlSGUNPGBBSwIHlLkhOaAOwIV3BBpDT54+jNPbHZYw=\n\n"
        b"\xe2\x80\x94 example.com/trail AAAAAHkvsj1ajpt1fFKfC2W6oWkBjZNDhRtqf7Ie0hsvSD7PkRXtDPv+7d7nBK3Cs2OFEhfnWs2d"
        b"ZcVuvV8S4oQ=\n")


def der(tag, *parts):
    body = b"".join(parts)
    assert len(body) < 128
    return bytes([tag, len(body)]) + body


def query_for(imprint, nonce, algorithm=bytes.fromhex("0609608648016503040201")):
    number = (b"\0" if nonce[0] & 0x80 else b"") + nonce
    return der(0x30, b"\x02\x01\x01", der(0x30, der(0x30, algorithm, b"\x05\x00"), der(0x04, imprint)),
               der(0x02, number), b"\x01\x01\xff")


def token_of(response):
    return run("ts", "-reply", "-in", "/dev/stdin", "-token_out", stdin=response)


def sign_by_hand(root, good_token, **cert):
    """The stamp of a good token under a certificate that `openssl ts -reply` would not use."""
    info = run("cms", "-verify", "-noverify", "-inform", "DER", stdin=good_token)
    cert_file, key_file = root.issue(cert.pop("common_name"), **cert)
    return run("cms", "-sign", "-cades", "-binary", "-nodetach", "-econtent_type", TST_INFO, "-md", "sha256",
               "-signer", cert_file, "-inkey", key_file, "-outform", "DER", stdin=info)


def write_vectors(out, scratch):
    root, other = Root(scratch / "root"), Root(scratch / "other", "Another Root")
    authority = Authority(root)
    imprint = hashlib.sha256(NOTE).digest()
    query = query_for(imprint, NONCE)
    response = authority.reply(query)
    token = token_of(response)
    now = datetime.datetime.utcnow()
    long_ago = {"start": now - 3 * YEAR, "end": now - 2 * YEAR}
    without = query.replace(der(0x02, b"\0" + NONCE), b"")
    without = bytes([0x30, len(without) - 2]) + without[2:]
    sha512 = query_for(hashlib.sha512(NOTE).digest()[:64], NONCE, bytes.fromhex("0609608648016503040203"))
    files = {
        "root.pem": root.pem.read_bytes(),
        "other.pem": other.pem.read_bytes(),
        "note": NOTE,
        "query.tsq": query,
        "granted.tsr": response,
        "rejected.tsr": Authority(root, "Other Digests", digests="sha512").reply(query),
        "good.tst": token,
        "no-nonce.tst": token_of(authority.reply(without)),
        "sha512.tst": token_of(Authority(root, "Longer Digests", digests="sha512").reply(sha512)),
        "expired.tst": token_of(Authority(root, "Expired", **long_ago).reply(query)),
        "by-hand.tst": sign_by_hand(root, token, common_name="Example TSA"),
        "no-usage.tst": sign_by_hand(root, token, common_name="Example TSA", usage=False),
        "soft-usage.tst": sign_by_hand(root, token, common_name="Example TSA", critical=False),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write_vectors(pathlib.Path(sys.argv[1]), pathlib.Path(folder))
