"""What people write for the command, and what the API gets for it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from cli.client import path, pause_before
from cli.documents import document_of, merged
from cli.message import recipient
from cli.remote import secret
from cli.rules import fields
from cli.values import INSTANT, instant_of, seconds_of
from fencepost.settings import load

NOW = datetime(2026, 3, 28, 12, 0, 0, 900_000, tzinfo=UTC)
NOTHING: dict[str, Any] = dict.fromkeys(
    ("cron", "every", "rrule", "once", "zone", "starts", "ends", "max_runs", "gap", "repeat"), None
)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("3d", 259_200)])
def test_durations(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "m", "-5m", "1.5h", "2w", "1h30m"])
def test_what_is_no_duration(text: str) -> None:
    assert seconds_of(text) is None


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-29T09:00:00Z", "2026-03-29T09:00:00Z"),
        ("2026-03-29T09:00:00+02:00", "2026-03-29T07:00:00Z"),
        ("+15m", "2026-03-28T12:15:00Z"),
        ("-2h", "2026-03-28T10:00:00Z"),
    ],
)
def test_instants(text: str, instant: str) -> None:
    assert instant_of(text, NOW) == instant


@pytest.mark.parametrize("text", ["", "tomorrow", "+", "+soon", "25:00"])
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        instant_of(text, NOW)


@pytest.mark.parametrize("text", ["+999999999d", "-999999999d"])
def test_an_instant_that_no_calendar_has_is_refused_in_words(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not an instant such as"):
        INSTANT.convert(text, None, None)


def test_a_rule_is_one_rule() -> None:
    assert fields(**{**NOTHING, "cron": "0 9 * * *", "zone": "Europe/Berlin", "gap": "skip"}) == {
        "recurrence": {"type": "cron", "expression": "0 9 * * *", "timezone": "Europe/Berlin"},
        "dst": {"gap": "skip"},
    }
    assert fields(**NOTHING) == {}
    for wrong in ({"cron": "0 9 * * *", "every": "1h"}, {"every": "1h", "zone": "UTC"}):
        with pytest.raises(click.UsageError):
            fields(**{**NOTHING, **wrong})


def test_a_recipient_with_variables_is_an_object() -> None:
    assert recipient("Ann <ann@example.com>", {}) == "Ann <ann@example.com>"
    assert recipient("Ann <ann@example.com>", {"team": "North"}) == {
        "email": "ann@example.com",
        "name": "Ann",
        "variables": {"team": "North"},
    }


@pytest.mark.parametrize(
    "text", ["", "ann@example.com, bob@example.com", "Ann <ann@example.com> Bob", "ann@exa mple.com"]
)
def test_what_is_not_one_address_is_left_to_the_api_to_refuse(text: str) -> None:
    assert recipient(text, {"team": "North"}) == {"email": text, "name": "", "variables": {"team": "North"}}


def test_options_are_laid_over_a_document_object_by_object(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('name = "A"\nstarts_at = 2026-03-29T09:00:00Z\n[message]\nsubject = "old"\n')
    document = document_of(str(tmp_path / "a.toml"))
    assert merged(document, {"message": {"subject": "new"}}) == {
        "name": "A",
        "starts_at": "2026-03-29T09:00:00+00:00",
        "message": {"subject": "new"},
    }
    (tmp_path / "broken").write_text("{")
    for name in ("broken", "none"):
        with pytest.raises(click.UsageError):
            document_of(str(tmp_path / name))


def test_pauses_grow_obey_the_registry_and_end() -> None:
    assert [pause_before(tried, None, 1.0) for tried in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, None]
    assert pause_before(1, 5.0, 0.0) == 5.0
    assert pause_before(1, 3600.0, 0.0) is None


def test_ids_stay_one_part_of_a_path() -> None:
    assert path("keys", "../a?b") == "/keys/..%2Fa%3Fb"


def test_options_win_over_variables_and_the_variable_over_its_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("filed\n")
    variables = {"FENCEPOST_KEY": "variable", "FENCEPOST_KEY_FILE": str(tmp_path / "key")}
    assert secret("option", None, variables) == "option"
    assert secret(None, tmp_path / "key", variables) == "filed"
    assert secret(None, None, variables) == "variable"
    assert secret(None, None, {**variables, "FENCEPOST_KEY": ""}) == "filed"
    assert secret(None, None, {}) is None


def test_the_commands_own_variables_are_no_settings(tmp_path: Path) -> None:
    load({"FENCEPOST_URL": "http://127.0.0.1:1", "FENCEPOST_KEY": "k", "FENCEPOST_KEY_FILE": str(tmp_path / "none")})
