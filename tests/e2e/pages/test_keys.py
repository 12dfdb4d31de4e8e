"""Signing in and the page of the keys, on a stack that trusts nobody without a key."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests
from playwright.sync_api import Page, expect

from devstack.servers import Servers
from fencepost.api_keys import Scope
from fencepost.settings import load
from fencepost.store import Store
from tests.e2e.pages.conftest import Site, faults_of, serving
from tests.support.keys import make_key

pytestmark = pytest.mark.browser

STRICT = {"FENCEPOST_REGISTRY__TRUST_LOOPBACK": "false", "FENCEPOST_FRONTEND__TRUST_LOOPBACK": "false"}


@pytest.fixture(scope="module")
def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A registry and a frontend, without senders."""
    with serving(servers, tmp_path_factory.mktemp("keys"), STRICT, senders=0) as site:
        yield site


@pytest.fixture(scope="module")
def secrets(site: Site) -> dict[str, str]:
    """Keys that are on record before anybody signs in: one for everything, one for reading reports."""
    store = Store.open(load(site.stack.variables).mongodb)
    now = datetime.now(UTC)
    made = {
        "admin": make_key(store, now, Scope.ADMIN, owner_id="local"),
        "reports": make_key(store, now, Scope.REPORTS_READ, owner_id="ann"),
    }
    store.close()
    return made


def sign_in(tab: Page, secret: str, path: str = "/") -> None:
    tab.goto(path)
    tab.get_by_label("API key").fill(secret)
    tab.get_by_role("button", name="Sign in").click()


def test_signing_in_by_keyboard_leads_to_the_page_that_was_asked_for(tab: Page, secrets: dict[str, str]) -> None:
    tab.goto("/keys")
    expect(tab.get_by_label("API key")).to_be_focused()
    assert faults_of(tab) == []
    tab.keyboard.type("fp_live_nonsense")
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        expect(tab.get_by_role("button", name="Show the key").locator("svg:visible")).to_have_count(1)
    tab.get_by_role("button", name="Show the key").click()
    expect(tab.get_by_role("button", name="Show the key").locator("svg:visible")).to_have_count(1)
    expect(tab.get_by_label("API key")).to_have_attribute("type", "text")
    tab.get_by_label("API key").press("Enter")
    expect(tab.get_by_role("alert")).to_contain_text("The registry refuses it")
    assert faults_of(tab) == []
    tab.keyboard.type(secrets["admin"])
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="API keys")).to_be_visible()
    assert faults_of(tab) == []


def test_a_key_is_made_copied_used_and_revoked(tab: Page, site: Site, secrets: dict[str, str]) -> None:
    sign_in(tab, secrets["admin"], "/keys")
    tab.get_by_role("link", name="New key").click()
    assert faults_of(tab) == []
    tab.get_by_label("Name").fill("Shop")
    tab.get_by_role("button", name="Make the key").click()
    expect(tab.locator(".field-error")).to_contain_text("Tick at least one")
    expect(tab.get_by_label("Send mail, and decide about it")).to_be_focused()
    tab.get_by_label("Read schedules").check()
    tab.get_by_label("Send mail, and decide about it").check()
    tab.get_by_label("It expires").select_option("In 30 days")
    assert faults_of(tab) == []
    tab.get_by_role("button", name="Make the key").click()
    secret = tab.get_by_label("Secret of “Shop”").input_value()
    assert re.fullmatch("fp_live_[0-9A-Z]{26}_[0-9a-f]{64}", secret)
    tab.get_by_role("button", name="Copy").click()
    expect(tab.get_by_role("button", name="Copied")).to_be_visible()
    assert faults_of(tab) == []

    def status() -> int:
        headers = {"Authorization": f"Bearer {secret}"}
        return requests.get(f"{site.stack.registry_url}/schedules", headers=headers, timeout=10).status_code

    assert status() == 200
    tab.get_by_role("link", name="I have it").click()
    row = tab.get_by_role("listitem").filter(has_text="Shop").first
    expect(row).to_contain_text("schedules:read")
    expect(row).to_contain_text("Active")
    row.get_by_role("link", name="Revoke Shop").click()
    assert faults_of(tab) == []
    tab.get_by_role("button", name="Revoke it").click()
    expect(tab.get_by_role("status")).to_contain_text("Revoked")
    expect(tab.get_by_role("listitem").filter(has_text="Shop").first).to_contain_text("Revoked")
    assert secret not in tab.content()


def test_what_the_key_may_not_is_named_and_signing_out_ends_it(tab: Page, secrets: dict[str, str]) -> None:
    sign_in(tab, secrets["reports"], "/schedules")
    expect(tab.get_by_role("alert")).to_contain_text("This key lacks the scope schedules:read")
    assert faults_of(tab) == []
    tab.get_by_text("live key of ann").first.click()
    expect(tab.get_by_text("Mail of ann")).to_be_visible()
    assert faults_of(tab) == []
    tab.set_viewport_size({"width": 360, "height": 900})
    if not tab.get_by_role("button", name="Sign out").is_visible():
        tab.locator(".account > summary").click()
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()
    tab.goto("/schedules")
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_cookie_is_not_for_scripts(tab: Page, secrets: dict[str, str]) -> None:
    sign_in(tab, secrets["admin"], "/keys")
    expect(tab.get_by_role("heading", name="API keys")).to_be_visible()
    [cookie] = tab.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert tab.evaluate("document.cookie") == ""
    assert secrets["admin"] not in str(cookie)
