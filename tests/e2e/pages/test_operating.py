"""The pages of operating in a real Chromium: providers, of which one refuses us, webhooks that are told, suppressions."""

import re
from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from devstack.servers import Servers
from tests.e2e.pages.conftest import Site, faults_of, serving
from tests.support.endpoint import Consumer, give_up
from tests.support.eventually import eventually

pytestmark = pytest.mark.browser

SETTINGS = {
    "FENCEPOST_PROVIDERS__ORDER": "mailgun,sendgrid,smtp,mailjet,ses",
    "FENCEPOST_PROVIDERS__SENDGRID__API_KEY": "not-the-simulators",
    "FENCEPOST_PROVIDERS__SMTP__MAX_PER_SECOND": "40",
    "FENCEPOST_PROVIDERS__MAILGUN__MAX_PER_DAY": "2000",
    "FENCEPOST_PROVIDERS__MAILJET__WARM_UP_SINCE": "2026-01-01",
    "FENCEPOST_PROVIDERS__MAILJET__WARM_UP_GROWTH": "1",
    # Nobody is told until the address is registered.
    "FENCEPOST_SIMULATOR__HOOKS_URL": "",
}
MAIL = {"from": "Shop <shop@sandbox.example.com>", "to": ["ann@example.com"], "subject": "An order", "text": "Hello"}


