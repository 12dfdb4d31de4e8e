"""The schedule form in a real Chromium, on a whole stack."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Browser, Page, expect

from tests.e2e.pages.conftest import Site, faults_of, tab_to, token_of
from tests.support.eventually import eventually

pytestmark = pytest.mark.browser

KEYED = "Written by keyboard"


def press(tab: Page, *keys: str) -> None:
    for key in keys:
        tab.keyboard.press(key)


@pytest.fixture(scope="module")
def keyed(browser: Browser, site: Site) -> Any:
    """A schedule for every minute, written without touching the mouse."""
    tab = browser.new_context(base_url=site.url, timezone_id="America/New_York").new_page()
    tab.goto("/schedules")
    tab_to(tab, "New")
    press(tab, "Enter")
    tab_to(tab, "New schedule")
    press(tab, "Enter")
    expect(tab.get_by_label("Name", exact=True)).to_be_focused()
    tab.keyboard.type(KEYED)
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("radio", name="Repeat")).to_be_focused()
    press(tab, "ArrowRight")
    expect(tab.get_by_role("radio", name="Cron")).to_be_checked()
    tab_to(tab, "Cron expression")
    press(tab, "Control+A")
    tab.keyboard.type("* * * * *")
    expect(tab.locator("#preview-words")).to_contain_text("Every minute")
    expect(tab.locator("#preview .runs li")).to_have_count(10)
    expect(tab.get_by_label("Time zone")).to_have_value("America/New_York")
    tab_to(tab, "From")
    tab.keyboard.type("Harbour News <news@sandbox.example.com>")
    tab_to(tab, "Recipients")
    tab.keyboard.type("Ada Lovelace <ada@example.com>")
    tab_to(tab, "Subject")
    tab.keyboard.type("Tidings for {{ name }}")
    tab_to(tab, "Text")
    tab.keyboard.type("Good morning {{ name }}")
    tab_to(tab, "Save the schedule")
    press(tab, "Enter")
    expect(tab.get_by_role("status")).to_contain_text("The schedule is saved")
    expect(tab.get_by_role("heading", level=1)).to_have_text(KEYED)
    made = tab.url.rsplit("/", 1)[1].partition("?")[0]
    tab.context.close()
    return site.call("GET", f"/schedules/{made}")


def test_a_schedule_written_by_keyboard_is_found_in_the_list(keyed: Any, tab: Page) -> None:
    tab.goto("/schedules")
    tab.get_by_role("searchbox", name="Search").fill("by keyb")
    expect(tab.locator(".row-title")).to_have_text([KEYED])
    expect(tab).to_have_url(f"{tab.url.partition('?')[0]}?q=by%20keyb")
    assert keyed["recurrence"] == {"type": "cron", "expression": "* * * * *", "timezone": "America/New_York"}


def test_the_builder_says_its_rule_and_shows_its_runs(tab: Page) -> None:
    tab.goto("/schedules/new")
    words = tab.locator("#preview-words")
    tab.get_by_label("Unit").select_option("months")
    tab.get_by_role("radio", name="the", exact=True).check()
    expect(words).to_have_text("At 09:00 on the last Friday of the month, New York time")
    tab.get_by_label("Time zone").fill("Asia/Tokyo")
    expect(words).to_contain_text("Tokyo")
    expect(tab.locator("#preview .runs li").first).to_contain_text("for you")
    tab.get_by_label("Time zone").fill("Asia/Tokio")
    expect(tab.locator("#preview")).to_contain_text("Time zone: ")
    expect(words).to_be_hidden()
    assert faults_of(tab) == []


def test_nights_on_which_clocks_change_are_marked(tab: Page) -> None:
    year = datetime.now(UTC).year + 1
    spring, autumn = (max(day for day in range(25, 32) if date(year, month, day).weekday() == 6) for month in (3, 10))
    tab.goto("/schedules/new")
    tab.locator(".tab", has_text="Cron").click()
    tab.get_by_label("Time zone").fill("Europe/Berlin")
    tab.get_by_label("Cron expression").fill(f"30 2 {spring} 3 *")
    expect(tab.locator(".dst").first).to_contain_text("no such time")
    tab.get_by_label("Cron expression").fill(f"30 2 {autumn} 10 *")
    expect(tab.locator(".dst").first).to_contain_text("it runs the first time")
    tab.get_by_text("Advanced").click()
    tab.wait_for_load_state("networkidle")
    tab.get_by_label("A local time that the night has twice").select_option("second")
    expect(tab.locator(".dst").first).to_contain_text("it runs the second time")


def test_jitter_and_overlap_are_saved_and_told(tab: Page, site: Site) -> None:
    schedule = site.schedule("Spread")
    tab.goto(f"/schedules/{schedule['id']}/edit")
    tab.get_by_text("Advanced").click()
    tab.get_by_label("A run that is due while").select_option("queue_one")
    tab.get_by_label("Spread the sending over").fill("4000")
    tab.get_by_role("button", name="Save the changes").click()
    expect(tab.locator("#e-jitter")).to_contain_text("3600")
    tab.get_by_label("Spread the sending over").fill("90")
    assert faults_of(tab) == []
    tab.get_by_role("button", name="Save the changes").click()
    rules = tab.get_by_role("region", name="Its rules")
    expect(rules).to_contain_text("One run waits for the one before")
    expect(rules).to_contain_text("Up to 90 s after its instant")
    stored = site.call("GET", f"/schedules/{schedule['id']}")
    assert (stored["jitter_seconds"], stored["overlap"]) == (90, "queue_one")


def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(tab: Page) -> None:
    tab.goto("/schedules/new")
    tab.get_by_label("Recipients").fill("Ada <ada@example.com>\nnobody\nAda <ada@example.com>")
    tab.get_by_label("Subject").fill("Kept as it is")
    tab.locator(".tab", has_text="Cron").click()
    tab.get_by_label("Cron expression").fill("0 0 30 2 *")
    tab.get_by_role("button", name="Save the schedule").click()
    summary = tab.get_by_role("alert")
    expect(summary).to_be_focused()
    for name in ("Name", "From", "Recipients"):
        expect(summary.get_by_role("link", name=name, exact=True)).to_be_visible()
    recipients = tab.get_by_label("Recipients")
    expect(recipients).to_have_attribute("aria-invalid", "true")
    expect(tab.locator("#e-to")).to_contain_text("Line 2:")
    expect(recipients).to_have_value("Ada <ada@example.com>\nnobody\nAda <ada@example.com>")
    expect(tab.get_by_label("Subject")).to_have_value("Kept as it is")
    expect(tab.get_by_label("Cron expression")).to_have_value("0 0 30 2 *")
    summary.get_by_role("link", name="From", exact=True).click()
    expect(tab.get_by_label("From", exact=True)).to_be_focused()
    assert faults_of(tab) == []


def test_a_pasted_table_is_added_to_the_recipients(tab: Page) -> None:
    tab.goto("/schedules/new")
    tab.get_by_label("Recipients").fill("Ada <ada@example.com>")
    tab.get_by_label("Subject").fill("Stays")
    tab.get_by_text("Paste a table").click()
    tab.get_by_label("Table").fill("Name;E-mail\nBob;bob@example.com\nAda;ada@example.com")
    tab.get_by_role("button", name="Add to the recipients").click()
    expect(tab.get_by_role("status")).to_contain_text("1 added, 1 there already")
    expect(tab.get_by_label("Recipients")).to_have_value("Ada <ada@example.com>\nBob <bob@example.com>")
    expect(tab.get_by_label("Subject")).to_have_value("Stays")


def test_two_people_edit_and_neither_is_lost(tab: Page, site: Site) -> None:
    schedule = site.schedule("Edited twice", message={"subject": "As it was"})
    tab.goto(f"/schedules/{schedule['id']}/edit")
    tab.get_by_label("Name", exact=True).fill("Edited by me")
    site.call("PATCH", f"/schedules/{schedule['id']}", {"message": {"subject": "Theirs"}}, **{"If-Match": '"1"'})
    tab.get_by_role("button", name="Save the changes").click()
    warning = tab.get_by_role("alert")
    expect(warning).to_be_focused()
    expect(warning.get_by_role("row")).to_contain_text(["Field", "Subject"])
    expect(warning.get_by_role("row").nth(1)).to_contain_text("Theirs")
    expect(tab.get_by_label("Name", exact=True)).to_have_value("Edited by me")
    expect(tab.get_by_label("Subject")).to_have_value("Theirs")
    assert site.call("GET", f"/schedules/{schedule['id']}")["name"] == "Edited twice"
    assert faults_of(tab) == []
    tab.get_by_role("button", name="Save the changes").click()
    expect(tab.get_by_role("status")).to_contain_text("The changes are saved")
    saved = site.call("GET", f"/schedules/{schedule['id']}")
    assert (saved["name"], saved["message"]["subject"], saved["version"]) == ("Edited by me", "Theirs", 3)


def test_the_html_shows_as_it_is_typed_and_runs_nothing(tab: Page) -> None:
    tab.goto("/schedules/new")
    tab.get_by_text("HTML with a preview").click()
    hostile = "<h1>Hello</h1><script>top.document.title = 'owned'</script><img src=x onerror=\"top.name = 'owned'\">"
    tab.get_by_role("textbox", name="HTML").fill(hostile + "<meta http-equiv=refresh content='0; url=/mails'>")
    expect(tab.frame_locator("iframe").get_by_role("heading")).to_have_text("Hello")
    expect(tab).to_have_title("New schedule · Fencepost")
    assert tab.evaluate("window.name") == ""


def test_without_scripts_the_form_still_posts(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    tab = context.new_page()
    tab.goto("/schedules/new")
    tab.get_by_label("Name", exact=True).fill("Without scripts")
    tab.locator(".tab", has_text="Once").click()
    tab.get_by_label("Day and time").fill("2031-05-06T07:08")
    tab.get_by_role("button", name="Show the next runs").click()
    expect(tab.locator("#preview-words")).to_contain_text("2031")
    tab.get_by_label("From", exact=True).fill("news@sandbox.example.com")
    tab.get_by_label("Recipients").fill("ada@example.com")
    tab.get_by_label("Subject").fill("Hello")
    tab.get_by_label("Text", exact=True).fill("Hello")
    tab.get_by_label("Subject").press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Without scripts")
    tab.get_by_role("link", name="Pause").click()
    tab.get_by_label("Reason").fill("no scripts")
    tab.get_by_role("button", name="Pause it").click()
    expect(tab.locator("#upcoming")).to_contain_text("No scripts.")
    context.close()


def test_its_mail_arrives_in_the_inbox(keyed: Any, tab: Page, site: Site) -> None:
    mails = eventually(
        lambda: [mail for mail in site.mails(keyed) if mail["state"] == "accepted"], seconds=75, every=0.5
    )
    tab.goto(site.inbox_url)
    tab.get_by_role("link", name="Tidings for Ada Lovelace").first.click()
    expect(tab.locator("body")).to_contain_text("ada@example.com")
    tab.goto(f"/mails/{mails[0]['id']}")
    expect(tab.locator(".moment-title")).to_contain_text(
        ["Planned", "Claimed", "Past the fence", "Provider called", "Accepted"]
    )
    site.call("POST", f"/schedules/{keyed['id']}/pause", {})


def test_a_form_that_is_sent_twice_makes_one_schedule(tab: Page, site: Site) -> None:
    form = {
        "kind": "cron",
        "expression": "0 9 1 1 *",
        "timezone": "UTC",
        "name": "Sent twice",
        "from": "news@sandbox.example.com",
        "to": "ada@example.com",
        "subject": "Hello",
        "text": "Hello",
        "key": "the-same-key",
    }
    tab.goto("/schedules/new")
    form["csrf"] = token_of(tab)

    def send(**changes: str) -> APIResponse:
        headers = {"Origin": site.url}
        return tab.request.post("/schedules/new", form={**form, **changes}, headers=headers, max_redirects=0)

    first, second, other = send(), send(), send(name="Sent a third time")
    assert first.status == 303
    assert first.headers["location"] == second.headers["location"]
    assert other.status == 409
    assert "Your first try did arrive" in other.text()
    assert "Sent a third time" in other.text()


def test_an_edit_keeps_the_attachments_and_its_mail_lists_them(tab: Page, site: Site) -> None:
    files = [
        {"filename": "figures.pdf", "content": "JVBERi0="},
        {"filename": "logo.png", "content": "iVBORw==", "content_id": "logo-1"},
    ]
    made = site.schedule("With figures", message={"attachments": files, "html": '<img src="cid:logo-1">'})
    tab.goto(f"/schedules/{made['id']}/edit")
    group = tab.get_by_role("group", name="Attachments")
    expect(group.get_by_role("listitem")).to_have_text(["figures.pdf 5 B", "logo.png 4 B, shown in the HTML"])
    assert faults_of(tab) == []
    tab.get_by_label("Subject").fill("Renamed")
    tab.get_by_label("Subject").press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("With figures")
    saved = site.call("GET", f"/schedules/{made['id']}")
    assert saved["message"]["subject"] == "Renamed"
    assert saved["message"]["attachments"] == made["message"]["attachments"]
    expect(tab.get_by_role("main")).to_contain_text("figures.pdf 5 B")
    site.call("POST", f"/schedules/{made['id']}/trigger", {})
    mails = eventually(
        lambda: [mail for mail in site.mails(made) if mail["state"] == "accepted"], seconds=75, every=0.5
    )
    tab.goto(f"/mails/{mails[0]['id']}")
    expect(tab.get_by_role("main")).to_contain_text("logo.png 4 B, shown in the HTML")
    assert faults_of(tab) == []
