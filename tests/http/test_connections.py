"""Connections: pipelining, sizes, clients that vanish, the local socket, a stop while requests run."""
import http.client
import json
import socket
import stat
import subprocess
import threading

from api_server import Answer, prediction, token_of


def request_bytes(record) -> bytes:
    body = json.dumps(record).encode()
    return (f"POST /v1/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token_of('admin')}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


def test_two_requests_in_one_packet_get_two_answers(server):
    with server.socket() as s:
        s.sendall(request_bytes(prediction("pipe-1")) + request_bytes(prediction("pipe-2")))
        indexes = []
        for _ in range(2):
            response = http.client.HTTPResponse(s, method="POST")
            response.fp.close()
            response.fp = s.makefile("rb", 0)
            response.begin()
            indexes.append(json.loads(response.read())["index"])
    assert indexes[1] == indexes[0] + 1


def test_a_connection_is_kept_over_many_requests(server):
    connection = server.connect()
    for i in range(50):
        connection.request("POST", "/v1/records", json.dumps(prediction(f"kept-{i}")),
                           {"Authorization": "Bearer " + token_of("admin"), "Content-Type": "application/json"})
        assert connection.getresponse().read()
    connection.close()


def test_a_body_announced_too_large_is_413_without_reading_it(server):
    with server.socket() as s:
        s.sendall((f"POST /v1/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token_of('admin')}\r\n"
                   f"Content-Type: application/json\r\nContent-Length: {1 << 40}\r\n\r\n").encode())
        response = http.client.HTTPResponse(s, method="POST")
        response.begin()
        assert response.status == 413


def test_headers_too_large_are_refused(server):
    with server.socket() as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100000 + b"\r\n\r\n")
        try:
            assert s.recv(100).split(b" ")[1] in (b"413", b"431")
        except ConnectionResetError:
            pass
    assert server.get("/healthz").status == 200


def test_a_chunked_body_is_read(server):
    connection = server.connect()
    body = json.dumps(prediction("chunked")).encode()
    connection.request("POST", "/v1/records", iter([body[:10], body[10:]]), encode_chunked=True,
                       headers={"Authorization": "Bearer " + token_of("admin"), "Content-Type": "application/json",
                                "Transfer-Encoding": "chunked"})
    assert Answer(connection.getresponse()).status == 201
    connection.close()


def test_a_batch_of_ten_megabytes(server):
    lines = "\n".join(json.dumps(prediction(f"big-{i}", feature_values="x" * 2000)) for i in range(5000))
    assert server.batch(lines).json()["accepted"] == 5000


def test_a_client_that_vanishes_harms_nobody(server):
    for _ in range(20):
        with server.socket() as s:
            s.sendall(request_bytes(prediction("gone"))[:-5])
        with server.socket() as s:
            s.sendall(request_bytes(prediction("gone too")))
    assert server.get("/healthz").status == 200


def test_garbage_harms_nobody(server):
    for text in (b"\r\n\r\n", b"GET\r\n\r\n", b"\0" * 100, b"POST /v1/records HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                 b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"):
        with server.socket() as s:
            s.settimeout(1)  # half of a request may also be left waiting until its deadline
            s.sendall(text)
            s.shutdown(socket.SHUT_WR)
            try:
                while s.recv(4096):
                    pass
            except (TimeoutError, ConnectionResetError):
                pass
    assert server.get("/healthz").status == 200


def test_head_is_get_without_a_body(server):
    answer = server.ask("HEAD", "/healthz")
    assert answer.status == 200 and answer.body == b""


def test_the_local_socket_knows_its_user(server):
    path = server.dir / "sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        s.sendall(b"GET /v1/records?limit=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        response = http.client.HTTPResponse(s)
        response.begin()
        assert response.status == 200
    newest = server.get("/v1/access?limit=1").json()["items"][0]
    assert newest["payload"]["principal"].startswith("local:")


def test_a_second_server_is_refused(server, binary):
    done = subprocess.run([binary, "serve", server.dir, "--listen", "127.0.0.1:0"], capture_output=True, timeout=20)
    assert done.returncode == 3 and done.stderr


def test_many_writers_and_readers_at_once(server):
    failed = []

    def write(n):
        for i in range(20):
            if server.append(prediction(f"many-{n}-{i}")).status != 201:
                failed.append((n, i))

    def read(n):
        for _ in range(10):
            if server.get("/v1/records?limit=5").status != 200:
                failed.append(n)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    threads += [threading.Thread(target=read, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed


def test_what_was_acknowledged_before_a_stop_is_there_after_it(server):
    acknowledged, stop = [], threading.Event()

    def write(n):
        i = 0
        while not stop.is_set():
            try:
                answer = server.append(prediction(f"stop-{n}-{i}"))
            except (OSError, http.client.HTTPException):
                return
            if answer.status != 201:
                return
            acknowledged.append((answer.json()["index"], answer.json()["leaf"]))
            i += 1

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    stop.wait(0.5)
    assert server.stop() == 0
    stop.set()
    for t in threads:
        t.join()
    server.start()
    assert acknowledged
    for index, leaf in acknowledged[-20:]:
        assert server.get(f"/v1/records/{index}").json()["leaf"] == leaf