@pytest.fixture(scope="module")
def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A registry, a simulator, one sender, the notifier and the frontend; a mail has gone by Mailgun, since SendGrid refused it."""
    with serving(servers, tmp_path_factory.mktemp("operating"), SETTINGS, notifier=True) as site:
        [made] = site.call("POST", "/emails", {**MAIL, "providers": ["sendgrid", "mailgun"]})["emails"]
        eventually(lambda: site.call("GET", f"/emails/{made['id']}")["state"] == "accepted", seconds=30)
        yield site


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    """An endpoint that takes everything, until told otherwise."""
    consumer = Consumer()
    yield consumer
    consumer.stop()


# -- providers


def test_a_provider_that_refuses_us_is_told_in_words_and_its_alarm_leads_to_it(tab: Page) -> None:
    tab.goto("/providers")
    card = tab.locator("#provider-sendgrid")
    expect(card).to_contain_text(re.compile("Kept from mail|On trial"))
    expect(card).to_contain_text("FENCEPOST_PROVIDERS__SENDGRID__API_KEY")
    expect(tab.locator("#provider-mailgun")).to_contain_text("All mail")
    expect(tab.locator("#provider-smtp")).to_contain_text("40 calls a second")
    expect(tab.locator("#provider-mailgun")).to_contain_text(re.compile(r"1 of 2\s000 calls"))
    expect(tab.locator("#provider-mailjet")).to_contain_text(re.compile("0 of 50 calls day [0-9]+ of its warm-up"))
    history = tab.get_by_role("region", name="What became of them")
    expect(history).to_contain_text("SendGrid: kept from mail")
    with tab.expect_response(re.compile("/providers/live")):
        pass
    assert faults_of(tab) == []
    tab.goto("/cluster")
    alarm = tab.get_by_role("note").filter(has_text="SendGrid is not well")
    alarm.get_by_role("link", name="To the provider").click()
    expect(tab.get_by_role("region", name="What became of it")).to_contain_text("Kept from mail")
    assert faults_of(tab) == []


def test_weights_are_changed_by_keyboard_and_stand_in_the_history_with_the_reason(tab: Page) -> None:
    tab.goto("/providers/smtp/weight")
    expect(tab.get_by_label("Weight", exact=True)).to_be_focused()
    tab.keyboard.type("many")
    tab.keyboard.press("Enter")
    expect(tab.locator(".field-error")).to_contain_text("Is a number from 0 to 1000")
    tab.keyboard.press("ControlOrMeta+a")
    tab.keyboard.type("20")
    tab.get_by_label("Why").fill("a fifth by SMTP")
    tab.get_by_label("Your name").fill("Ann")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status")).to_contain_text("The weight is changed")
    expect(tab.get_by_role("region", name="What became of it")).to_contain_text(
        re.compile(r"Weight 20.*A fifth by SMTP.*By Ann", re.DOTALL)
    )
    tab.get_by_role("link", name="Weight of SMTP").click()
    tab.get_by_label("Weight", exact=True).fill("")
    tab.get_by_role("button", name="Change the weight").click()
    expect(tab.get_by_role("region", name="How it stands")).to_contain_text("Fallback")


def test_switching_off_asks_first_and_says_when_it_stops_all_mail(browser: Browser, site: Site) -> None:
    """Without scripts."""
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    tab = context.new_page()
    tab.goto("/providers")
    for name in ("mailjet", "ses"):
        site.call("PATCH", f"/providers/{name}", {"enabled": False})
    tab.reload()
    for name in ("SMTP", "SendGrid"):
        tab.get_by_role("link", name=f"Switch {name} off").click()
        expect(tab.get_by_role("heading", name=f"Switch {name} off?")).to_be_visible()
        tab.get_by_role("button", name="Switch it off").click()
        expect(tab.get_by_role("status")).to_contain_text("Switched off")
        tab.get_by_role("link", name="Providers").first.click()
    tab.get_by_role("link", name="Switch Mailgun off").click()
    expect(tab.get_by_role("note")).to_contain_text("This stops all mail")
    tab.get_by_label("Why").fill("their maintenance")
    tab.get_by_role("button", name="Stop all mail").click()
    expect(tab.get_by_role("region", name="What became of it")).to_contain_text("Their maintenance")
    for name in ("Mailgun", "SendGrid", "SMTP"):
        tab.goto("/providers")
        tab.get_by_role("link", name=f"Switch {name} on").click()
        tab.get_by_role("button", name="Switch it on").click()
        expect(tab.get_by_role("status")).to_contain_text("Switched on")
    for name in ("mailjet", "ses"):
        site.call("PATCH", f"/providers/{name}", {"enabled": True})
    context.close()


def test_the_address_is_registered_and_a_sample_shows_in_its_time_line(tab: Page, site: Site) -> None:
    tab.goto("/providers/mailgun/webhook")
    tab.get_by_role("button", name="Register it").press("Enter")
    expect(tab.get_by_role("status")).to_contain_text("Mailgun tells this address what becomes of mail")
    expect(tab.locator(".kinds li")).to_have_count(8)
    expect(tab.locator(".kinds .state-good")).to_have_count(8)
    assert faults_of(tab) == []
    tab.get_by_role("button", name="Register it again").click()
    expect(tab.locator(".kinds .state-calm")).to_have_count(8)
    tab.goto("/providers/mailgun/test")
    expect(tab.get_by_label("To", exact=True)).to_be_focused()
    expect(tab.get_by_label("From")).to_have_value("Shop <shop@sandbox.example.com>")
    assert faults_of(tab) == []
    tab.keyboard.type("operator@example.com")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status")).to_contain_text("The test is on its way")
    expect(tab.locator(".moment-title").filter(has_text="Delivered")).to_be_visible()
    expect(tab.locator(".attempts")).to_contain_text("Mailgun")
    sent = site.call("GET", "/emails?to=operator@example.com")["data"]
    assert [mail["provider"] for mail in sent] == ["mailgun"]


def test_whoever_was_told_the_address_tells_of_mail_from_then_on(site: Site) -> None:
    for name in ("mailjet", "ses"):
        assert set(site.call("POST", f"/providers/{name}/register-webhook")["kinds"].values()) == {"registered"}
        site.call("POST", "/emails", {**MAIL, "providers": [name]})
    for name in ("mailjet", "ses"):
        eventually(partial(delivered_by, site, name), seconds=30)


def test_what_keeps_the_address_is_told(tab: Page) -> None:
    tab.goto("/providers/sendgrid/webhook")
    tab.get_by_role("button", name="Register it").click()
    expect(tab.get_by_role("alert")).to_contain_text("SendGrid does not let us register an address")
    tab.goto("/providers/smtp/webhook")
    expect(tab.locator("main")).to_contain_text("SMTP has no webhooks")
    expect(tab.get_by_role("button", name="Register it")).to_have_count(0)
    tab.goto("/providers/pigeon")
    expect(tab.get_by_role("alert")).to_contain_text("No such provider is set up")


def test_a_sample_that_the_registry_refuses_comes_back_as_it_was(tab: Page) -> None:
    tab.goto("/providers/smtp/test")
    tab.get_by_label("To", exact=True).fill("operator@example.com")
    tab.get_by_label("From").fill("nobody at all")
    tab.get_by_role("button", name="Send it").click()
    expect(tab.locator("#e-from")).to_be_visible()
    expect(tab.get_by_label("To", exact=True)).to_have_value("operator@example.com")


# -- webhooks


def test_a_webhook_is_made_told_rotated_and_deleted(tab: Page, site: Site, consumer: Consumer) -> None:
    tab.goto("/webhooks")
    expect(tab.get_by_role("heading", name="Be told instead of asking")).to_be_visible()
    assert faults_of(tab) == []
    tab.get_by_role("link", name="Make the first one").click()
    expect(tab.get_by_label("Address")).to_be_focused()
    tab.keyboard.type("https://10.0.0.1/hook")
    tab.keyboard.press("Enter")
    expect(tab.locator("#e-url")).to_be_visible()
    assert faults_of(tab) == []
    tab.get_by_label("Address").fill(consumer.url)
    tab.get_by_label("What it is for").fill("Shop")
    for kind in ("A provider took it", "The recipient's server took it"):  # which comes first is the network's to say
        tab.get_by_label(kind).check()
    tab.get_by_role("button", name="Make the webhook").click()
    secret = tab.get_by_label("Secret of Shop").input_value()
    assert secret.startswith("whsec_")
    assert faults_of(tab) == []
    tab.get_by_role("link", name="I have it").click()
    expect(tab.locator("main")).to_contain_text("It was told nothing yet")

    tab.get_by_role("button", name="Send a test event").click()
    expect(tab.get_by_role("status")).to_contain_text("A test event is on its way")
    row = tab.get_by_role("list", name="What it was told", exact=True).locator(".row-message")
    expect(row).to_contain_text(re.compile(r"Delivered.*webhook\.test.*204.*ms", re.DOTALL))
    assert consumer.told[0].verified(secret)["type"] == "webhook.test"
    row.get_by_text("What was sent").click()
    with tab.expect_response(re.compile("/log")):
        pass
    with tab.expect_response(re.compile("/log")):
        pass
    expect(row.locator(".mail-text")).to_be_visible()  # what was opened is not closed under the reader
    expect(row.locator(".mail-text")).to_contain_text('"type":"webhook.test"')
    assert faults_of(tab) == []

    tab.get_by_role("link", name="New secret").click()
    tab.get_by_label("The old secret signs on for").select_option("One week")
    tab.get_by_role("button", name="Make a new secret").click()
    expect(tab.get_by_role("status").first).to_contain_text("The old secret signs beside it: one week")
    renewed = tab.get_by_label("Secret of Shop").input_value()
    assert renewed != secret
    tab.get_by_role("link", name="I have it").click()
    site.call("POST", "/emails", MAIL)
    told = eventually(lambda: [each for each in consumer.told if b'"type":"email.' in each.body], seconds=30)[0]
    assert told.verified(secret) == told.verified(renewed)

    tab.get_by_role("link", name="Delete").click()
    tab.get_by_role("button", name="Delete it").click()
    expect(tab.get_by_role("status")).to_contain_text("The webhook is deleted")
    assert secret not in tab.content()


def test_what_failed_is_sent_again_one_by_one_and_all_at_once(tab: Page, site: Site, consumer: Consumer) -> None:
    consumer.answer = lambda _: 500
    webhook = site.call("POST", "/webhooks", {"url": consumer.url, "types": ["email.held"]})
    for _ in range(2):
        site.call("POST", f"/webhooks/{webhook['id']}/test")
    log = f"/webhooks/{webhook['id']}/messages"
    eventually(lambda: all(each["attempts"] for each in site.call("GET", log)["data"]), seconds=30)
    give_up(site.stack.variables, webhook["id"])
    consumer.answer = lambda _: 200
    tab.goto(f"/webhooks/{webhook['id']}")
    expect(tab.get_by_role("region", name="How it stands")).to_contain_text("Failing")
    rows = tab.locator(".row-message")
    expect(rows.first).to_contain_text(re.compile("Failed.*500.*said", re.DOTALL))
    rows.first.get_by_role("button").click()
    expect(tab.get_by_role("status")).to_contain_text("It is sent again now")
    expect(rows.filter(has_text="Delivered")).to_have_count(1)
    tab.get_by_role("navigation", name="Messages").get_by_role("link", name="Failed").click()
    tab.get_by_role("button", name="Send all failed again").click()
    expect(tab.get_by_role("status")).to_contain_text("1 message is sent again now")
    expect(rows.filter(has_text="Delivered")).to_have_count(2)

    tab.get_by_role("link", name="Switch off").click()
    tab.get_by_role("button", name="Switch it off").click()
    expect(tab.get_by_role("status")).to_contain_text("Switched off")
    expect(tab.get_by_role("button", name="Send a test event")).to_have_count(0)
    tab.get_by_role("button", name="Switch on").click()
    tab.get_by_role("link", name="Change").click()
    tab.get_by_label("What it is for").fill("Back office")
    tab.get_by_role("button", name="Save the changes").click()
    expect(tab.get_by_role("heading", name="Back office")).to_be_visible()
    tab.get_by_role("link", name="Webhooks").first.click()
    row = tab.locator(".row-webhook").filter(has_text="Back office")
    expect(row).to_contain_text(re.compile("On.*held", re.DOTALL))
    assert faults_of(tab) == []


# -- suppressions


def test_an_address_is_suppressed_found_and_lifted(tab: Page, site: Site) -> None:
    tab.goto("/suppressions")
    expect(tab.locator("#results")).to_contain_text("Nobody is suppressed")
    tab.get_by_role("link", name="Suppress an address").first.click()
    expect(tab.get_by_label("Address")).to_be_focused()
    tab.get_by_label("Only mail that goes to many").check()
    tab.get_by_label("Why").fill("asked by telephone")
    tab.get_by_label("Address").fill("Zoe@example.com")
    assert faults_of(tab) == []
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status")).to_contain_text("Suppressed")
    expect(tab.locator(".row-suppression")).to_contain_text("Asked by telephone")
    for number in range(26):
        site.call("POST", "/suppressions", {"email": f"reader{number:02d}@example.com", "reason": "complaint"})
    tab.goto("/suppressions")
    expect(tab.locator(".row-suppression")).to_have_count(25)
    assert faults_of(tab) == []
    tab.get_by_role("link", name="Next page").click()
    expect(tab.locator(".row-suppression .row-title")).to_have_text(["reader00@example.com", "zoe@example.com"])
    tab.get_by_label("Address").fill("reader1")
    expect(tab.locator(".row-suppression")).to_have_count(10)
    tab.get_by_label("Reason").select_option("By hand")
    expect(tab.locator("#results")).to_contain_text("No suppressed address begins with “reader1”")
    tab.get_by_label("Address").fill("")
    tab.get_by_label("Since").select_option("In the last 24 hours")
    expect(tab.locator(".row-suppression .row-title")).to_have_text(["zoe@example.com"])
    tab.get_by_label("Reason").select_option("Complained")
    tab.get_by_role("link", name="Let reader25@example.com have mail again").click()
    expect(tab.locator("main")).to_contain_text("another complaint harms the delivery of all your mail")
    assert faults_of(tab) == []
    tab.get_by_role("button", name="Lift it").click()
    expect(tab.get_by_role("status")).to_contain_text("Lifted")
    tab.goto("/suppressions?q=reader25")
    expect(tab.locator("#results")).to_contain_text("No suppressed address")


def test_what_is_typed_into_a_search_before_the_scripts_have_come_is_looked_for(tab: Page, site: Site) -> None:
    """Someone on a slow line types while the page still loads."""
    for email in ("early@example.com", "late@example.com"):
        site.call("POST", "/suppressions", {"email": email, "reason": "complaint"})
    held: list[Route] = []
    tab.route("**/htmx.min.js*", lambda route: held.append(route))
    tab.goto("/suppressions", wait_until="commit")
    expect(tab.locator(".row-suppression").filter(has_text="late@")).to_be_visible()
    tab.get_by_label("Address").fill("early@")
    assert held
    for script in held:
        script.continue_()
    expect(tab.locator(".row-suppression .row-title")).to_have_text(["early@example.com"])
    expect(tab).to_have_url(re.compile(r"q=early"))


def delivered_by(site: Site, name: str) -> bool:
    return bool(site.call("GET", f"/emails?provider={name}&state=delivered")["data"])
