"""kill -9 at any moment: nothing acknowledged is lost, and the tree extends every head that was handed out.

MLT_KILLS (default 10) servers are killed under load. The seed is printed; MLT_SEED replays the pauses.
"""
from __future__ import annotations

import json
import os
import random
import threading
import time

import mltrail
from program import Program
from proofs import leaf_hash, open_checkpoint, read_entries, roots

KILLS = int(os.environ.get("MLT_KILLS", "10"))
SEED = int(os.environ.get("MLT_SEED", random.SystemRandom().randrange(1 << 32)))
WRITERS = 4
BATCH = 25


class Writer(threading.Thread):
    """Appends single records and batches, and keeps what was acknowledged."""

    def __init__(self, number, url, token_file, stop):
        super().__init__(daemon=True)
        self.number, self.stop = number, stop
        self.trail = mltrail.Trail(url, token_file=token_file, attempts=40, timeout=20)
        self.acknowledged = {}
        self.checkpoints = set()
        self.failure = None

    def record(self, n):
        request_id = f"w{self.number}-{n}"
        return {"kind": "prediction", "request_id": request_id, "timestamp": mltrail.now(), "model": "m",
                "model_version": "1", "feature_values": {"x": n}, "prediction": n % 2, "serving_node": "n"}

    def keep(self, request_id, receipt):
        self.acknowledged[request_id] = receipt
        self.checkpoints.add(receipt.checkpoint)

    def run(self):
        n = 0
        try:
            while not self.stop.is_set():
                one = self.record(n)
                members = {name: value for name, value in one.items() if name != "kind"}
                self.keep(one["request_id"], self.trail.log_prediction(**members))
                many = [self.record(n + 1 + i) for i in range(BATCH)]
                for line, receipt in self.trail.log_batch(many).receipts:
                    self.keep(many[line - 1]["request_id"], receipt)
                n += 1 + BATCH
        except Exception as error:
            self.failure = error


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(binary, tmp_path):
    print(f"seed {SEED}, {KILLS} kills")
    chance = random.Random(SEED)
    program = Program(binary, tmp_path / "trail")
    program.init("kill.example/log")
    token = tmp_path / "trail.state" / "admin.token"
    log = tmp_path / "server.log"
    stop = threading.Event()
    writers = [Writer(n, program.url, token, stop) for n in range(WRITERS)]
    try:
        program.serve(log)
        for writer in writers:
            writer.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.05, 0.5))
            program.kill()
            program.serve(log)
        time.sleep(0.3)
        stop.set()
        for writer in writers:
            writer.join(60)
            assert not writer.is_alive() and writer.failure is None, writer.failure
    finally:
        stop.set()
        program.stop()

    verdict = json.loads(program.run("verify", str(program.trail), "--json", ok=(0, 1)).stdout)
    assert verdict["verdict"] is True or verdict["verdict"] == "verified", verdict
    entries = read_entries(program.trail)
    leaves = [leaf_hash(entry) for entry in entries]
    known = roots(leaves)
    vkey = vkey_of(program)
    acknowledged = {name: receipt for writer in writers for name, receipt in writer.acknowledged.items()}
    assert len(acknowledged) > KILLS
    for name, receipt in acknowledged.items():
        assert leaves[receipt.index].hex() == receipt.leaf, name
        assert json.loads(entries[receipt.index])["facts"]["request_id"] == name
    checkpoints = set().union(*(writer.checkpoints for writer in writers))
    for checkpoint in checkpoints:
        head = open_checkpoint(checkpoint, vkey)
        assert known[head.size] == head.root, f"the tree does not extend the head of size {head.size}"
    parsed = [json.loads(entry) for entry in entries]
    names = [entry["facts"]["request_id"] for entry in parsed if entry["kind"] == "prediction"]
    assert len(names) == len(set(names)), "a retry was recorded twice"
    print(f"{len(entries)} entries, {len(acknowledged)} acknowledged, {len(checkpoints)} heads checked")


def vkey_of(program):
    """The trail's verifier key."""
    for value in walk(json.loads((program.trail / "trail.json").read_text())):
        if isinstance(value, str) and value.count("+") >= 2:
            return value
    raise AssertionError("trail.json names no key")


def walk(value):
    if isinstance(value, dict):
        for member in value.values():
            yield from walk(member)
    elif isinstance(value, list):
        for member in value:
            yield from walk(member)
    else:
        yield value
