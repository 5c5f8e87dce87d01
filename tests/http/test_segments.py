"""The server commits to the links of whole segments while it works, and verify recomputes every commitment."""
import hashlib
import json
import shutil
import struct
import subprocess

import pytest

from api_server import Server, prediction
from served import until

ENTRIES = 32
REQUEST, EVENT, RESOURCE = 1, 5, 6  # src/record/term.h


@pytest.fixture()
def segmented(binary, tmp_path):
    running = Server(binary, tmp_path, serve=["--segment-entries", str(ENTRIES)])
    yield running
    if running.process.poll() is None:
        running.stop()


def covered(server) -> int:
    text = server.get("/metrics").body.decode()
    return int(next(line for line in text.splitlines() if line.startswith("mltrail_segments_covered ")).split()[1])


def wait_covered(server, size):
    until(lambda: covered(server) >= size, missing=f"not all of {size} entries are committed to")


def verify(server):
    return subprocess.run([server.binary, "verify", server.dir, "--json"], capture_output=True, text=True, timeout=60)


def read_entries(server):
    size = server.size()
    entries = []
    while len(entries) < size:
        number, width = divmod(len(entries), 256)[0], min(256, size - len(entries))
        data = server.get(f"/tile/entries/{number:03d}" + (f".p/{width}" if width < 256 else ""), who="mirror").body
        while data:
            length = struct.unpack(">H", data[:2])[0]
            entries.append(json.loads(data[2:2 + length]))
            data = data[2 + length:]
    return entries


# --- the definition in docs/FORMAT.md, a second time ---

def link(dimension, *values):
    text = b"mltrail/v1 link".ljust(32, b"\0") + bytes([dimension])
    for value in values:
        text += struct.pack(">I", len(value.encode())) + value.encode()
    return hashlib.sha256(text).digest()


def links(entry):
    facts = entry["facts"]
    if entry["kind"] == "prediction":
        return {link(REQUEST, facts["request_id"])}
    found = {link(EVENT, entry["kind"], entry["id"])}
    if entry["kind"] == "access" and "id" in facts["resource"]:
        found.add(link(RESOURCE, facts["resource"]["type"], facts["resource"]["id"]))
    return found


def root(leaves):
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + root(leaves[:half]) + root(leaves[half:])).digest()


def test_whole_segments_are_committed_to_and_merged(segmented):
    server = segmented
    total = ENTRIES * 18
    for n in range(0, total, 100):
        server.batch("".join(json.dumps(prediction(f"r{k}")) + "\n" for k in range(n, min(n + 100, total))))
    wait_covered(server, total)
    entries = read_entries(server)
    commitments = [(i, e["facts"]) for i, e in enumerate(entries) if e["facts"].get("control") == "segment"]
    assert [(c["first"], c["end"]) for _, c in commitments].count((0, ENTRIES * 16)) == 1
    for index, c in commitments:
        assert c["end"] <= index
        leaves = sorted(x + struct.pack(">Q", i) for i in range(c["first"], c["end"]) for x in links(entries[i]))
        assert (c["links"], c["root"]) == (len(leaves), root(leaves).hex())
    # What a merge takes the place of is gone, and while the server writes, verify sees the same.
    names = {p.name for p in (server.dir / "links").iterdir()}
    assert f"0-{ENTRIES * 16}" in names and f"0-{ENTRIES}" not in names
    report = json.loads(verify(server).stdout)
    assert report["verdict"] is True and report["commitments"] == len(commitments)


def test_derived_files_may_be_lost(segmented):
    server = segmented
    server.batch("".join(json.dumps(prediction(f"r{k}")) + "\n" for k in range(ENTRIES * 15)))
    wait_covered(server, ENTRIES * 15)
    assert server.stop() == 0
    shutil.rmtree(server.dir / "links")
    server.start()
    assert covered(server) in (0, ENTRIES * 15)  # learned from the log, a moment after the start
    server.batch("".join(json.dumps(prediction(f"s{k}")) + "\n" for k in range(ENTRIES * 2)))
    wait_covered(server, ENTRIES * 17)
    assert server.stop() == 0
    report = json.loads(verify(server).stdout)
    assert report["verdict"] is True
    assert report["committed"] >= ENTRIES * 17


def test_a_segment_has_a_power_of_two_of_entries(binary, tmp_path):
    with pytest.raises(AssertionError, match="did not start"):
        Server(binary, tmp_path, serve=["--segment-entries", "1000"])
