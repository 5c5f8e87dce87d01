"""What several of these tests use."""
from __future__ import annotations

import contextlib
import threading
from http.server import ThreadingHTTPServer

import pytest


@pytest.fixture()
def serving():
    """Serves by a handler while the test runs; gives the URL."""
    with contextlib.ExitStack() as ends:
        def serve(handler) -> str:
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            server.daemon_threads = True
            ends.callback(server.server_close)
            ends.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            return f"http://127.0.0.1:{server.server_port}"
        yield serve
