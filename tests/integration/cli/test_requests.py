"""What commands ask of a registry, and how they show what only some registries answer."""

import base64
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.integration.cli.conftest import Stub

KEY = {
    "id": "key_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "owner_id": "local",
    "name": "Shop",
    "scopes": ["emails:send"],
    "test": False,
    "created_at": "2026-03-29T09:00:00Z",
    "expires_at": None,
    "last_used_at": None,
    "revoked_at": None,
}
PROVIDERS: dict[str, Any] = {
    "data": [
        {
            "name": name,
            "enabled": True,
            "weight": None,
            "weight_in_effect": 1.0,
            "breaker": {"state": state, "reason": reason},
            "changes": [],
        }
        for name, state, reason in (("mailgun", "open", "connection refused"), ("ses", "recovering", None))
    ]
}
CLUSTER: dict[str, Any] = {
    "members": [],
    "shards": [{"shard": 0, "holder": None, "token": None}, {"shard": 1, "holder": "a", "token": None}],
    "shard_count": 2,
    "lag_seconds": 90.0,
    "due_schedules": 1,
    "emails_by_state": {"pending": 2},
    "double_sends_prevented": None,
    "alarms": [{"since": "2026-03-29T09:00:00Z", "kind": "held", "detail": "one mail"}],
    "notes": [{"server": "etcd", "detail": "no answer"}],
}


def test_attachments_go_as_base64_with_name_and_type(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "invoice.pdf").write_bytes(b"\x00pdf")
    (tmp_path / "logo.png").write_bytes(b"png")
    stub.answers = [(202, {"id": "bat_1", "created_at": "2026-03-29T09:00:00Z", "emails": []})]
    files = ("--attach", str(tmp_path / "invoice.pdf"), "--inline", str(tmp_path / "logo.png"))
    ran = stub.run("send", "--from", "a@example.com", "--to", "b@example.com", *files)
    assert ran.exit_code == 0, ran.output
    assert stub.asked[0].body["attachments"] == [
        {
            "filename": "invoice.pdf",
            "content": base64.b64encode(b"\x00pdf").decode(),
            "content_type": "application/pdf",
        },
        {"filename": "logo.png", "content": "cG5n", "content_type": "image/png", "content_id": "logo.png"},
    ]


def test_keys_are_made_listed_and_revoked(stub: Stub) -> None:
    stub.answers = [(201, {**KEY, "secret": "fp_live_secret"})]
    made = stub.run("keys", "create", "Shop", "--scope", "emails:send", "--scope", "emails:read", "--test")
    assert stub.asked[-1].body == {"name": "Shop", "scopes": ["emails:send", "emails:read"], "test": True}
    assert "fp_live_secret" in made.stdout
    assert "not shown again" in made.stderr
    stub.answers = [(200, {"data": [KEY], "next_cursor": None})]
    assert f"{KEY['id']}  live   -        Shop: emails:send" in stub.run("keys", "list").stdout
    stub.answers = [(200, {**KEY, "revoked_at": "2026-03-29T10:00:00Z"})]
    assert "2026-03-29 10:00:00+00:00" in stub.run("keys", "revoke", str(KEY["id"]), "--utc").stdout
    assert (stub.asked[-1].method, stub.asked[-1].path) == ("DELETE", f"/api-keys/{KEY['id']}")


def test_status_names_all_that_is_wrong(stub: Stub) -> None:
    stub.answers = [(200, CLUSTER), (200, PROVIDERS)]
    ran = stub.run("status")
    assert ran.exit_code == 1
    assert ran.stderr.strip() == (
        "fencepost: etcd does not answer; no sender is there; 1 of 2 shards has no sender; the lag is 90 s; "
        "the breaker of mailgun is open; alarm held"
    )
    assert "one mail" in ran.stdout


def test_status_does_without_providers_that_the_registry_does_not_list(stub: Stub) -> None:
    well = {**CLUSTER, "members": None, "shards": None, "lag_seconds": 0, "alarms": [], "notes": []}
    stub.answers = [(200, well), (404, {"type": "about:blank", "title": "Not Found"})]
    ran = stub.run("status")
    assert ran.exit_code == 0, ran.output
    assert "Without the providers" in ran.stderr


def test_an_explanation_shows_the_gates(stub: Stub) -> None:
    gates = [
        {"gate": "due", "holds": False, "detail": "due since 9:00", "until": None},
        {"gate": "breaker", "holds": True, "detail": "mailgun is down", "until": "2026-03-29T10:00:00Z"},
        {"gate": "fence", "holds": None, "detail": "Redis does not answer", "until": None},
    ]
    stub.answers = [(200, {"subject": "x", "verdict": "It waits.", "gates": gates, "next_try_at": None})]
    lines = stub.run("explain", "eml_01ARZ3NDEKTSV4RRFFQ69G5FAV", "--utc").stdout.splitlines()
    assert lines[0] == "It waits."
    assert [" ".join(line.split()) for line in lines[-3:]] == [
        "due passes - due since 9:00",
        "breaker holds 2026-03-29 10:00:00+00:00 mailgun is down",
        "fence not known - Redis does not answer",
    ]


