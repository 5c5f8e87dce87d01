"""Offline proofs, cosignatures and policies that another implementation makes get the verdict that it gives them."""
from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CASES = 300
SEED = 20261124


def ours(binary: Path, case: Path) -> subprocess.CompletedProcess:
    return subprocess.run([binary, "verify", case / "proof", "--entry", case / "entry", "--policy", case / "policy"],
                          capture_output=True, text=True, timeout=60)


def test_three_hundred_proofs_of_torchwood(binary, proofpeer, tmp_path):
    """Random logs, witnesses and nested quorums, honest or with one thing wrong: both verifiers say the same."""
    subprocess.run([proofpeer, tmp_path, str(CASES), str(SEED)], check=True, timeout=60)
    cases = [line.split(" ", 2) for line in (tmp_path / "verdicts").read_text().splitlines()]
    assert len(cases) == CASES
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda case: ours(binary, tmp_path / case[0]), cases))
    counted = {"true": 0, "false": 0}
    for (name, theirs, what), answer in zip(cases, answers):
        # Where the policy asks for no witness, torchwood does not look at cosignatures. We do: a bad one under a key that
        # the policy names refuses the note.
        want = "false" if what == "a bad cosignature" else theirs
        assert answer.returncode == {"true": 0, "false": 1}[want], f"{name}, {what}: {answer.stdout}{answer.stderr}"
        counted[want] += 1
    assert min(counted.values()) > CASES // 5, counted


def test_the_comparison_sees_a_difference(binary, proofpeer, tmp_path):
    """The net and not only the fish: a case whose entry was exchanged afterwards is no longer what torchwood judged."""
    subprocess.run([proofpeer, tmp_path, "20", str(SEED)], check=True, timeout=60)
    cases = [line.split(" ", 2) for line in (tmp_path / "verdicts").read_text().splitlines()]
    name = next(name for name, verdict, what in cases if verdict == "true" and what == "honest")
    assert ours(binary, tmp_path / name).returncode == 0
    (tmp_path / name / "entry").write_text("exchanged")
    assert ours(binary, tmp_path / name).returncode == 1
