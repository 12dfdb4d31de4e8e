"""Mail that is sent once, in a real Chromium, on a whole stack: its form, its page, its batch, and why something is not sent."""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Browser, Page, expect

from fencepost.providers.mailgun_hooks import sign
from tests.e2e.pages.conftest import Site, faults_of, tab_to, token_of
from tests.support.eventually import eventually

pytestmark = pytest.mark.browser

HTML = "<h1>It left us today</h1>"


def ask(site: Site, *, count: int = 1, **fields: Any) -> Any:
    """The answer to a request for mail."""
    body = {
        "from": "Harbour Shop <shop@sandbox.example.com>",
        "to": [f"Reader {number} <reader{number}@example.com>" for number in range(count)],
        "subject": "Your order",
        "text": "It left us today.",
        "html": HTML,
        **fields,
    }
    return site.call("POST", "/emails", body)


def later(days: int = 2) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def reaches(site: Site, email_id: str, *states: str) -> Any:
    def found() -> Any:
        mail = site.call("GET", f"/emails/{email_id}")
        return mail if mail["state"] in states else None

    return eventually(found, seconds=40)


def told(site: Site, mail: Any, kind: str, agent: str) -> None:
    """What Mailgun tells of a mail."""
    key = site.stack.variables["FENCEPOST_PROVIDERS__MAILGUN__WEBHOOK_SIGNING_KEY"]
    stamp, token = str(int(datetime.now(UTC).timestamp())), secrets.token_hex(25)
    event = {
        "event": kind,
        "id": secrets.token_hex(8),
        "timestamp": datetime.now(UTC).timestamp(),
        "user-variables": {"fencepost": f"{mail['id']}/1"},
        "message": {"headers": {"message-id": mail["receipt"]}},
        "client-info": {"user-agent": agent},
    }
    signature = {"timestamp": stamp, "token": token, "signature": sign(key, stamp, token)}
    site.call("POST", "/hooks/mailgun", {"signature": signature, "event-data": event})


@dataclass(frozen=True)
class Story:
    """What happened on the stack before the tests look at it; each is an id."""

    opened: str
    later: str
    failed: str
    batch: str
    suppressed: str
    trial: str
    schedule: str


@pytest.fixture(scope="module")
def story(site: Site) -> Story:
    """Mail that was opened, waits, failed, is one of a batch, may not be sent, is for tests; and a schedule."""
    site.dial(faults={"400": {"next": 2}})
    batch = ask(site, count=3, subject="Spring offers", tags=["offers"])
    for each in batch["emails"]:
        reaches(site, each["id"], "failed", "accepted")
    site.dial()
    [failed, *_] = site.call("GET", "/emails?state=failed")["data"]
    opened = reaches(site, ask(site, subject="Opened")["emails"][0]["id"], "accepted")
    person = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"
    for kind, agent in (("opened", "Mozilla/5.0"), ("opened", person), ("clicked", person)):
        told(site, opened, kind, agent)
    site.call("POST", "/suppressions", {"email": "gone@example.com"})
    key = site.call("POST", "/api-keys", {"name": "Tests", "scopes": ["emails:send"], "test": True})["secret"]
    trial = site.call(
        "POST",
        "/emails",
        {"from": "a@sandbox.example.com", "to": ["b@example.com"], "subject": "A trial", "text": "Hi"},
        Authorization=f"Bearer {key}",
    )
    return Story(
        opened=opened["id"],
        later=ask(site, subject="Waits", scheduled_at=later(), ttl_seconds=3600, priority="high")["emails"][0]["id"],
        failed=failed["id"],
        batch=batch["id"],
        suppressed=ask(site, subject="Unwanted", to=["gone@example.com"])["emails"][0]["id"],
        trial=trial["emails"][0]["id"],
        schedule=site.schedule("Explained")["id"],
    )


@pytest.mark.timeout(400)
def test_axe_finds_nothing_on_the_pages_of_mail(tab: Page, story: Story) -> None:
    found: list[str] = []
    for page in (
        "/mails?tag=offers",
        "/mails?from=nonsense",
        f"/mails/{story.opened}",
        f"/mails/{story.later}",
        f"/batches/{story.batch}",
        f"/schedules/{story.schedule}/explain",
    ):
        tab.goto(page)
        found += faults_of(tab)
    assert found == []


