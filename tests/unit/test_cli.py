"""The `fencepost` command: what it prints, and how it ends."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from cli import demo
from cli.__main__ import cli, main
from cli.environment import data_folder, own_variables, read_env_file
from cli.screen import Screen, without_password
from devstack.logfiles import Complaint


def test_config_prints_each_setting_as_the_variable_that_sets_it() -> None:
    answer = CliRunner().invoke(cli, ["config"], env={"FENCEPOST_SENDER__SEATS": "7"})
    assert answer.exit_code == 0
    assert "FENCEPOST_SENDER__SEATS=7" in answer.output.splitlines()


def test_config_masks_secrets_in_both_shapes() -> None:
    variables = {"FENCEPOST_PROVIDERS__MAILGUN__API_KEY": "key-of-mine", "FENCEPOST_REDIS__URL": "redis://:hidden@h/0"}
    for arguments in (["config"], ["config", "--json"]):
        answer = CliRunner().invoke(cli, arguments, env=variables)
        assert "key-of-mine" not in answer.output
        assert "hidden" not in answer.output
    assert json.loads(answer.output)["providers"]["order"] == ["mailgun"]


def test_settings_that_cannot_be_used_end_it_with_status_2_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FENCEPOST_SENDER__SEATS", "many")
    monkeypatch.setattr("sys.argv", ["fencepost", "config"])
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 2
    assert "fencepost: the settings can't be used:\n  FENCEPOST_SENDER__SEATS: " in capsys.readouterr().err


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("# a comment\n\nFENCEPOST_A=file\nFENCEPOST_B = spaced \nFENCEPOST_C=a=b\nHOME=/nowhere\n")
    assert read_env_file(file)["FENCEPOST_B"] == "spaced"
    assert own_variables({"FENCEPOST_A": "environment", "PATH": "/bin", "PUBLIC_URL": "https://x"}, file) == {
        "FENCEPOST_A": "environment",
        "FENCEPOST_B": "spaced",
        "FENCEPOST_C": "a=b",
        "PUBLIC_URL": "https://x",
    }


def test_the_data_folder_is_removed_unless_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with data_folder(keep=False) as folder:
        (folder / "data").touch()
    assert not folder.exists()
    with data_folder(keep=True) as folder:
        (folder / "data").touch()
    assert (tmp_path / ".fencepost" / "data").exists()


def test_the_first_demo_mail_is_due_within_ten_seconds_and_the_others_later() -> None:
    now = datetime(2026, 3, 28, 12, 0, 0, 900_000, tzinfo=UTC)
    first, *_ = demo.schedules(now, "mail.example.org")
    due = datetime.fromisoformat(first["recurrence"]["at"])
    assert 4 < (due - now).total_seconds() < 10
    assert first["message"]["from"]["email"].endswith("@mail.example.org")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://:secret@fence:6379/0", "redis://fence:6379/0"),
        ("mongodb://u:p%40@a,b/?replicaSet=rs0", "mongodb://a,b/?replicaSet=rs0"),
        ("redis://127.0.0.1:1/0", "redis://127.0.0.1:1/0"),
    ],
)
def test_addresses_are_shown_without_their_passwords(address: str, shown: str) -> None:
    assert without_password(address) == shown


def test_what_a_log_says_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(Console(highlight=False))
    screen.complaint(Complaint("sender-1", "warning", "[/red] is no markup here: [a]"))
    assert capsys.readouterr().out == "sender-1 warning: [/red] is no markup here: [a]\n"


def test_what_is_said_again_and_again_is_on_the_screen_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    moments = iter((0.0, 1.0, 2.0, 59.0, 61.0))
    screen = Screen(Console(highlight=False), clock=lambda: next(moments))
    away, other = (Complaint("frontend", "warning", said) for said in ("No answer.", "Another thing."))
    for complaint in (away, away, other, away, away):
        screen.complaint(complaint)
    assert [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "No answer.",
        "Another thing.",
        "No answer.",
    ]
