"""The simulator's pages in a real Chromium."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.contract.providers.wire import Wire, answer
from tests.integration.simulator.conftest import Simulator
from tests.support.eventually import eventually
from tests.support.missing import missing

pytestmark = pytest.mark.browser

FORM = {"from": "Me <me@example.com>", "to": "Ada <ada@example.org>", "subject": "Hello", "text": "Hello Ada"}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

HOSTILE = """
<script>document.title = top.document.title = "owned"; fetch("{evil}/script")</script>
<svg onload="fetch('{evil}/svg')"></svg><img src=x onerror="fetch('{evil}/onerror')">
<img src="{evil}/pixel.gif"><link rel="stylesheet" href="{evil}/style.css">
<meta http-equiv="refresh" content="0; url={evil}/refresh">
<style>@import url({evil}/import.css); body { background: url({evil}/background) }
@font-face { font-family: x; src: url({evil}/font) } p { font-family: x; color: rgb(1, 2, 3) }</style>
<iframe src="{evil}/frame"></iframe><object data="{evil}/object"></object>
<base href="{evil}/"><form action="{evil}/form"><button id="go">Go</button></form>
<a id="away" href="{evil}/link" target="_top">Away</a><p id="seen">Hello</p>
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        missing("no Chromium on PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Browser, simulator: Simulator) -> Iterator[Page]:
    """A page at the simulator; afterwards it has asked no other host for anything."""
    context = browser.new_context(base_url=simulator.url)
    tab = context.new_page()
    foreign: list[str] = []
    tab.on("request", lambda request: None if request.url.startswith(simulator.url) else foreign.append(request.url))
    yield tab
    context.close()
    assert foreign == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(browser: Browser, simulator: Simulator, scheme: Any, width: int) -> None:
    for number in range(3):
        simulator.post({**FORM, "subject": f"Mail {number} " * 9, "html": "<h1>Hello</h1>", "v:fencepost": "eml_A/1"})
    simulator.dial(latency_ms=1, faults={"accept_and_500": {"next": 1}})
    simulator.post({**FORM, "v:x": "y" * 200, "o:testmode": "yes"})
    context = browser.new_context(base_url=simulator.url, color_scheme=scheme, viewport={"width": width, "height": 800})
    tab = context.new_page()
    addresses = (
        "/",
        "/?q=nothing",
        "/messages/1",
        "/messages/1?view=text",
        "/messages/4?view=headers",
        "/dials",
        "/missing",
    )
    for address in addresses:
        tab.goto(address)
        found = Axe().run(tab, options={"runOnly": RULES}).response["violations"]
        assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == [], address
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{address} scrolls sideways"
    tab.goto("/dials")
    tab.get_by_label("Latency").fill("99999999")
    tab.evaluate("document.getElementById('dials').noValidate = true")
    tab.get_by_role("button", name="Turn the dials").click()
    expect(tab.get_by_role("alert")).to_contain_text("latency_ms")
    assert Axe().run(tab, options={"runOnly": RULES}).response["violations"] == []
    context.close()


def test_new_mail_appears_by_itself_and_leaves_the_focus_alone(tab: Page, simulator: Simulator) -> None:
    tab.goto("/")
    expect(tab.get_by_text("No mail yet.")).to_be_visible()
    simulator.post({**FORM, "subject": "The first"})
    expect(tab.get_by_role("link", name="The first")).to_be_visible(timeout=15_000)
    expect(tab.get_by_text("No mail yet.")).to_be_hidden()
    tab.get_by_role("link", name="The first").focus()
    simulator.post({**FORM, "subject": "The second"})
    expect(tab.locator(".row-subject")).to_have_text(["The second", "The first"], timeout=15_000)
    expect(tab.get_by_role("link", name="The first")).to_be_focused()
    expect(tab.get_by_role("status")).to_have_text("1 new mail")
    expect(tab.locator(".summary dd").first).to_have_text("2")
    simulator.http.delete(f"{simulator.url}/_simulator/ledger", timeout=10)
    expect(tab.get_by_text("No mail yet.")).to_be_visible(timeout=15_000)


def test_a_search_stays_a_search_while_mail_comes_in(tab: Page, simulator: Simulator) -> None:
    simulator.post({**FORM, "subject": "wanted one"})
    tab.goto("/?q=wanted")
    simulator.post({**FORM, "subject": "noise"})
    simulator.post({**FORM, "subject": "wanted two"})
    expect(tab.locator(".row-subject")).to_have_text(["wanted two", "wanted one"], timeout=15_000)


def test_mail_is_read_by_keyboard_alone(tab: Page, simulator: Simulator) -> None:
    simulator.post({**FORM, "subject": "By hand", "html": "<p>In HTML</p>"})
    simulator.post({**FORM, "subject": "Another"})
    tab.goto("/")
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
    for _ in range(4):
        tab.keyboard.press("Tab")
    expect(tab.get_by_label("Search the mail")).to_be_focused()
    tab.keyboard.type("by hand")
    tab.keyboard.press("Enter")
    expect(tab.locator(".row-subject")).to_have_text(["By hand"])
    tab.get_by_label("Search the mail").focus()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("By hand")
    expect(tab.frame_locator("iframe").get_by_text("In HTML")).to_be_visible()
    expect(tab.get_by_label("Search the mail")).to_have_value("by hand")


def test_the_dials_are_turned_in_the_form(tab: Page, simulator: Simulator) -> None:
    tab.goto("/dials")
    tab.get_by_label("accept_and_hang: per cent of all calls").fill("12.5")
    tab.get_by_label("429: the next so many calls").fill("4")
    tab.get_by_role("button", name="Turn the dials").click()
    expect(tab.get_by_role("status")).to_contain_text("Done.")
    faults = simulator.get("dials")["faults"]
    assert (faults["accept_and_hang"]["share"], faults["429"]["next"]) == (0.125, 4)
    tab.get_by_role("button", name="All well").click()
    expect(tab.get_by_role("status")).to_contain_text("It behaves well.")


@pytest.fixture
def evil() -> Iterator[Wire]:
    """A server that a mail would like to have called."""
    wire = Wire(answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
    yield wire
    wire.stop()


def test_a_hostile_mail_runs_nothing_and_calls_nobody(browser: Browser, simulator: Simulator, evil: Wire) -> None:
    simulator.post({**FORM, "subject": "Win a prize", "html": HOSTILE.replace("{evil}", evil.url)})
    context = browser.new_context(base_url=simulator.url)
    tab = context.new_page()
    tab.goto("/messages/1")
    seen = tab.frame_locator("iframe.body").locator("#seen")
    expect(seen).to_be_visible()
    expect(seen).to_have_css("color", "rgb(1, 2, 3)")
    tab.frame_locator("iframe.body").locator("#go").click()
    tab.frame_locator("iframe.body").locator("#away").click()
    tab.wait_for_load_state("networkidle")
    expect(tab).to_have_title("Win a prize · Fencepost simulator")
    tab.goto("/messages/1/html")
    expect(tab.locator("#seen")).to_be_visible()
    assert tab.evaluate("origin") == "null", "alone in a tab, it still has an origin of its own"
    context.close()
    assert evil.requests == []


def test_the_same_mail_without_our_policy_does_call(browser: Browser, evil: Wire) -> None:
    context = browser.new_context()
    context.new_page().set_content(HOSTILE.replace("{evil}", evil.url), wait_until="commit")
    assert eventually(lambda: len(evil.requests) > 3)
    context.close()