def test_the_bar_is_used_by_keyboard_at_every_width(tab: Page) -> None:
    tab.goto("/mails")
    tab.locator("summary", has_text="Operate").click()
    assert faults_of(tab) == []
    tab.reload()
    for width in (1280, 360):
        tab.set_viewport_size({"width": width, "height": 900})
        first = tab.locator(".places .menu-item").first
        operate = tab.locator("summary", has_text="Operate")
        tab_to(tab, "Operate")
        tab.keyboard.press("Enter")
        expect(first).to_be_visible()
        tab.keyboard.press("Tab")
        expect(first).to_be_focused()
        tab.keyboard.press("Escape")
        expect(first).to_be_hidden()
        expect(operate).to_be_focused()
        operate.click()
        tab.get_by_role("heading", level=1).click()
        expect(first).to_be_hidden()
        operate.click()
        tab.locator("summary", has_text="New").click()
        expect(first).to_be_hidden()
        tab.reload()
    tab.locator("summary", has_text="Operate").click()
    tab.get_by_role("link", name="Cluster").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Cluster")


def test_a_mail_is_written_by_keyboard_and_followed_to_the_inbox(tab: Page, site: Site) -> None:
    tab.goto("/")
    tab_to(tab, "New")
    tab.keyboard.press("Enter")
    tab_to(tab, "Send a mail")
    tab.keyboard.press("Enter")
    expect(tab).to_have_title("Send a mail · Fencepost")
    expect(tab.get_by_label("Time zone")).to_have_value("America/New_York")
    tab_to(tab, "From")
    tab.keyboard.type("shop@sandbox.example.com")
    tab.keyboard.press("Tab")
    tab.keyboard.type("Ada <ada@example.com>")
    expect(tab.locator("#summary-words")).to_have_text("1 mail, at once")
    tab_to(tab, "Subject")
    tab.keyboard.type("Written once")
    tab.keyboard.press("Tab")
    tab.keyboard.type("Hello Ada")
    tab_to(tab, "Send")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status")).to_contain_text("It is on record")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Written once")
    expect(tab.locator(".state-line")).to_have_text("Accepted")
    expect(tab.locator(".moment-title")).to_contain_text(["Planned", "Claimed", "Past the fence"])
    tab.goto(site.inbox_url)
    expect(tab.get_by_role("link", name="Written once").first).to_be_visible()


def test_to_several_it_leads_to_the_batch_whose_counts_add_up(tab: Page) -> None:
    tab.goto("/mails/new")
    tab.get_by_label("From", exact=True).fill("shop@sandbox.example.com")
    tab.get_by_text("Paste a table").click()
    tab.get_by_label("Table").fill("email,name\na@example.com,Ann\nb@example.com,Bob\nc@example.com,Cid")
    tab.get_by_role("button", name="Add to the recipients").click()
    expect(tab.locator("#summary-words")).to_have_text("3 mails, one to each, at once")
    tab.get_by_label("Send at").fill("2020-01-01T09:00")
    expect(tab.locator("#summary")).to_contain_text("that is past")
    tab.get_by_label("Send at").fill("")
    tab.get_by_label("Subject").fill("To three")
    tab.get_by_label("Text", exact=True).fill("Hello")
    tab.get_by_label("Subject").press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("To three")
    expect(tab.locator("#batch-title + .rule")).to_contain_text("All 3 mails are sent.")
    states = tab.get_by_role("list", name="Mails by state").get_by_role("listitem")
    figures = [int(text) for text in states.locator(".batch-count").all_inner_texts()]
    assert sum(figures[:-1]) == figures[-1] == 3
    tab.get_by_role("link", name=re.compile("See them.*accepted")).click()
    expect(tab.get_by_role("list", name="Mails").get_by_role("listitem")).to_have_count(3)
    expect(tab).to_have_url(f"{tab.url.partition('?')[0]}?batch_id={tab.url.partition('batch_id=')[2]}")


def test_what_is_wrong_stands_at_its_field_and_files_are_not_lost(tab: Page, site: Site) -> None:
    tab.goto("/mails/new")
    tab.get_by_label("From", exact=True).fill("shop@sandbox.example.com")
    tab.get_by_label("Recipients").fill("ada@example.com\nnobody")
    tab.get_by_label("Subject").fill("With a file")
    tab.get_by_label("Text", exact=True).fill("Hello")
    file: Any = {"name": "figures.txt", "mimeType": "text/plain", "buffer": b"12"}
    tab.get_by_label("Files", exact=True).set_input_files(file)
    tab.get_by_role("button", name="Send", exact=True).click()
    expect(tab.get_by_role("alert")).to_contain_text("It is not sent yet")
    expect(tab.locator("#e-to")).to_contain_text("Line 2")
    assert faults_of(tab) == []
    expect(tab.get_by_label("figures.txt")).to_be_checked()
    tab.get_by_label("Recipients").fill("ada@example.com")
    tab.get_by_role("button", name="Send", exact=True).click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("With a file")
    expect(tab.get_by_role("main")).to_contain_text("figures.txt 2 B")


