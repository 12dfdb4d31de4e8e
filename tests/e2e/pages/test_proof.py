"""The pages of proof in a real Chromium: the audit over a registry that says what a test wants, and the report of a file."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from fencepost.settings import Frontend, Settings
from frontend.app import create_app
from frontend.registry_client import Registry
from frontend.shapes import Audit, Cluster, Finding
from frontend.views import REGISTRY
from tests.e2e.pages.conftest import faults_of

pytestmark = pytest.mark.browser

REPORT = """# Fault report

Made by `make chaos`: **200 seeds**, nothing <b>lost</b>.

## Verdict

| | |
|---|---|
| seeds | 1 to 200 |

| figure | count |
|--------|------:|
| occurrences | 41,220 |
| duplicated | 0 |
| lost \\| unrecorded | 0 |

- Redis was emptied
- a sender was frozen
  for longer than its lease

```
seed 7: kill sender-2
```
"""


def ago(**span: float) -> str:
    return f"{datetime.now(UTC) - timedelta(**span):%Y-%m-%dT%H:%M:%SZ}"


def finding(kind: str, detail: str, *, resolved: bool = False) -> Finding:
    return {
        "id": f"{kind}:sch_01JD0000000000000000000000",
        "kind": kind,
        "schedule_id": "sch_01JD0000000000000000000000",
        "schedule_name": "Weekly report",
        "at": ago(minutes=4),
        "detail": detail,
        "first_seen": ago(minutes=3),
        "last_seen": ago(seconds=20),
        "resolved_at": ago(minutes=1) if resolved else None,
    }


def audit(*findings: Finding, missing: int = 0, last_round_at: str | None = "now") -> Audit:
    return {
        "last_round_at": ago(seconds=30) if last_round_at == "now" else last_round_at,
        "seconds": 0.42,
        "schedules": 12,
        "occurrences": {"expected": 1204, "on_record": 1201 - missing, "skipped": 3, "missing": missing},
        "findings": list(findings),
        "open": sum(1 for each in findings if not each["resolved_at"]),
    }


NEVER_RUN: Audit = {
    "last_round_at": None,
    "seconds": None,
    "schedules": 0,
    "occurrences": {"expected": 0, "on_record": 0, "skipped": 0, "missing": 0},
    "findings": [],
    "open": 0,
}


class Pretended(Registry):
    """A registry whose audit is as it is set."""

    said: Audit = NEVER_RUN

    def audit(self) -> Audit:
        return self.said

    def cluster(self) -> Cluster:
        said: dict[str, Any] = dict.fromkeys(Cluster.__annotations__)
        alarm = {"since": ago(minutes=2), "kind": "audit.silent", "detail": "Weekly report has gone silent"}
        return {**said, "alarms": [alarm], "notes": [], "emails_by_state": {"held": 2}}  # type: ignore[typeddict-item]


class Pages:
    """The frontend on its own, and what it shows."""

    def __init__(self, url: str, registry: Pretended, report: Path) -> None:
        self.url, self.registry, self.report = url, registry, report


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    report = tmp_path / "fault-report.md"
    settings = Settings(
        frontend=Frontend(trust_loopback=True, registry_url="http://127.0.0.1:9", fault_report=str(report))
    )
    app = create_app(settings)
    registry = app.extensions[REGISTRY] = Pretended(settings.frontend)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Pages(f"http://127.0.0.1:{server.server_port}", registry, report)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def alone(browser: Browser, pages: Pages) -> Iterator[Page]:
    """A tab for these pages, which must ask nobody else."""
    context = browser.new_context(base_url=pages.url, reduced_motion="reduce")
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context.new_page()
    context.close()
    assert [url for url in asked if not url.startswith((pages.url, "data:"))] == []


def test_the_proof_is_seen_at_a_glance(alone: Page, pages: Pages) -> None:
    pages.registry.said = audit()
    alone.goto("/audit")
    expect(alone.get_by_role("heading", level=2).first).to_have_text(
        "1\u202f204 occurrences were due in the last 24 hours; 1\u202f204 are on record."
    )
    expect(alone.get_by_role("main")).to_contain_text("None is missing. 3 of them were skipped")
    expect(alone.get_by_role("region", name="Needs a look")).to_contain_text("Nothing is amiss")
    assert faults_of(alone) == []


def test_findings_are_explained_the_open_ones_first(alone: Page, pages: Pages) -> None:
    open_ones = [
        finding(kind, f"Weekly report: {kind}")
        for kind in ("silent", "late", "missing_mail", "stuck", "extra", "twice")
    ]
    pages.registry.said = audit(finding("late", "it was late", resolved=True), *open_ones, missing=1)
    alone.goto("/audit")
    expect(alone.get_by_role("main")).to_contain_text("1 is missing")
    needed = alone.get_by_role("region", name="Needs a look")
    expect(needed.get_by_role("listitem")).to_have_count(6)
    expect(needed.get_by_role("heading", level=3).first).to_contain_text("nobody will make it up by itself")
    expect(alone.get_by_role("region", name="Resolved").get_by_role("listitem")).to_have_count(1)
    assert faults_of(alone) == []
    pages.registry.said = audit()  # and the page follows by itself
    expect(needed).to_contain_text("Nothing is amiss")


def test_an_auditor_that_is_absent_or_silent_proves_nothing(alone: Page, pages: Pages) -> None:
    alone.goto("/audit")
    expect(alone.get_by_role("main")).to_contain_text("No auditor has run yet")
    expect(alone.get_by_role("main")).to_contain_text("python -m auditor")
    found = faults_of(alone)
    pages.registry.said = audit(last_round_at=ago(minutes=30))
    alone.goto("/audit")
    expect(alone.get_by_role("note")).to_contain_text("The auditor has fallen silent: its last round ended 30 min ago")
    assert found + faults_of(alone) == []


def test_an_alarm_of_the_auditor_leads_to_its_page(alone: Page, pages: Pages) -> None:
    alone.goto("/cluster/live")
    alone.get_by_role("link", name="What the auditor found").click()
    expect(alone).to_have_title("Audit · Fencepost")
    expect(alone.get_by_role("link", name="Desk 2 wait for a decision")).to_be_visible()


def test_the_report_is_shown_under_its_promise(alone: Page, pages: Pages) -> None:
    alone.goto("/report")
    report = alone.get_by_role("article")
    expect(report).to_contain_text("No report is here yet")
    expect(report).to_contain_text("make chaos")
    found = faults_of(alone)
    pages.report.write_text(REPORT)
    alone.goto("/audit")
    alone.get_by_role("link", name="Fault report").click()
    expect(report.get_by_role("heading")).to_have_text(["Verdict"])
    expect(report).to_contain_text("nothing <b>lost</b>.")
    expect(report.get_by_role("row")).to_have_text(
        ["seeds1 to 200", "figurecount", "occurrences41,220", "duplicated0", "lost | unrecorded0"]
    )
    expect(report.get_by_role("listitem")).to_have_text(
        ["Redis was emptied", "a sender was frozen for longer than its lease"]
    )
    expect(alone.get_by_role("complementary")).to_contain_text("there is exactly one occurrence on record")
    assert found + faults_of(alone) == []
