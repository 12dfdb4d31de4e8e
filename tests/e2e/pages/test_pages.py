"""Every page in a real Chromium, on a whole stack with mail of several kinds in it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from werkzeug.serving import make_server

from fencepost.settings import Frontend, Settings
from frontend.app import create_app
from tests.e2e.pages.conftest import Site, faults_of
from tests.support.eventually import eventually

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Story:
    """What happened on the stack before the tests look at it."""

    weekly: Any
    paused: Any
    accepted: Any
    unknown: Any
    failed: Any
    hostile: Any


@pytest.fixture(scope="module")
def story(site: Site) -> Story:
    """Mail that was accepted, that is unknown, that failed, that is hostile; schedules that wait and that are paused."""
    weekly = site.schedule(
        "Weekly report", {"type": "cron", "expression": "0 9 * * 1", "timezone": "Europe/Berlin"}, to=5
    )
    paused = site.schedule("Every second", {"type": "interval", "every": "1s"}, message={"text": "tick"})
    site.call("POST", f"/schedules/{paused['id']}/pause", {"reason": "it ticks too fast"})

    def one_mail(name: str, state: str, fault: str | None, **message: Any) -> Any:
        site.dial(faults={fault: {"next": 1}} if fault else {})
        schedule = site.due_now(name, message=message)
        return eventually(lambda: [mail for mail in site.mails(schedule) if mail["state"] == state], seconds=30)[0]

    evil = "<h1>Read me</h1><script>top.document.title = 'owned'</script><img src='http://evil.example/x.gif'>"
    return Story(
        weekly=weekly,
        paused=paused,
        accepted=one_mail("Good news", "accepted", None),
        unknown=one_mail("Lost answer", "unknown", "accept_and_reset"),
        failed=one_mail("Bad news", "failed", "400"),
        hostile=one_mail("Hostile", "accepted", None, html=evil),
    )


def test_first_run_leads_to_the_form(tab: Page, site: Site) -> None:
    """Must come before anything is written, hence first and without the story."""
    tab.goto("/")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Mail at the right instant, once.")
    found = faults_of(tab)
    for page in ("/schedules", "/mails", "/cluster"):
        tab.goto(page)
        found += faults_of(tab)
    assert found == []
    tab.goto("/")
    tab.get_by_role("link", name="Make the first schedule").click()
    expect(tab).to_have_title("New schedule · Fencepost")


@pytest.mark.timeout(400)
def test_axe_finds_nothing_on_any_page(tab: Page, story: Story) -> None:
    found: list[str] = []
    for page in (
        "/",
        "/schedules",
        f"/schedules/{story.weekly['id']}",
        f"/schedules/{story.paused['id']}",
        f"/schedules/{story.weekly['id']}/delete",
        f"/schedules/{story.weekly['id']}/backfill",
        f"/schedules/{story.weekly['id']}/backfill?from=2020-01-01T00:00&until=nonsense",
        "/mails",
        f"/mails/{story.accepted['id']}",
        f"/mails/{story.unknown['id']}?view=text",
        "/cluster",
        "/cluster?view=list",
        "/dashboard/lists",
        "/nothing-here",
    ):
        tab.goto(page)
        found += faults_of(tab)
    assert found == []


def test_axe_would_find_something(tab: Page) -> None:
    """The control: a page with faults has them reported, in each theme and width."""
    tab.goto("/nothing-here")
    tab.evaluate("document.querySelector('main').append(new Image(), document.createElement('button'))")
    tab.evaluate(
        "document.querySelector('h1').style.color = 'var(--fp-line)'; document.querySelector('h1').style.width = '2000px'"
    )
    found = faults_of(tab)
    assert len([fault for fault in found if "image-alt" in fault]) == 2
    assert len([fault for fault in found if "button-name" in fault]) == 2
    assert len([fault for fault in found if "color-contrast" in fault]) == 4
    assert len([fault for fault in found if "sideways" in fault]) == 4


def test_the_dashboard_tells_what_ran_and_what_comes(tab: Page, story: Story) -> None:
    tab.goto("/")
    expect(tab.get_by_role("region", name="What comes")).to_contain_text("Weekly report")
    expect(tab.get_by_role("region", name="What ran")).to_contain_text("Good news")
    expect(tab.locator("#tile-attention")).to_contain_text("1 unknown")
    expect(tab.locator("#tile-senders .tile-figure")).to_have_text("1")
    # Other tests of this file may have sent mail before.
    expect(tab.locator("#activity-totals")).to_contain_text(re.compile(r"Accepted\s*([2-9]|\d\d)"))
    expect(tab.locator(".chart canvas")).to_be_visible()
    tab.get_by_role("link", name="1 unknown").click()
    expect(tab.locator(".row-title")).to_have_text(["Lost answer for Reader 0"])


def test_an_unknown_mail_is_explained(tab: Page, story: Story) -> None:
    tab.goto(f"/mails/{story.unknown['id']}")
    expect(tab.locator(".verdict")).to_contain_text("may have sent this mail, or not")
    expect(tab.locator(".moment-title")).to_contain_text(
        ["Planned", "Claimed", "Past the fence", "Provider called", "Unknown"]
    )
    attempt = story.unknown["attempts"][0]
    expect(tab.locator(".attempts")).to_contain_text(attempt["sender"])
    expect(tab.locator(".token")).to_have_text(f"{attempt['token']['generation']}/{attempt['token']['revision']}")


def test_the_audit_proves_what_was_due(tab: Page, story: Story) -> None:
    """By the real auditor: the mails of the story were due once each, and what the paused schedule left out is on record too."""
    tab.goto("/audit")
    proved = tab.get_by_role(
        "region", name=re.compile(r"^\d+ occurrences were due in the last 24 hours; \d+ are on record")
    )
    expect(proved).to_contain_text(re.compile(r"None is missing. \d+ of them were skipped"))
    expect(tab.get_by_role("region", name="Needs a look")).to_contain_text("Nothing is amiss")
    assert faults_of(tab) == []


def test_a_hostile_mail_runs_nothing_and_asks_nobody(context: BrowserContext, tab: Page, story: Story) -> None:
    """That no other host was asked is seen by the context when it closes."""
    tab.goto(f"/mails/{story.hostile['id']}")
    expect(tab.frame_locator("iframe").get_by_role("heading")).to_have_text("Read me")
    expect(tab).to_have_title(re.compile("^Hostile"))
    alone = context.new_page()
    alone.goto(f"/mails/{story.hostile['id']}/content")
    expect(alone.get_by_role("heading")).to_have_text("Read me")
    expect(alone).not_to_have_title("owned")


def test_mails_are_found_by_state_schedule_and_recipient(tab: Page, story: Story) -> None:
    tab.goto("/mails")
    tab.get_by_label("State").select_option("failed")
    expect(tab.locator(".row-title")).to_have_text(["Bad news for Reader 0"])
    tab.get_by_label("Schedule").fill("good news")
    tab.get_by_label("State").select_option("")
    expect(tab.locator(".row-title")).to_have_text(["Good news for Reader 0"])
    tab.get_by_label("Recipient's address").fill("nobody@example.com")
    tab.get_by_label("Recipient's address").press("Enter")
    expect(tab.locator("#results")).to_contain_text("No mail fits")
    tab.reload()
    expect(tab.locator("#results")).to_contain_text("No mail fits")


def test_several_schedules_are_paused_and_resumed_at_once(tab: Page, site: Site) -> None:
    for number in range(3):
        site.schedule(f"Bulk {number}")
    tab.goto("/schedules?q=bulk")
    tab.get_by_label("Select Bulk 2").check()
    expect(tab.locator("[data-ticked]")).to_have_text("1 selected")
    tab.get_by_label("1 selected").check()
    tab.get_by_role("button", name="Pause").click()
    expect(tab.get_by_role("status")).to_contain_text("3 schedules are paused")
    expect(tab).to_have_url(re.compile(r"/schedules\?q=bulk$"))
    expect(tab.locator(".row-status")).to_have_text(["Paused"] * 3)
    tab.get_by_label("Select Bulk 0").check()
    tab.get_by_role("button", name="Resume").click()
    expect(tab.locator(".row-status")).to_have_text(["Paused", "Paused", "Active"])
    expect(tab).to_have_url(re.compile(r"/schedules\?q=bulk$"))  # the scripts are there, and have taken the notice out
    tab.get_by_label("Status").select_option("paused")
    expect(tab.locator(".row-title")).to_have_text(["Bulk 2", "Bulk 1"])


def test_a_long_list_has_pages(tab: Page, site: Site) -> None:
    for number in range(26):
        site.schedule(f"Leaf {number:02d}")
    tab.goto("/schedules?q=leaf")
    expect(tab.locator(".row-title")).to_have_count(25)
    tab.get_by_role("link", name="Next page").click()
    expect(tab.locator(".row-title")).to_have_text(["Leaf 00"])
    expect(tab.get_by_role("link", name="Next page")).to_have_count(0)
    tab.get_by_role("link", name="First page").click()
    expect(tab.locator(".row-title").first).to_have_text("Leaf 25")


def test_a_schedule_is_run_paused_resumed_deleted_and_restored(tab: Page, site: Site) -> None:
    schedule = site.schedule("Handled")
    tab.goto(f"/schedules/{schedule['id']}")
    tab.get_by_role("button", name="Run now").click()
    tab.get_by_role("button", name="Run it now").press("Enter")
    expect(tab.get_by_role("status")).to_contain_text("Triggered")
    expect(tab.get_by_role("region", name="Past runs")).to_contain_text("1 accepted")
    tab.get_by_role("button", name="Pause").click()
    expect(tab.get_by_label("Reason")).to_be_focused()
    tab.keyboard.type("rain")
    tab.keyboard.press("Enter")
    expect(tab.locator("#upcoming")).to_contain_text("Rain.")
    tab.get_by_role("button", name="Resume").click()
    expect(tab.locator("#upcoming .state")).to_have_text("Active")
    tab.get_by_role("button", name="Delete").click()
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("dialog")).to_be_hidden()
    expect(tab.get_by_role("button", name="Delete")).to_be_focused()
    tab.keyboard.press("Space")
    tab.get_by_role("button", name="Delete it").click()
    expect(tab.get_by_role("status")).to_contain_text("Deleted")
    tab.get_by_role("button", name="Restore").click()
    expect(tab.get_by_role("status")).to_contain_text("Restored, and paused")
    assert len(site.mails(schedule)) == 1


def test_a_name_without_a_place_to_break_makes_no_page_scroll_sideways(tab: Page, site: Site) -> None:
    schedule = site.schedule("Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenhersteller")
    tab.set_viewport_size({"width": 360, "height": 900})
    for place in ("", "/edit", "/pause", "/delete", "/backfill", "/explain"):
        tab.goto(f"/schedules/{schedule['id']}{place}")
        assert not tab.evaluate("document.documentElement.scrollWidth > innerWidth"), place


def test_an_instant_within_a_sentence_is_part_of_it(tab: Page, site: Site) -> None:
    schedule = site.schedule("New")
    tab.goto(f"/schedules/{schedule['id']}/explain?at=2020-01-01T09:00:00")
    verdict = tab.get_by_text("The schedule was written at")
    expect(verdict).to_have_text(
        re.compile(r"^The schedule was written at \d\d:\d\d:\d\d (today|yesterday), which is later\.$")
    )


def test_missed_runs_are_counted_then_made_up_for_once(tab: Page, site: Site) -> None:
    schedule = site.schedule("Missed", {"type": "cron", "expression": "0 9 * * *", "timezone": "Europe/Berlin"})
    yesterday = datetime.now(ZoneInfo("Europe/Berlin")).date() - timedelta(days=1)
    tab.goto(f"/schedules/{schedule['id']}")
    tab.get_by_role("link", name="Backfill").click()
    tab.get_by_label("From").fill(f"{yesterday - timedelta(days=6)}T09:00")
    tab.get_by_label("Until").fill(f"{yesterday}T09:00")
    tab.get_by_label("Until").press("Enter")
    found = tab.get_by_role("region", name="7 runs are missing, with 7 mails")
    expect(found.get_by_role("listitem")).to_have_count(7)
    expect(found.get_by_role("listitem").first).to_contain_text(", 09:00")
    assert faults_of(tab) == []
    assert site.mails(schedule) == []
    make = tab.get_by_role("button", name="Make these 7 runs")
    make.press("Enter")
    expect(tab.get_by_role("status")).to_contain_text("7 missed runs are made up for")
    expect(tab.get_by_role("region", name="Past runs").get_by_text("backfilled")).to_have_count(7)
    tab.go_back(wait_until="networkidle")
    # The page as it was: what was confirmed on it is not so any more.
    tab.reload()
    expect(tab.get_by_role("heading", name="Nothing is missing")).to_be_visible()
    eventually(lambda: len([mail for mail in site.mails(schedule) if mail["state"] == "accepted"]) == 7, seconds=30)


def test_a_number_that_is_another_by_now_makes_nothing(tab: Page, site: Site) -> None:
    schedule = site.schedule("Raced", {"type": "cron", "expression": "0 9 * * *", "timezone": "Europe/Berlin"})
    today = datetime.now(UTC).date()
    begin, until = f"{today - timedelta(days=3)}T00:00", f"{today - timedelta(days=1)}T23:00"
    tab.goto(f"/schedules/{schedule['id']}/backfill?from={begin}&until={until}")
    asked = {"from": f"{begin}:00Z", "until": f"{today - timedelta(days=2)}T00:00:00Z", "dry_run": False, "count": 1}
    site.call("POST", f"/schedules/{schedule['id']}/backfill", asked)
    tab.get_by_role("button", name="Make these 3 runs").click()
    expect(tab.get_by_role("alert")).to_contain_text("3 were confirmed")
    expect(tab.get_by_role("button", name="Make these 2 runs")).to_be_visible()
    assert len(site.mails(schedule)) == 1


def test_a_pause_names_the_mails_that_it_came_too_late_for(tab: Page, site: Site) -> None:
    site.dial(latency_ms=4000)
    schedule = site.schedule("Overtaken", {"type": "interval", "every": "1s"})
    tab.goto(f"/schedules/{schedule['id']}/pause")
    eventually(lambda: [mail for mail in site.mails(schedule) if mail["state"] == "sending"], seconds=20)
    tab.get_by_role("button", name="Pause it").click()
    notice = tab.get_by_role("status")
    expect(notice).to_contain_text(re.compile(r"[1-9]\d* mails? (is|are) past the fence and can't be held back"))
    notice.get_by_role("link").first.click()
    expect(tab.locator(".rule .state")).to_have_text("Accepted")
    site.dial()


def test_a_live_page_keeps_the_focus_and_can_be_stopped(tab: Page, story: Story) -> None:
    tab.goto("/cluster")
    expect(tab.locator(".shard .shard-holder", has_text="A")).to_have_count(64)
    tab.locator("#cluster-live").get_by_role("link", name="By which guard").focus()
    with tab.expect_response(re.compile("/cluster/live")):
        pass
    with tab.expect_response(re.compile("/cluster/live")):
        pass
    expect(tab.get_by_role("link", name="By which guard")).to_be_focused()
    tab.get_by_role("button", name="Live").click()
    expect(tab.get_by_role("button", name="Stopped")).to_have_attribute("aria-pressed", "false")
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.wait_for_timeout(
        2500
    )  # longer than the two seconds between refreshes; that nothing comes has no event to wait for
    assert asked == []


def test_a_theme_is_remembered(tab: Page) -> None:
    tab.goto("/cluster")
    tab.get_by_role("button", name="Switch to the dark theme").click()
    tab.goto("/mails")
    expect(tab.locator("html")).to_have_attribute("data-bs-theme", "dark")
    tab.get_by_role("button", name="Switch to the light theme").click()
    tab.reload()
    expect(tab.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_without_a_registry_the_pages_say_what_to_do(browser: Browser) -> None:
    app = create_app(Settings(frontend=Frontend(registry_url="http://127.0.0.1:9", trust_loopback=True)))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    context = browser.new_context(reduced_motion="reduce")
    try:
        tab = context.new_page()
        tab.goto(f"http://127.0.0.1:{server.server_port}/schedules")
        expect(tab.get_by_role("alert")).to_contain_text("The registry does not answer")
        assert faults_of(tab) == []
        tab.goto(f"http://127.0.0.1:{server.server_port}/schedules/new")
        expect(tab.locator("#preview")).to_contain_text("The next runs can't be shown now")
        assert faults_of(tab) == []
    finally:
        context.close()
        server.shutdown()
        thread.join()
        server.server_close()
