"""What the browser gets: named by the lock file, nothing inline, nothing from elsewhere."""

import json
import re
from pathlib import Path

import pytest

from frontend import assets, states
from tests.support.missing import missing

TEMPLATES = sorted(assets.HERE.glob("templates/**/*.html"))
OWN_FILES = [
    path for path in sorted((assets.HERE / "static").rglob("*")) if path.is_file() and assets.VENDOR not in path.parents
]


def test_the_lock_names_no_host_and_every_dependency() -> None:
    lock = json.loads((assets.HERE / "package-lock.json").read_text())
    package = json.loads((assets.HERE / "package.json").read_text())
    packages = {path.removeprefix("node_modules/"): found for path, found in lock["packages"].items() if path}
    assert package["dependencies"].items() <= {name: found["version"] for name, found in packages.items()}.items()
    for name, found in packages.items():
        assert "resolved" not in found, name
        assert found["integrity"].startswith("sha512-"), name


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_have_nothing_inline_and_nothing_foreign(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text)


@pytest.mark.parametrize("path", OWN_FILES, ids=lambda path: path.name)
def test_own_files_fetch_nothing_and_evaluate_nothing(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert "://" not in text
    assert not re.search(r"\beval\(|new Function|innerHTML|@import", text)
    assert len(text.splitlines()) < 300


def test_every_icon_that_is_named_is_in_the_sprite() -> None:
    if not assets.ICONS.exists():
        missing("the npm packages are not installed: python -m frontend.assets")
    looks = [
        look for table in (states.SCHEDULES, states.EMAILS, states.EVENTS, states.PREVENTED) for look in table.values()
    ]
    named = {look.icon for look in looks}
    for path in TEMPLATES:
        named |= set(re.findall(r"icon\(\"([a-z0-9-]+)\"", path.read_text()))
    assert named <= set(assets.icons_in_use())


def test_a_word_that_is_no_icon_is_left_out() -> None:
    assert "no-such-icon-anywhere" not in assets.icons_in_use()
