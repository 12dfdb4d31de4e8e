"""The settlement desk in a real Chromium: mails that no record can tell about, decided by people one by one and several at once."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.pages.conftest import Site, faults_of, token_of
from tests.support.eventually import eventually

pytestmark = pytest.mark.browser

HASTY = {"FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "0.5", "FENCEPOST_SETTLEMENT__WINDOW_SECONDS": "1"}


@dataclass(frozen=True)
class Story:
    """One mail whose records are still read, and some that wait for a person, by what they are called."""

    unknown: Any
    held: dict[str, Any]

    def path(self, name: str) -> str:
        return f"/mails/{self.held[name]['id']}"

    def oldest_first(self, *names: str) -> list[str]:
        """The subjects of these, as the desk sorts them: by due instant, and that is how ids begin."""
        return [f"{name} for Reader 0" for name in sorted(names, key=lambda name: self.held[name]["id"])]


@pytest.fixture(scope="module")
def story(site: Site) -> Story:
    """A sender with hardly any settling window gives mails up to the desk; the one that takes its place lets one be looked up."""
    site.stack.senders[0].stop()
    hasty = site.stack.start_sender(HASTY)
    site.dial(faults={"reset_without_accept": {"share": 1}})
    schedules = {name: site.due_now(name) for name in ("Spring", "Summer", "Autumn", "Winter", "Harvest", "Sowing")}
    held = {name: in_state(site, schedule, "held") for name, schedule in schedules.items()}
    hasty.stop()
    site.stack.start_sender()
    unknown = in_state(site, site.due_now("Weather"), "unknown")
    site.dial()
    return Story(unknown, held)


def in_state(site: Site, schedule: Any, state: str) -> Any:
    return eventually(lambda: [mail for mail in site.mails(schedule) if mail["state"] == state], seconds=40)[0]


def settle(site: Site, mail: Any, decision: str, by: str, reason: str) -> None:
    site.call("POST", f"/emails/{mail['id']}/settle", {"decision": decision, "by": by, "reason": reason})


def expect_listed(tab: Page, story: Story, *names: str) -> None:
    expect(tab.locator(".row-held .row-title")).to_have_text(story.oldest_first(*names))


def test_an_empty_desk_pleases(tab: Page, site: Site) -> None:
    """Must come before the story."""
    tab.goto("/desk")
    expect(tab.get_by_role("region", name="Waiting for you")).to_contain_text("Nothing waits for you")
    expect(tab.get_by_role("region", name="Still being looked up")).to_contain_text("No answer is missing")
    expect(tab.get_by_role("navigation", name="Main").get_by_role("link", name="Desk", exact=True)).to_be_visible()
    assert faults_of(tab) == []


def test_axe_finds_nothing_at_the_desk(tab: Page, story: Story) -> None:
    ids = "&".join(f"ids={mail['id']}" for mail in story.held.values())
    found: list[str] = []
    for page in (
        "/desk",
        f"/desk/decide?decision=drop&{ids}",
        f"/desk/decide?decision=send_now&ids={story.held['Spring']['id']}",
        f"/desk/decide?decision=drop&ids={story.unknown['id']}",
        "/desk/unknown",
        "/desk/count",
        story.path("Spring"),
        f"/mails/{story.unknown['id']}",
    ):
        tab.goto(page)
        found += faults_of(tab)
    tab.goto(story.path("Spring"))
    tab.get_by_role("button", name="Drop it").click()
    found += faults_of(tab)
    assert found == []


def test_the_desk_tells_what_is_known_of_each(tab: Page, story: Story) -> None:
    tab.goto("/desk")
    expect_listed(tab, story, *story.held)
    row = tab.locator(f"#held-{story.held['Spring']['id']}")
    expect(row).to_contain_text("Reader 0 <reader0@example.com>")
    expect(row).to_contain_text("Mailgun")
    expect(row.get_by_role("definition")).to_contain_text(
        [re.compile("."), re.compile("reset|lost"), re.compile("trace")]
    )
    waiting = tab.get_by_role("region", name="Still being looked up")
    expect(waiting).to_contain_text("Weather for Reader 0")
    expect(waiting.get_by_role("definition")).to_contain_text([re.compile("."), "in ", "in "])


def test_the_navigation_and_the_dashboard_lead_to_the_desk(tab: Page, story: Story) -> None:
    tab.goto("/")
    expect(tab.locator("#tile-attention").get_by_role("link", name="6 held")).to_have_attribute("href", "/desk")
    expect(tab.get_by_role("note").get_by_role("link", name="Open the desk")).to_have_attribute("href", "/desk")
    tab.get_by_role("link", name="Desk 6 wait for a decision").click()
    expect(tab).to_have_title("Settlement desk · Fencepost")


def test_a_decision_needs_no_mouse_and_goes_on_record(tab: Page, site: Site, story: Story) -> None:
    tab.goto("/desk")
    tab.get_by_role("link", name="It was sent: Spring").focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_label("Why")).to_be_focused()
    tab.keyboard.type("it came")
    tab.keyboard.press("Tab")
    tab.keyboard.type("Ada")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status")).to_contain_text("1 mail counts as sent")
    expect_listed(tab, story, "Summer", "Autumn", "Winter", "Harvest", "Sowing")
    expect(tab).to_have_url(re.compile(r"/desk\?by=Ada$"))
    tab.get_by_role("link", name="Drop it: Summer").click()
    expect(tab.get_by_label("Your name")).to_have_value("Ada")
    tab.goto(story.path("Spring"))
    expect(tab.locator(".rule .state")).to_have_text("Accepted")
    expect(tab.locator(".moment").last).to_contain_text("Ada: it was sent: it came.")
    expect(tab.locator(".moment-title")).to_contain_text(["Unknown", "Held", "Accepted"])
    [attempt] = site.call("GET", f"/emails/{story.held['Spring']['id']}")["attempts"]
    assert [settlement["by"] for settlement in attempt["settlements"]] == ["reconciler", "Ada"]


def test_a_decision_without_a_reason_comes_back(tab: Page, story: Story) -> None:
    tab.goto(f"/desk/decide?decision=drop&ids={story.held['Summer']['id']}&by=Ada")
    tab.get_by_label("Why").fill("   ")
    tab.get_by_role("button", name="Drop it").click()
    expect(tab.get_by_label("Why")).to_have_attribute("aria-invalid", "true")
    expect(tab.locator(".field-error")).to_have_text("Say why: it goes on record with the mail.")
    assert faults_of(tab) == []


def test_several_are_decided_at_once(tab: Page, story: Story) -> None:
    tab.goto("/desk?by=Ada")
    expect(tab.locator(".bulk").get_by_role("button", name="Drop it")).to_be_disabled()
    tab.get_by_label("Select Summer for Reader 0").check()
    tab.get_by_label("Select Autumn for Reader 0").check()
    tab.locator(".bulk").get_by_role("button", name="Drop it").click()
    expect(tab.get_by_role("heading", name="Drop 2 mails?")).to_be_visible()
    tab.get_by_label("Why").fill("the season is over")
    tab.get_by_role("button", name="Drop them").click()
    expect(tab.get_by_role("status")).to_contain_text("2 mails are dropped")
    expect_listed(tab, story, "Winter", "Harvest", "Sowing")
    tab.goto(story.path("Autumn"))
    expect(tab.locator(".rule")).to_contain_text("the season is over")
    expect(tab.locator(".verdict")).to_contain_text("Whether it had been sent before is not known")
    expect(tab.locator(".moment-title")).to_contain_text(["Unknown", "Held", "Cancelled"])


def test_who_comes_too_late_reads_what_was_decided(tab: Page, site: Site, story: Story) -> None:
    winter, harvest = story.held["Winter"], story.held["Harvest"]
    tab.goto(f"/desk/decide?decision=drop&ids={winter['id']}&ids={harvest['id']}&by=Ada")
    settle(site, winter, "was_sent", "Grace", "I have it here")
    tab.get_by_label("Why").fill("too late")
    tab.get_by_role("button", name="Drop them").click()
    notice = tab.get_by_role("status")
    expect(notice).to_contain_text("1 mail is dropped")
    expect(notice).to_contain_text("Winter for Reader 0 is accepted. Grace: it was sent: I have it here.")
    assert faults_of(tab) == []
    tab.goto(f"/desk/decide?decision=drop&ids={winter['id']}")
    expect(tab.get_by_role("main")).to_contain_text("Nothing is left to decide")


def test_a_list_that_stands_still_says_that_it_is_old(tab: Page, site: Site, story: Story) -> None:
    """And the mail's own page sends it once more, for whom nobody has decided."""
    tab.goto("/desk?by=Ada")
    expect_listed(tab, story, "Sowing")
    other = tab.context.new_page()
    other.goto(f"{story.path('Sowing')}?by=Grace")
    other.get_by_role("button", name="Send it now").click()
    other.get_by_role("textbox", name="Why").fill("they ask for it")
    expect(other.get_by_role("textbox", name="Your name")).to_have_value("Grace")
    other.keyboard.press("Enter")
    expect(other.get_by_role("status")).to_contain_text("It is sent in a new attempt")
    expect(other.locator(".rule .state")).to_have_text("Accepted")
    expect(other.locator(".timeline")).to_contain_text("Grace: send it now: they ask for it.")
    expect(tab.get_by_role("note")).to_contain_text("Somebody has decided meanwhile: none waits now.")
    tab.get_by_role("note").get_by_role("link", name="Show the list as it is").click()
    expect(tab.get_by_role("region", name="Waiting for you")).to_contain_text("Nothing waits for you")
    tab.goto(f"{story.path('Sowing')}")
    expect(tab.get_by_role("button", name="Send it now")).to_have_count(0)


def test_a_mail_page_that_is_old_says_who_was_sooner(tab: Page, site: Site, story: Story) -> None:
    late = story.held["Spring"]
    tab.goto(f"/desk/decide?decision=send_now&ids={story.unknown['id']}&back=mail")
    expect(tab.get_by_role("note")).to_contain_text("Weather for Reader 0 is unknown.")
    answer = tab.request.post(
        f"{site.url}/desk/decide",
        form={
            "decision": "drop",
            "ids": late["id"],
            "reason": "late",
            "by": "Ada",
            "back": "mail",
            "csrf": token_of(tab),
        },
        headers={"Origin": site.url},
    )
    assert "somebody else had decided meanwhile" in answer.text()
    assert len(site.call("GET", f"/emails/{late['id']}")["attempts"]) == 1
