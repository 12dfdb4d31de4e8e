"""`make run` in a fresh copy of the tree. That it installs what it needs is proved by .ci/run, on a bare machine."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from devstack.stack import ROOT
from tests.support.dev import Run, ledger
from tests.support.documents import copy_of_tree
from tests.support.eventually import eventually
from tests.support.missing import missing

VENDOR = Path("frontend") / "static" / "vendor"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy with an environment and the pages' files already in place, younger than what they are made from."""
    tree = copy_of_tree(ROOT, tmp_path / "tree")
    if not (ROOT / VENDOR / "icons.svg").exists():
        missing("the pages' files are not there; run: make setup")
    shutil.copytree(ROOT / VENDOR, tree / VENDOR)
    programs = tree / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, command in {"python": "", "fencepost": " -m cli"}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{command} "$@"\n')
        (programs / name).chmod(0o755)
    for made in (tree / ".venv" / "ready-to-run", tree / VENDOR / "icons.svg"):
        made.touch()
    return tree


@pytest.fixture
def make_run(tree: Path) -> Iterator[Run]:
    run = Run(tree, command=[shutil.which("make") or "make", "run"], variables={"PYTHONPATH": str(tree)})
    yield run.ready()
    if run.process.poll() is None:
        run.process.kill()
        run.process.wait()


@pytest.fixture
def tab() -> Iterator[Page]:
    chromium = shutil.which("chromium") or missing("no Chromium on PATH: apt-get install chromium")
    with (
        sync_playwright() as playwright,
        closing(
            playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        ) as browser,
    ):
        yield browser.new_page()


@pytest.mark.timeout(300)
@pytest.mark.browser
def test_a_schedule_made_in_the_form_arrives_in_the_inbox_and_ctrl_c_leaves_nothing(make_run: Run, tab: Page) -> None:
    tab.goto(f"{make_run.address('Pages')}/schedules/new")
    tab.get_by_label("Name", exact=True).fill("Made in the form")
    tab.get_by_role("radio", name="Cron").check(force=True)
    tab.get_by_label("Cron expression").fill("* * * * *")
    tab.get_by_label("From", exact=True).fill("Harbour News <news@sandbox.example.com>")
    tab.get_by_label("Recipients", exact=True).fill("Ada Lovelace <ada@example.com>")
    tab.get_by_label("Subject", exact=True).fill("Tidings for {{ name }}")
    tab.get_by_label("Text", exact=True).fill("Good morning {{ name }}")
    tab.get_by_role("button", name="Save the schedule").click()
    expect(tab.get_by_role("status")).to_contain_text("The schedule is saved")

    inbox = make_run.address("Inbox")
    subjects = {"Hello from Fencepost", "Tidings for Ada Lovelace"}
    eventually(lambda: subjects <= {mail["subject"] for mail in ledger(inbox)}, seconds=75, every=0.25)
    tab.goto(inbox)
    expect(tab.get_by_text("Tidings for Ada Lovelace").first).to_be_visible()

    make_run.end()
    assert make_run.processes() == []
    assert make_run.temporary_files() == []
    assert "All that was started has ended." in make_run.screen
