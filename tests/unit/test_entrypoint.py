"""The image's entry point: what it takes from config/secrets.env, and for whom."""

import os
from pathlib import Path

import pytest

from docker import entrypoint
from fencepost.settings import load

TEMPLATE = Path(__file__).parents[2] / "config" / "secrets.env.template"
KEY = "FENCEPOST_PROVIDERS__MAILGUN__API_KEY"


def test_without_a_secrets_file_nothing_changes(tmp_path: Path) -> None:
    found = entrypoint.secrets(tmp_path / "secrets.env")
    assert found == {}
    assert entrypoint.overlaid({"A": "1", "EMPTY": ""}, found, "sender") == {"A": "1", "EMPTY": ""}


def test_its_lines_win_over_the_environment_and_one_without_a_value_takes_away(tmp_path: Path) -> None:
    path = written(tmp_path, "# a remark\n\nFENCEPOST_B = two=2 \nFENCEPOST_C=\n")
    merged = entrypoint.overlaid({"FENCEPOST_B": "1", "FENCEPOST_C": "1", "D": "4"}, entrypoint.secrets(path), "sender")
    assert merged == {"FENCEPOST_B": "two=2", "D": "4"}


@pytest.mark.parametrize("module", ["auditor", "notifier", "frontend", "simulator", "docker.set_up"])
def test_pages_and_simulator_never_hold_a_providers_key(tmp_path: Path, module: str) -> None:
    found = entrypoint.secrets(written(tmp_path, f"{KEY}=key-real\nFENCEPOST_FRONTEND__SIMULATOR_URL=\n"))
    assert entrypoint.overlaid({}, found, module) == {}
    assert entrypoint.overlaid({}, found, "sender") == {KEY: "key-real"}


@pytest.mark.parametrize(
    "line", ["key-real-and-secret", "KEY='key-real-and-secret'", 'KEY= "key-real-and-secret"', "1=x"]
)
def test_a_broken_line_is_named_and_not_shown(tmp_path: Path, line: str) -> None:
    with pytest.raises(SystemExit, match="line 2: write NAME=value without quotes") as refusal:
        entrypoint.secrets(written(tmp_path, f"A=1\n{line}\n"))
    assert "key-real" not in str(refusal.value)


def test_a_file_that_cannot_be_read_is_no_silent_way_to_the_simulator(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").mkdir()
    with pytest.raises(SystemExit, match=f"config/secrets.env is there, but user {os.getuid()} .* can't read it"):
        entrypoint.secrets(tmp_path / "secrets.env")


def test_the_template_leads_away_from_the_simulator() -> None:
    found = entrypoint.secrets(TEMPLATE)
    before = {
        "FENCEPOST_PROVIDERS__MAILGUN__BASE_URL": "http://simulator:5080",
        "FENCEPOST_FRONTEND__SIMULATOR_URL": "x",
    }
    merged = entrypoint.overlaid(before, found, "sender")
    assert merged == {"FENCEPOST_PROVIDERS__MAILGUN__BASE_URL": "https://api.mailgun.net"}
    assert {KEY, "FENCEPOST_PROVIDERS__MAILGUN__DOMAIN", "FENCEPOST_PROVIDERS__MAILGUN__EVENTS_API_KEY"} <= found.keys()


def test_the_simulators_signing_key_signs_nothing_once_mail_goes_elsewhere() -> None:
    signing_key = "FENCEPOST_PROVIDERS__MAILGUN__WEBHOOK_SIGNING_KEY"
    assert entrypoint.overlaid({signing_key: "known"}, {KEY: "key-real"}, "registry") == {KEY: "key-real"}
    real = {KEY: "key-real", signing_key: "real"}
    assert entrypoint.overlaid({signing_key: "known"}, real, "registry") == real
    assert entrypoint.overlaid({signing_key: "known"}, {}, "registry") == {signing_key: "known"}


def written(folder: Path, text: str) -> Path:
    path = folder / "secrets.env"
    path.write_text(text)
    return path


def test_an_empty_address_leads_from_the_simulator_to_the_provider() -> None:
    environment = {"FENCEPOST_PROVIDERS__SES__BASE_URL": "http://simulator:5080"}
    merged = entrypoint.overlaid(
        environment, {"FENCEPOST_PROVIDERS__SES__BASE_URL": "", "FENCEPOST_PROVIDERS__ORDER": "ses"}, "sender"
    )
    providers = load(merged).providers
    assert (providers.order, providers.ses.base_url) == (("ses",), None)
