"""What the end-to-end tests share: the built program, the demo's modules, the SDK."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples" / "demo"), str(ROOT / "sdk" / "python"), str(ROOT / "tests" / "lib"),
                str(Path(__file__).resolve().parent)]
from built import binary  # noqa: E402, F401


PATIENTS = 6  # of each version; the whole demo scores 113


@pytest.fixture(scope="session")
def ran(binary, tmp_path_factory):
    """The demo after it ended, with the dossier that the auditor got while it ran."""
    import demo as demonstration  # found by way of the path set above
    from proofs import read_entries

    demo = demonstration.Demo(binary, tmp_path_factory.mktemp("demo") / "demo-trail", None, PATIENTS)
    try:
        demo.start()
        demo.request_id = demo.story()
        with demo.trail("auditor") as trail:
            demo.dossier = trail.report(demo.request_id)
            size = demo.dossier["generated"]["tree_size"]
            demo.html = trail.report_as(demo.request_id, "html", at_size=size).decode()
            demo.text = trail.report_as(demo.request_id, "text", at_size=size).decode()
            demo.again = trail.report_as(demo.request_id, "json", at_size=size)
    finally:
        demo.program.stop()
    demo.entries = read_entries(demo.program.trail)
    return demo