def test_what_others_wrote_moves_no_cursor_and_breaks_no_line(stub: Stub) -> None:
    subject = "\x1b[31mred\x07 [bold]x[/bold]\nnext\u202eline"
    email = {"id": "eml_1", "state": "accepted", "due_at": "2026-03-29T09:00:00Z", "to": [], "subject": subject}
    stub.answers = [(200, {"data": [email], "next_cursor": None})]
    _, line = stub.run("mails", "list").stdout.splitlines()
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert "[bold]x[/bold] next" in line


def test_a_report_asks_for_its_days_and_shows_shares(stub: Stub) -> None:
    names = ("sent", "delivered", "bounced", "complained", "opened", "clicked")
    shares = ("delivery_rate", "bounce_rate", "complaint_rate", "open_rate", "click_rate")
    full = {
        "counts": {**dict.fromkeys(names, 3), "sent": 40},
        "rates": {**dict.fromkeys(shares, 0.125), "click_rate": None},
    }
    empty = {"counts": dict.fromkeys(names, 0), "rates": dict.fromkeys(shares)}
    days = [{"key": "2026-11-01", "name": None, **full}, {"key": "2026-11-02", "name": None, **empty}]
    stub.answers = [(200, {"group": "day", "data": days, "more": 0, "counted_at": None, **full})]
    ran = stub.run("reports", "--from", "2026-11-01", "--timezone", "Asia/Kolkata", "--tag", "news")
    assert ran.exit_code == 0, ran.output
    asked = stub.asked[0].path
    for part in ("/reports/mail?", "from=2026-11-01", "timezone=Asia%2FKolkata", "tag=news", "group=day"):
        assert part in asked
    assert "3 (12.5 %)" in ran.output
    assert "2026-11-01" in ran.output
    assert "2026-11-02" not in ran.output
    assert "no auditor runs" in ran.output


def test_a_webhook_is_switched_on_again_and_told_everything(stub: Stub) -> None:
    name = "whk_01ARZ3NDEKTSV4RRFFQ69G5FAV"
    stub.answers = [(200, {"id": name, "enabled": True})]
    ran = stub.run("webhooks", "set", name, "--enable", "--every-type")
    assert ran.exit_code == 0, ran.output
    assert (stub.asked[0].method, stub.asked[0].path) == ("PATCH", f"/webhooks/{name}")
    assert stub.asked[0].body == {"enabled": True, "types": []}
    assert stub.run("webhooks", "set", name).exit_code == 2
    assert stub.run("webhooks", "set", name, "--type", "email.bounced", "--every-type").exit_code == 2
    assert len(stub.asked) == 1, "nothing is asked without a change"


def test_it_says_which_version_it_is(stub: Stub) -> None:
    assert stub.run("--version").output == f"fencepost {version('fencepost')}\n"


def test_a_key_that_opens_nothing_any_more_says_so(stub: Stub) -> None:
    past, coming = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
    keys = [{**KEY, "expires_at": past}, {**KEY, "expires_at": coming}, {**KEY, "expires_at": past, "revoked_at": past}]
    stub.answers = [(200, {"data": keys, "next_cursor": None})]
    lines = stub.run("keys", "list").stdout.splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["expired", "live", "revoked"]


def test_a_breaker_that_never_moved_counts_from_nowhere(stub: Stub) -> None:
    mailgun = PROVIDERS["data"][0]
    shown = []
    for seconds in (1_795_707_044.6, 12.5):
        stub.answers = [(200, {**mailgun, "breaker": {"state": "closed", "for_seconds": seconds}})]
        shown.append(stub.run("providers", "show", "mailgun").stdout)
    assert "1795707044" not in shown[0]
    assert "12.5" in shown[1]


def test_an_id_that_is_none_is_refused_before_anything_is_asked(stub: Stub) -> None:
    for arguments in (("reports", "--schedule", "weekly"), ("mails", "list", "--occurrence", "weekly")):
        ran = stub.run(*arguments)
        assert ran.exit_code == 2
        assert "'weekly' is not the id of a" in ran.stderr
    assert stub.asked == []


def test_no_fence_is_not_well_though_nothing_is_late_yet(stub: Stub) -> None:
    calm = {**CLUSTER, "members": None, "shards": None, "lag_seconds": 0, "alarms": []}
    calm |= {"notes": [{"server": "redis", "detail": "connection refused"}]}
    stub.answers = [(200, calm), (200, {"data": []})]
    ran = stub.run("status")
    assert (ran.exit_code, ran.stderr) == (1, "fencepost: redis does not answer, so nothing is sent\n")
