"""One whole Fencepost for the tests of a module, and Chromium tabs that watch what their pages ask for."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from devstack.servers import Servers
from devstack.stack import Ports, Stack
from frontend import assets
from tests.support.missing import missing
from tests.support.territory import Territory

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
COLOURS = ["color-contrast", "link-in-text-block"]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
HTML = "<h1 style='color: teal'>Good morning {{ name }}</h1>"


class Site:
    """The stack, and the few things that tests ask its registry and its simulator for."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.url = stack.frontend_url
        self.inbox_url = stack.simulator_url
        self._registry_url = stack.registry_url
        self._http = requests.Session()
        self._http.trust_env = False

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self._http.request(method, self._registry_url + path, json=body, headers=headers, timeout=20)
        answer.raise_for_status()
        return answer.json()

    def schedule(self, name: str, recurrence: dict[str, Any] | None = None, *, to: int = 1, **fields: Any) -> Any:
        """A schedule in the registry; without a recurrence, one that does not come during a test."""
        message = {
            "from": "Harbour News <news@sandbox.example.com>",
            "to": [f"Reader {number} <reader{number}@example.com>" for number in range(to)],
            "subject": f"{name} for {{{{ name }}}}",
            "text": "Good morning {{ name }}",
            "html": HTML,
            **fields.pop("message", {}),
        }
        never = {"type": "cron", "expression": "0 9 1 1 *", "timezone": "Europe/Berlin"}
        body = {"name": name, "recurrence": recurrence or never, "message": message, **fields}
        return self.call("POST", "/schedules", body)

    def due_now(self, name: str, **fields: Any) -> Any:
        """A schedule that runs once, at the next whole second but one."""
        at = datetime.now(UTC) + timedelta(seconds=2)
        return self.schedule(name, {"type": "once", "at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}, **fields)

    def mails(self, schedule: Any) -> list[Any]:
        found: list[Any] = self.call("GET", f"/emails?schedule_id={schedule['id']}")["data"]
        return found

    def dial(self, **setting: Any) -> None:
        self._http.put(f"{self.inbox_url}/_simulator/dials", json=setting, timeout=20).raise_for_status()

    def close(self) -> None:
        self._http.close()


@contextmanager
def serving(
    servers: Servers, folder: Path, settings: Mapping[str, str], *, senders: int = 1, **parts: bool
) -> Iterator[Site]:
    """A stack with these settings, on a corner of the servers of its own; `parts` are those that it has only if asked."""
    if absent := assets.missing():
        missing(f"the pages' files are missing ({', '.join(absent)}): python -m frontend.assets")
    territory = Territory.fresh(servers)
    variables = {**territory.variables, **settings}
    stack = Stack(folder, variables, ports=Ports.free(), senders=senders, **parts)
    try:
        site = Site(stack.start())
        yield site
        site.close()
    finally:
        stack.kill()
        territory.clear()


@pytest.fixture(scope="module")
def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A registry, a simulator, one sender, the auditor and the frontend, shared by the tests of a module."""
    # What is unknown stays so while a reader looks at it.
    stays = {"FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "600", "FENCEPOST_SIMULATOR__HOOKS_URL": ""}
    soon = {"FENCEPOST_AUDITOR__EVERY_SECONDS": "1", "FENCEPOST_AUDITOR__GRACE_SECONDS": "3"}
    with serving(servers, tmp_path_factory.mktemp("pages"), {**stays, **soon}, auditor=True) as site:
        yield site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        missing("no Chromium on PATH: apt-get install chromium")
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """A reader in New York, whose pages ask no other host for anything and break no rule of their own policy."""
    context = browser.new_context(
        base_url=site.url,
        timezone_id="America/New_York",
        viewport={"width": 1280, "height": 900},
        reduced_motion="reduce",
    )
    foreign: list[str] = []
    broken: list[str] = []

    def refuse(route: Route) -> None:
        foreign.append(route.request.url)
        route.abort()

    def listen(text: str) -> None:
        # The policy of a mail's own HTML has no 'self' in it: what that stops is meant to be stopped. And axe leaves an empty
        # style attribute (hence that hash) on what it looked at, which htmx copies.
        if "Content Security Policy" in text and "'self'" in text and "47DEQpj8HBSa+/TImW+5JCeu" not in text:
            broken.append(text)

    # What a policy stops never comes as far as a route, so this is what would have left the browser.
    context.route(lambda url: not url.startswith((site.url, site.inbox_url, "data:", "about:")), refuse)
    context.on("console", lambda message: listen(message.text))
    context.on("weberror", lambda error: broken.append(str(error.error)))
    yield context
    context.close()
    assert foreign == []
    assert broken == []


@pytest.fixture
def tab(context: BrowserContext) -> Page:
    return context.new_page()


def token_of(tab: Page) -> str:
    """What each unsafe request of the page carries to show that it is the visitor's own."""
    headers = json.loads(tab.locator("body").get_attribute("hx-headers") or "{}")
    return str(headers["X-CSRF-Token"])


def tab_to(tab: Page, label: str, *, limit: int = 40) -> None:
    """Press Tab until the field of that name has the focus: it must be reachable, and from here on."""
    for _ in range(limit):
        tab.keyboard.press("Tab")
        if tab.evaluate("(label) => document.activeElement.labels?.[0]?.innerText.trim().startsWith(label)", label):
            return
        if tab.evaluate("(label) => document.activeElement.innerText?.trim() === label", label):
            return
    raise AssertionError(f"{label} is not reached by Tab")


def faults_of(tab: Page) -> list[str]:
    """What axe finds in the page, wide and narrow, in light and dark; and whether it scrolls sideways.

    A theme changes nothing but colours, so in the second one only these are looked at.
    """
    found: list[str] = []
    tab.evaluate(Axe().axe_script)
    for width in (1280, 360):
        tab.set_viewport_size({"width": width, "height": 900})
        for theme, rules in (("light", RULES), ("dark", COLOURS)):
            tab.emulate_media(color_scheme=theme)  # type: ignore[arg-type] # mypy takes it for any string
            expect(tab.locator("html")).to_have_attribute("data-bs-theme", theme)
            violations = tab.evaluate(_AXE, rules)
            where = f"{tab.url} at {width} in {theme}"
            found += [f"{where}: {each['id']}: {[node['target'] for node in each['nodes'][:3]]}" for each in violations]
    for width in (320, 360, 800, 1280):
        tab.set_viewport_size({"width": width, "height": 900})
        if tab.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{tab.url} at {width} scrolls sideways")
    return found


_AXE = "async (rules) => (await axe.run({ runOnly: rules, resultTypes: ['violations'] })).violations"
