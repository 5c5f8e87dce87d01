"""The fixtures themselves: a trail answers, and its tokens have the grants that they should have."""
from __future__ import annotations

import requests


def test_a_producer_may_send_and_not_read(trail):
    token = trail.producer("harness")
    record = {"kind": "prediction", "request_id": "harness-1", "timestamp": "2026-11-23T10:00:00Z"}
    sent = requests.post(f"{trail.url}/v1/records", json=record, headers={"Authorization": f"Bearer {token}"}, timeout=20)
    assert sent.status_code == 201, sent.text
    assert requests.get(f"{trail.url}/v1/records", auth=("x", token), timeout=20).status_code == 403
    assert [i["entry"]["facts"]["request_id"] for i in trail.search(kind="prediction")] == ["harness-1"]
