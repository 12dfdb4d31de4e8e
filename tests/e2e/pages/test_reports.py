"""The page of reports in a real Chromium: over a registry that says what a test wants, and over a whole stack with a webhook."""

import csv
import io
import json
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from fencepost.providers.mailgun_hooks import sign
from fencepost.settings import Frontend, Settings
from frontend.app import create_app
from frontend.registry_client import FieldProblem, Refused, Registry
from frontend.shapes import MailReport
from frontend.views import REGISTRY
from tests.e2e.pages.conftest import Site, faults_of
from tests.support.eventually import eventually

pytestmark = pytest.mark.browser

TODAY = datetime.now(UTC).date()


def counts(sent: int) -> dict[str, int]:
    """A likely month of so many."""
    delivered, opened = sent * 95 // 100, sent * 40 // 100
    return {
        **{"sent": sent, "delivered": delivered, "bounced": sent * 2 // 100, "complained": sent // 1000},
        **{"failed": sent // 200, "expired": sent // 500, "suppressed": sent // 100, "cancelled": 0},
        **{"in_doubt": sent // 900, "opened": opened, "machine_opened": sent // 7, "clicked": sent // 9},
        **{"unsubscribed": sent // 400, "opens": opened * 2, "clicks": sent // 8},
    }


def rates(of: dict[str, int]) -> dict[str, float | None]:
    sent, delivered = of["sent"], of["delivered"]
    return {
        "delivery_rate": delivered / sent if sent else None,
        "bounce_rate": of["bounced"] / sent if sent else None,
        "complaint_rate": of["complained"] / delivered if delivered else None,
        "open_rate": of["opened"] / delivered if delivered else None,
        "click_rate": of["clicked"] / delivered if delivered else None,
        "unsubscribe_rate": of["unsubscribed"] / delivered if delivered else None,
    }


class Pretended(Registry):
    """A registry whose report has `sent` mails in each group."""

    counted_at: str | None = "now"
    sent: int = 4000
    refused: Refused | None = None

    def mail_report(self, **filters: str | None) -> MailReport:
        if self.refused:
            raise self.refused
        groups: list[tuple[str | None, str | None]] = [
            (str(TODAY - timedelta(days=back)), None) for back in reversed(range(14))
        ]
        match filters["group"]:
            case "provider":
                groups = [("mailgun", None), ("ses", None), (None, None)]
            case "tag":
                groups = [*((f"campaign-{number}", None) for number in range(13)), (None, None)]
            case "schedule":
                groups = [
                    ("sch_01JD0000000000000000000000", "The weekly newsletter of all harbours of the north"),
                    (None, None),
                ]
        lines: list[Any] = []
        for number, (key, name) in enumerate(groups):
            found = counts(self.sent * (7 + 5 * (number % 7)) // 20)
            lines.append({"key": key, "name": name, "counts": found, "rates": rates(found)})
        total = {name: sum(line["counts"][name] for line in lines) for name in counts(0)}
        at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" if self.counted_at == "now" else self.counted_at
        days = {"from": str(TODAY - timedelta(days=29)), "to": str(TODAY), "timezone": filters["timezone"]}
        said: Any = {**days, "group": filters["group"], "counted_at": at, "more": 0}
        return {**said, "counts": total, "rates": rates(total), "data": lines}  # type: ignore[typeddict-item]


@pytest.fixture
def registry() -> Pretended:
    return Pretended(Frontend(registry_url="http://127.0.0.1:9"))


@pytest.fixture
def alone(browser: Browser, registry: Pretended) -> Iterator[Page]:
    """A tab for the pages over that registry, which ask nobody else."""
    app = create_app(Settings(frontend=Frontend(trust_loopback=True, registry_url="http://127.0.0.1:9")))
    app.extensions[REGISTRY] = registry
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.server_port}", reduced_motion="reduce")
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context.new_page()
    context.close()
    server.shutdown()
    thread.join()
    server.server_close()
    assert [url for url in asked if not url.startswith(f"http://127.0.0.1:{server.server_port}/")] == []


def test_a_month_is_seen_at_a_glance_and_all_of_it_in_the_table(alone: Page) -> None:
    alone.goto("/reports/mail")
    expect(alone.get_by_role("link", name="Reports")).to_have_attribute("aria-current", "page")
    expect(alone.get_by_role("link", name="Proof", include_hidden=True)).not_to_have_attribute("aria-current", "page")
    tiles = alone.locator(".tiles")
    expect(tiles).to_contain_text("95.0 % of what was sent")
    expect(alone.get_by_role("img", name="What became of it")).to_be_visible()
    expect(alone.get_by_role("img", name="Opened and clicked")).to_be_visible()
    table = alone.get_by_role("table")
    expect(table.get_by_role("row")).to_have_count(16)
    expect(table.get_by_role("row", name="All together")).to_be_visible()
    day = table.get_by_role("row").nth(14).get_by_role("link")
    expect(day).to_have_attribute("href", f"/mails?from={TODAY}T00:00&until={TODAY + timedelta(days=1)}T00:00")
    assert faults_of(alone) == []


@pytest.mark.parametrize("group", ["provider", "tag", "schedule"])
def test_other_groups_lead_on_from_their_lines(alone: Page, group: str) -> None:
    alone.goto("/reports/mail?days=7")
    alone.get_by_label("By", exact=True).select_option(group)
    expect(alone.get_by_role("columnheader").first).to_have_text(group.capitalize())
    expect(alone).to_have_url(f"/reports/mail?days=7&group={group}&timezone=UTC")
    first = alone.get_by_role("table").get_by_role("link").first
    expected = {
        "provider": "/reports/mail?days=7&timezone=UTC&group=day&provider=mailgun",
        "tag": "/reports/mail?days=7&timezone=UTC&group=day&tag=campaign-0",
        "schedule": "/schedules/sch_01JD0000000000000000000000",
    }
    expect(first).to_have_attribute("href", expected[group])
    if group == "tag":
        assert faults_of(alone) == []


def test_days_of_ones_own_and_a_zone_by_keyboard(alone: Page) -> None:
    alone.goto("/reports/mail")
    expect(alone.get_by_label("From")).to_be_hidden()
    alone.get_by_label("Due in").focus()
    alone.keyboard.press("End")
    expect(alone.get_by_label("From")).to_be_visible()
    alone.keyboard.press("Tab")
    expect(alone.get_by_label("From")).to_be_focused()
    alone.get_by_label("From").fill("2026-11-01")
    alone.get_by_label("In the time zone").fill("Asia/Kathmandu")
    alone.keyboard.press("Enter")
    expect(alone).to_have_url("/reports/mail?days=own&from=2026-11-01&group=day&timezone=Asia%2FKathmandu")
    expect(alone.get_by_role("region", name="What became of it")).to_contain_text("Asia/Kathmandu")
    table = alone.get_by_role("group", name="All figures")
    table.focus()
    expect(table).to_be_focused()
    alone.reload()
    expect(alone.get_by_label("From")).to_have_value("2026-11-01")


def test_what_is_not_there_is_said(alone: Page, registry: Pretended) -> None:
    registry.counted_at = None
    alone.goto("/reports/mail")
    expect(alone.get_by_role("main")).to_contain_text("Nothing has been counted yet")
    registry.counted_at, registry.sent = "2026-01-01T00:00:00Z", 0
    alone.goto("/reports/mail")
    expect(alone.get_by_role("main")).to_contain_text("No mail in this time")
    expect(alone.get_by_role("note")).to_contain_text("Nobody is counting")
    found = faults_of(alone)
    registry.refused = Refused(422, "Wrong", "", (FieldProblem("/timezone", "“Mars” is not a time zone"),))
    alone.goto("/reports/mail?timezone=Mars")
    expect(alone.get_by_role("alert")).to_contain_text("“Mars” is not a time zone")
    expect(alone.get_by_label("In the time zone")).to_have_value("Mars")
    assert found + faults_of(alone) == []


def test_a_signed_webhook_raises_the_open_count_once_and_the_page_and_the_file_show_it(tab: Page, site: Site) -> None:
    schedule = site.due_now("Opened letter", message={"tags": ["=letters"]})
    [mail] = eventually(lambda: [each for each in site.mails(schedule) if each["state"] == "accepted"], seconds=60)
    event = {
        "event": "opened",
        "id": secrets.token_hex(8),
        "timestamp": time.time(),
        "user-variables": {"fencepost": f"{mail['id']}/1"},
        "message": {"headers": {"message-id": "m1@mg.example.com"}},
    }
    assert [tell(site, event) for _ in range(3)] == ["recorded", "known", "known"]
    asked = f"/reports/mail?schedule_id={schedule['id']}"
    eventually(lambda: site.call("GET", asked)["counts"]["opened"] == 1, seconds=60)
    found = site.call("GET", asked)["counts"]
    assert (found["sent"], found["delivered"], found["opens"]) == (1, 1, 1)

    tab.goto(f"/reports/mail?schedule_id={schedule['id']}&group=tag")
    row = tab.get_by_role("row", name="=letters")
    expect(row.get_by_role("cell").nth(4)).to_have_text("1 100.0 %")
    with tab.expect_download() as started:
        tab.get_by_role("link", name="Download as CSV").click()
    assert started.value.suggested_filename.endswith("-by-tag.csv")
    [line] = csv.DictReader(io.StringIO(Path(started.value.path()).read_text()))
    assert (line["tag"], line["opened"], line["open_rate"]) == ("'=letters", "1", "1.0")


def tell(site: Site, event: dict[str, Any]) -> str:
    stamp, token = str(int(time.time())), secrets.token_hex(25)
    key = site.stack.variables["FENCEPOST_PROVIDERS__MAILGUN__WEBHOOK_SIGNING_KEY"]
    signature = {"timestamp": stamp, "token": token, "signature": sign(key, stamp, token)}
    answer = requests.post(
        f"{site.stack.registry_url}/hooks/mailgun",
        data=json.dumps({"signature": signature, "event-data": event}),
        headers={"Content-Type": "application/json"},
        timeout=20,
    )
    return str(answer.json()["result"])