def test_a_form_that_is_sent_twice_sends_once(tab: Page, site: Site) -> None:
    form = {"from": "shop@sandbox.example.com", "to": "ada@example.com", "subject": "Twice", "text": "Hi"}
    tab.goto("/mails/new")
    form |= {"csrf": token_of(tab), "key": secrets.token_hex(8)}

    def send(**changes: str) -> APIResponse:
        headers = {"Origin": site.url}
        return tab.request.post("/mails/new", multipart={**form, **changes}, headers=headers, max_redirects=0)

    first, second, other = send(), send(), send(subject="Another")
    assert (first.status, second.status, other.status) == (303, 303, 409)
    assert first.headers["location"] == second.headers["location"]
    assert "Your first try did arrive" in other.text()


def test_a_mail_that_waits_says_for_what_and_is_put_off_hurried_and_called_off(tab: Page, site: Site) -> None:
    made = ask(site, subject="Handled", scheduled_at=later())["emails"][0]["id"]
    tab.goto(f"/mails/{made}")
    expect(tab.locator(".gate-holds")).to_contain_text("Due")
    expect(tab.locator(".why")).to_contain_text("Tried next in 47 h")
    tab.get_by_role("button", name="Change the time").click()
    expect(tab.get_by_role("dialog").get_by_label("Time zone")).to_have_value("America/New_York")
    tab.get_by_role("dialog").get_by_label("Send at").fill("2020-01-01T09:00")
    tab.get_by_role("dialog").get_by_role("button", name="Change the time").click()
    expect(tab.locator("#at-error")).to_contain_text("Lies in the past")
    assert faults_of(tab) == []
    day = f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}"
    tab.get_by_label("Send at").fill(f"{day}T09:00")
    tab.get_by_role("button", name="Change the time").click()
    expect(tab.get_by_role("status")).to_contain_text("Its new time is on record")
    assert site.call("GET", f"/emails/{made}")["due_at"].startswith(day)
    tab.get_by_role("button", name="Send now").click()
    tab.get_by_role("dialog").get_by_role("button", name="Send it now").click()
    expect(tab.locator(".state-line")).to_have_text("Accepted")
    expect(tab.get_by_role("button", name="Cancel it")).to_have_count(0)

    other = ask(site, subject="Called off", scheduled_at=later())["emails"][0]["id"]
    tab.goto(f"/mails/{other}")
    tab.get_by_role("button", name="Cancel it").click()
    tab.get_by_role("dialog").get_by_label("Why").fill("the order was called off")
    tab.get_by_role("dialog").get_by_role("button", name="Cancel it").click()
    expect(tab.get_by_role("status")).to_contain_text("no provider is called")
    expect(tab.locator(".state-line")).to_have_text("Cancelled")
    expect(tab.get_by_role("main")).to_contain_text("The order was called off", ignore_case=True)


def test_filters_that_are_refused_leave_no_rows_of_others_behind(tab: Page, story: Story) -> None:
    tab.goto("/mails")
    expect(tab.locator("#results .row-mail").first).to_be_visible()
    tab.get_by_label("Schedule").fill("sch_00000000000000000000000000")
    tab.keyboard.press("Enter")
    expect(tab.locator("#results")).to_contain_text("There is no such thing here")
    expect(tab.locator("#results .row-mail")).to_have_count(0)
    tab.get_by_label("Schedule").fill("")
    tab.keyboard.press("Enter")
    expect(tab.locator("#results .row-mail").first).to_be_visible()


def test_whoever_comes_later_than_the_sender_is_told_so(tab: Page, site: Site) -> None:
    made = ask(site, subject="Too late", scheduled_at=later())["emails"][0]["id"]
    tab.goto(f"/mails/{made}/cancel")
    site.dial(latency_ms=4000)
    site.call("POST", f"/emails/{made}/reschedule", {"scheduled_at": later(days=0)})
    reaches(site, made, "sending", "accepted")
    tab.get_by_role("button", name="Cancel it").click()
    expect(tab.get_by_role("status")).to_contain_text("a sender was faster")
    site.dial()
    expect(tab.locator(".state-line")).to_have_text("Accepted")
    expect(tab.get_by_role("main")).to_contain_text("Asked for by API")


