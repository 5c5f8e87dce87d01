"""What the end-to-end tests share: the demo, run once."""
from __future__ import annotations

import pytest

import demo as demonstration
from proofs import read_entries

PATIENTS = 6  # of each version; the whole demo scores 113


@pytest.fixture(scope="session")
def ran(binary, tmp_path_factory):
    """The demo after it ended, with the dossier that the auditor got while it ran."""
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
    demo.entries, demo.patients = read_entries(demo.program.trail), PATIENTS
    return demo
