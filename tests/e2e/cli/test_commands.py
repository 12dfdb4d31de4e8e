"""Each command once, against a real stack: what it prints, how it ends."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devstack.stack import ROOT
from tests.e2e.cli.conftest import Provider
from tests.support.command import Command
from tests.support.eventually import eventually

MAIL = ("--from", "Shop <shop@example.com>", "--subject", "On its way")
BODY = ("-m", "It left us today.")
TAKEN = ("accepted", "delivered")
NOBODY = "eml_01ARZ3NDEKTSV4RRFFQ69G5FAV"


def sent(command: Command, *options: str, to: str = "ann@example.com", status: int = 0) -> Any:
    """One mail, once it has ended."""
    [email] = command.json("send", *MAIL, *BODY, "--to", to, "--wait", *options, status=status)["data"]
    return email


def test_send_waits_until_all_of_it_was_accepted_and_tells_on_standard_error(command: Command) -> None:
    ran = command.run("send", *MAIL, *BODY, "--to", "ann@example.com", "--to", "bob@example.com", "--wait")
    assert "bat_" in ran.stderr
    lines = ran.stdout.splitlines()
    assert len(lines) == 3, ran.stdout  # the titles, and a line for each mail
    assert {"ann@example.com: On its way", "bob@example.com: On its way"} == {line[-27:] for line in lines[1:]}


def test_send_hands_over_every_field(command: Command, tmp_path: Path) -> None:
    (tmp_path / "body.html").write_text("<p>Hello {{ team }}</p>")
    fields = ("--var", "team=North", "--tag", "one", "--header", "X-Campaign: spring", "--metadata", "order=7")
    when = ("--at", "+2h", "--priority", "low", "--ttl", "15m", "--on-unknown", "resend", "--cc", "cc@example.com")
    text = ("--text", "-", "--html", str(tmp_path / "body.html"), "--reply-to", "desk@example.com")
    (tmp_path / "order.txt").write_text("seven")
    file = ("--attach", str(tmp_path / "order.txt"))
    made = command.json(
        "send", *MAIL, *fields, *when, *text, *file, "--to", "Ann <ann@example.com>", stdin="Dear {{ name }}"
    )
    email = command.json("mails", "show", made["emails"][0]["id"])
    assert (email["text"], email["html"]) == ("Dear Ann", "<p>Hello North</p>")
    assert (email["priority"], email["tags"], email["state"]) == ("low", ["one"], "pending")
    assert [file["filename"] for file in email["attachments"]] == ["order.txt"]
    assert email["expires_at"] > email["due_at"] > email["created_at"]
    later = command.json("reschedule", email["id"], "--at", "+1d")
    assert later["due_at"] > email["due_at"]
    story = command.run("cancel", email["id"], "--reason", "called off").stdout
    assert "cancelled" in story
    assert "called off" in story


def test_the_same_key_is_one_mail(command: Command) -> None:
    options = ("send", *MAIL, *BODY, "--to", "once@example.com", "--idempotency-key", "order-7")
    assert command.json(*options)["id"] == command.json(*options)["id"]
    assert len(command.json("mails", "list", "--to", "once@example.com")["data"]) == 1


def test_what_failed_is_told_by_the_status_and_sent_again(command: Command, provider: Provider) -> None:
    provider.fails("400")
    failed = sent(command, to="again@example.com", status=1)
    assert failed["state"] == "failed"
    assert command.json("batch", failed["batch_id"])["by_state"] == {"failed": 1}
    assert "1 mail is pending again" in command.run("replay", failed["batch_id"], "--reason", "mended").stdout
    eventually(lambda: command.json("mails", "show", failed["id"])["state"] in TAKEN, seconds=30, every=0.5)
    assert "nothing in batch" in command.run("replay", failed["batch_id"], status=1).stderr
    assert command.run("replay", failed["id"], status=1).stdout == ""


def test_what_is_held_is_settled(command: Command, provider: Provider) -> None:
    provider.fails("refuse_500")
    held = sent(command, to="held@example.com", status=1)
    assert held["state"] == "held"
    listed = command.run("mails", "list", "--state", "held").stdout
    assert held["id"] in listed
    eventually(lambda: "alarm held" in command.run("status", status=1).stderr, seconds=30, every=0.5)
    decided = command.json("settle", held["id"], "drop", "--reason", "worthless by now", "--by", "Ann")
    assert (decided["state"], decided["attempts"][-1]["settlements"][-1]["by"]) == ("cancelled", "Ann")
    assert "(status 409)" in command.run("settle", held["id"], "drop", "--reason", "again", status=1).stderr


def test_lists_go_on_page_by_page_as_far_as_is_wanted(command: Command) -> None:
    to = [word for number in range(105) for word in ("--to", f"many{number}@example.com")]
    batch = command.json("send", *MAIL, *BODY, *to, "--at", "+1d")["id"]
    some = command.json("mails", "list", "--batch", batch, "--limit", "7")
    assert len(some["data"]) == 7
    assert some["next_cursor"]
    everything = command.run("mails", "list", "--batch", batch, "--all").stdout.splitlines()
    assert len(everything) == 106
    assert "There are more" in command.run("mails", "list", "--batch", batch, "--limit", "101").stderr


def test_a_schedule_from_options_lives_and_ends(command: Command) -> None:
    rule = ("--cron", "0 9 * * 1", "--zone", "Europe/Berlin", "--misfire", "skip", "--jitter", "1m")
    made = command.json(
        "schedule", "create", "--name", "Weekly", *rule, *MAIL, "--to", "ann@example.com", "--text", "-", stdin="Hello"
    )
    assert (made["misfire"]["policy"], made["jitter_seconds"], made["message"]["text"]) == ("skip", 60, "Hello")
    assert "Weekly" in command.run("schedule", "show", made["id"]).stdout
    assert made["id"] in command.run("schedule", "list", "--q", "week").stdout
    assert command.json("schedule", "pause", made["id"], "--reason", "holiday")["status_reason"] == "holiday"
    occurrence = command.json("schedule", "trigger", made["id"])
    assert occurrence["emails"]["total"] == 1
    assert "paused" in command.run("explain", made["id"]).stdout.lower()
    assert command.json("schedule", "resume", made["id"])["status"] == "active"
    assert command.json("schedule", "delete", made["id"])["status"] == "archived"
    assert "(status 409)" in command.run("schedule", "pause", made["id"], status=1).stderr


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "From a file", "recurrence": {"type": "once", "at": "2030-01-01T09:00"}, "message": '
        '{"from": "a@example.com", "to": ["b@example.com"], "subject": "S", "text": "T"}}',
        'name = "From a file"\n[recurrence]\ntype = "once"\nat = 2030-01-01T09:00:00\n[message]\nfrom = "a@example.com"\n'
        'to = ["b@example.com"]\nsubject = "S"\ntext = "T"\n',
    ],
    ids=["json", "toml"],
)
def test_a_schedule_from_a_document_with_options_over_it(text: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / "schedule").write_text(text)
    made = command.json("schedule", "create", str(tmp_path / "schedule"), "--zone", "Europe/Berlin", "--subject", "New")
    assert made["next_run_at"].startswith("2030-01-01T08:00:00")
    assert (made["name"], made["message"]["subject"]) == ("From a file", "New")
    again = command.json("schedule", "create", "-", "--name", "From a pipe", stdin=text)
    assert again["name"] == "From a pipe"


def test_a_preview_says_the_rule_in_words_and_in_its_own_zone(command: Command) -> None:
    rule = ("--cron", "30 2 * * *", "--zone", "Europe/Berlin", "--after", "2026-03-28T12:00:00Z", "--count", "1")
    shown = command.run("schedule", "preview", *rule).stdout
    assert "2026-03-29 03:00:00+02:00" in shown
    assert "this night has no such time" in shown
    assert "2026-03-29 01:00:00+00:00" in command.run("schedule", "preview", *rule, "--utc").stdout


def test_explain_says_what_holds_a_mail(command: Command) -> None:
    email = command.json("send", *MAIL, *BODY, "--to", "later@example.com", "--at", "+1d")["emails"][0]["id"]
    found = command.json("explain", email)
    shown = command.run("explain", email).stdout
    assert found["verdict"] in shown
    assert " holds " in shown


def test_suppressions_are_added_listed_and_removed(command: Command) -> None:
    added = command.json("suppressions", "add", "no@example.com", "--detail", "asked by telephone")
    assert "no@example.com" in command.run("suppressions", "list", "--q", "no@", "--reason", "manual").stdout
    assert sent(command, to="no@example.com", status=1)["state"] == "suppressed"
    command.run("suppressions", "remove", added["id"])
    command.run("suppressions", "remove", added["id"], status=4)


def test_a_key_opens_what_its_scope_says_until_it_is_revoked(command: Command) -> None:
    made = command.json("keys", "create", "Reader", "--scope", "emails:read")
    with_it = replace(command, variables={**command.variables, "FENCEPOST_KEY": made["secret"]})
    with_it.run("mails", "list", "--limit", "1")
    assert "emails:send" in with_it.run("send", *MAIL, *BODY, "--to", "a@example.com", status=5).stderr
    assert "Reader: emails:read" in command.run("keys", "list").stdout
    command.run("keys", "revoke", made["id"])
    eventually(lambda: with_it.run("mails", "list", "--limit", "1", status=5))


def test_webhooks_are_made_tested_read_and_deleted(command: Command) -> None:
    made = command.json("webhooks", "create", "http://127.0.0.1:9/hook", "--type", "email.bounced")
    assert made["secret"]
    assert made["id"] in command.run("webhooks", "list").stdout
    message = command.json("webhooks", "test", made["id"])
    assert message["id"] in command.run("webhooks", "log", made["id"]).stdout
    assert command.json("webhooks", "replay", made["id"], message["id"])["state"] == "pending"
    assert command.json("webhooks", "rotate", made["id"])["secret"] != made["secret"]
    command.run("webhooks", "delete", made["id"])
    assert command.json("webhooks", "list")["data"] == []


def test_providers_are_listed_shown_and_set(command: Command) -> None:
    assert "mailgun   enabled" in command.run("providers", "list").stdout
    changed = command.json("providers", "set", "mailgun", "--weight", "3", "--reason", "a trial", "--by", "Ann")
    assert (changed["weight"], changed["enabled"]) == (3, True)
    assert command.json("providers", "set", "mailgun", "--configured-weight")["weight"] is None
    assert "Ann - a trial" in command.run("providers", "show", "mailgun").stdout
    registered = command.run("providers", "register-webhook", "mailgun", "--by", "Ann").stdout
    assert "/hooks/mailgun" in registered
    assert "permanent_fail" in registered
    assert set(command.json("providers", "register-webhook", "mailgun")["kinds"].values()) == {"known"}
    command.run("providers", "show", "nobody", status=4)
    command.run("providers", "set", "mailgun", status=2)


def test_status_is_0_while_all_is_well(command: Command) -> None:
    def well() -> bool:
        ran = command.run("status")
        assert "64 of 64 held" in ran.stdout
        return True

    eventually(well, seconds=30, every=0.5)
    found = command.json("status")
    assert found["wrong"] == []
    assert len(found["cluster"]["members"]) == 1


def test_each_way_to_fail_has_a_status_of_its_own(command: Command) -> None:
    refused = command.run("send", *MAIL, *BODY, "--to", "nonsense", status=1)
    assert "/to/0" in refused.stderr
    assert "not an address" in refused.stderr or "mail address" in refused.stderr
    assert refused.stdout == ""
    command.run("send", "--nonsense", status=2)
    command.run("mails", "show", "nonsense", status=2)
    command.run("send", *MAIL, "--to", "a@example.com", "--text", "-", "--html", "-", status=2)
    assert "there is no" in command.run("mails", "show", NOBODY, status=4).stderr
    command.run("mails", "list", "--url", "ftp://example.com", status=2)


def test_tables_fit_80_columns_with_whole_ids_and_colours_on_a_terminal_only(command: Command) -> None:
    subject = "A subject that is a good deal longer than what is left of a line of eighty columns"
    email = command.json(
        "send", *MAIL, *BODY, "--subject", subject, "--to", "ann.with.a.long.name@department.example.com", "--at", "+1d"
    )["emails"][0]["id"]
    for arguments in (("mails", "list"), ("mails", "show", email), ("status",), ("schedule", "list")):
        shown = command.on_terminal(*arguments, NO_COLOR="1")
        assert "\x1b" not in shown
        assert max(map(len, shown.splitlines())) <= 80, shown
    assert email in command.on_terminal("mails", "list", NO_COLOR="1")
    assert "\x1b[" in command.on_terminal("mails", "list")
    assert f"ann.with.a.long.name@department.example.com: {subject}\n" in command.run("mails", "list").stdout


def test_times_are_local_with_their_offset_or_utc(command: Command) -> None:
    day = f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}"
    made = command.json("send", *MAIL, *BODY, "--to", "a@example.com", "--at", f"{day}T12:00:00Z")
    in_kolkata = Command(command.url, {"TZ": "Asia/Kolkata"})
    identifier = made["emails"][0]["id"]
    assert f"{day} 17:30:00+05:30" in in_kolkata.run("mails", "show", identifier).stdout
    assert f"{day} 12:00:00+00:00" in in_kolkata.run("mails", "show", identifier, "--utc").stdout
    assert in_kolkata.json("reschedule", identifier, "--at", f"{day} 09:00")["due_at"].startswith(f"{day}T03:30:00")


def test_the_command_that_is_installed_is_the_same(command: Command) -> None:
    installed = Path(sys.executable).with_name("fencepost")
    environment = {**os.environ, "FENCEPOST_URL": command.url}
    ran = subprocess.run([installed, "mails", "list", "--json"], env=environment, capture_output=True, timeout=60)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_the_completion_of_bash_knows_commands_options_and_choices(command: Command, tmp_path: Path) -> None:
    (tmp_path / "fencepost").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli "$@"\n')
    (tmp_path / "fencepost").chmod(0o755)
    script = command.run("completion", "bash").stdout

    def completed(*words: str) -> str:
        line = f"COMP_WORDS=({' '.join(words)}) COMP_CWORD={len(words) - 1}; _fencepost_completion fencepost"
        ran = subprocess.run(
            ["bash", "-c", f'{script}\n{line}\necho "${{COMPREPLY[@]}}"'],
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not ran.stderr
        return ran.stdout.strip()

    assert completed("fencepost", "sched") == "schedule"
    assert completed("fencepost", "schedule", "tri") == "trigger"
    assert completed("fencepost", "send", "--priority", "hi") == "high"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script_too(shell: str, command: Command) -> None:
    assert "_FENCEPOST_COMPLETE" in command.run("completion", shell).stdout