def test_what_failed_of_a_batch_is_sent_again_and_nothing_else(tab: Page, site: Site, story: Story) -> None:
    tab.goto(f"/batches/{story.batch}")
    expect(tab.locator(".rule")).to_contain_text("1 of 3 mails is sent; nothing is on the way")
    tab.get_by_role("button", name="Send what failed again").click()
    tab.get_by_role("dialog").get_by_label("Why").fill("the domain is verified now")
    tab.get_by_role("dialog").get_by_role("button", name="Send them again").click()
    expect(tab.get_by_role("status")).to_contain_text("2 mails are sent again")
    expect(tab.locator("#batch-title + .rule")).to_contain_text("All 3 mails are sent.")
    mails = site.call("GET", f"/emails?batch_id={story.batch}")["data"]
    assert sorted(len(mail["attempts"]) for mail in mails) == [1, 2, 2]
    tab.goto(f"/mails/{story.failed}")
    expect(tab.locator(".attempts")).to_contain_text("The domain is verified now", ignore_case=True)


def test_what_is_due_later_is_not_among_what_ran(tab: Page, story: Story) -> None:
    tab.goto("/")
    ran = tab.get_by_role("region", name="What ran")
    expect(ran.get_by_role("listitem").first).to_be_visible()
    expect(ran).not_to_contain_text("Waits")
    tab.goto("/mails?state=pending")
    expect(tab.get_by_role("list", name="Mails")).to_contain_text("Waits")


def test_openings_by_machines_are_shown_apart(tab: Page, story: Story) -> None:
    tab.goto(f"/mails/{story.opened}")
    facts = tab.get_by_role("region", name="What became of it")
    expect(facts).to_contain_text("Opened1×")
    expect(facts).to_contain_text("By machines1×")
    expect(facts).to_contain_text("Clicked1×")


def test_mail_for_tests_and_suppressed_mail_say_so_in_words(tab: Page, site: Site, story: Story) -> None:
    reaches(site, story.trial, "accepted", "delivered")
    tab.goto(f"/mails/{story.trial}")
    expect(tab.get_by_role("region", name="Where it stands")).to_contain_text("no provider was called")
    expect(tab.locator(".state-line")).to_contain_text("Test")
    reaches(site, story.suppressed, "suppressed")
    tab.goto(f"/mails/{story.suppressed}")
    expect(tab.locator(".verdict")).to_contain_text("does not want mail")


def test_a_schedule_explains_an_instant_in_its_own_zone(tab: Page, story: Story) -> None:
    tab.goto(f"/schedules/{story.schedule}")
    tab.get_by_label("At (local time in Europe/Berlin)").fill("2020-01-01T09:00")
    tab.get_by_role("button", name="Explain").click()
    expect(tab.locator("#explained-title")).to_have_text("The instant: Wed 1 Jan 2020, 09:00 in Europe/Berlin")
    expect(tab.locator(".why-verdict")).to_contain_text("The schedule was written at")
    tab.get_by_role("link", name="Explain the next run").click()
    expect(tab.locator(".gate-holds")).to_contain_text("Due")
    expect(tab.locator(".why-card")).to_contain_text("Its next run: ")


def test_without_scripts_a_mail_is_sent_and_called_off(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    tab = context.new_page()
    tab.goto("/mails")
    tab.locator("summary", has_text="New").click()
    tab.get_by_role("link", name="Send a mail").click()
    tab.get_by_label("From", exact=True).fill("shop@sandbox.example.com")
    tab.get_by_label("Recipients").fill("ada@example.com")
    tab.get_by_label("Subject").fill("Without scripts")
    tab.get_by_label("Text", exact=True).fill("Hello")
    tab.get_by_label("Send at").fill(f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}T09:00")
    tab.get_by_role("button", name="Show what leaves").click()
    expect(tab.locator("#summary-words")).to_contain_text("1 mail, in 2 days")
    tab.get_by_role("button", name="Send", exact=True).last.click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Without scripts")
    tab.get_by_role("link", name="Cancel it").click()
    tab.get_by_role("button", name="Cancel it").click()
    expect(tab.locator(".state-line")).to_have_text("Cancelled")
    context.close()
