"""/docs in a real browser: the reference appears, without a word to any other host."""

import shutil

import pytest
from playwright.sync_api import Request, expect, sync_playwright

from tests.conftest import StartsStack
from tests.support.missing import missing

pytestmark = pytest.mark.browser

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def test_the_reference_appears_and_loads_nothing_from_elsewhere(stack: StartsStack) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        missing("no Chromium on PATH: apt-get install chromium")
    registry_url = stack(senders=0, frontend=False).registry_url
    asked: list[str] = []
    complaints: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        page = browser.new_page()
        page.on("request", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto(f"{registry_url}/docs")
        expect(page.get_by_role("heading", name="Fencepost")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("link", name="Pause a schedule").first).to_be_visible(timeout=60_000)
        browser.close()
    assert {url.removeprefix(registry_url) for url in asked} == {"/docs", "/docs/reference.js", "/openapi.json"}
    assert complaints == []
