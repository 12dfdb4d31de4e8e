"""Attachments through real senders: whole in every dialect, kept by edits, and never more in memory than there is room for."""

import os
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.support.api import text
from tests.support.eventually import eventually
from tests.support.mail import ask_for
from tests.support.nursery import Sender
from tests.support.world import World
from tests.support.worlds import MakesWorld

ALL = ("mailgun", "sendgrid", "mailjet", "ses", "smtp")
MEBIBYTE = 1_048_576


def file(filename: str, content: bytes, content_id: str | None = None) -> dict[str, Any]:
    """As a client sends it."""
    return {"filename": filename, "content": b64encode(content).decode(), "content_id": content_id}


def ask(world: World, *mails: Mapping[str, Any]) -> list[str]:
    rows = ask_for(world.store, world.settings.sender.shards, *map(dict, mails))
    world.nudge()
    return [row["_id"] for row in rows]


def wait_for(world: World, names: list[str], state: str, seconds: float = 60) -> None:
    def check() -> bool:
        assert [row["state"] for row in world.rows(_id={"$in": names})] == [state] * len(names)
        return True

    eventually(check, seconds=seconds)


def told(mail: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """What the provider was given: name, content, and whether it is shown in the html."""
    return sorted((each["filename"], each["digest"], each["inline"]) for each in mail["attachments"])


def test_files_arrive_whole_through_every_dialect(make_world: MakesWorld) -> None:
    world = make_world({"FENCEPOST_PROVIDERS__ORDER": ",".join(ALL)})
    pdf, logo = os.urandom(300_000), os.urandom(5_000)
    attachments = [file("größe.pdf", pdf), file("logo.png", logo, "logo-1")]
    html = '<img src="cid:logo-1">'
    world.start(1)
    names = ask(world, *({"attachments": attachments, "html": html, "providers": [name]} for name in ALL))
    wait_for(world, names, "accepted")
    ledger = {mail["provider"]: mail for mail in world.ledger()}
    assert ledger.keys() == set(ALL)
    for name, mail in ledger.items():
        shown = "logo-1" if name == "mailgun" else "logo.png"
        expected = [("größe.pdf", sha256(pdf).hexdigest(), False), (shown, sha256(logo).hexdigest(), True)]
        assert told(mail) == sorted(expected), name
        assert {each["filename"]: each["content_type"] for each in mail["attachments"]} == {
            "größe.pdf": "application/pdf",
            shown: "image/png",
        }
        assert [each["content_id"] for each in mail["attachments"] if each["inline"]] == ["logo-1"], name
    assert world.store.database.files.count_documents({}) == 2


def test_a_schedule_that_is_edited_still_sends_its_files(world: World) -> None:
    content = os.urandom(1_000)
    world.start_registry()
    world.start(1)
    due = world.soon(3)
    recurrence = {"type": "once", "at": due.isoformat()}
    made = world.call(
        "POST", "/schedules", text(recurrence=recurrence, message={"attachments": [file("a.pdf", content)]})
    )
    changed = world.call("PATCH", f"/schedules/{made['id']}", {"message": {"subject": "Other figures"}})
    assert changed["message"]["attachments"] == made["message"]["attachments"]
    [mail] = eventually(world.ledger, seconds=60)
    assert mail["subject"] == "Other figures"
    assert told(mail) == [("a.pdf", sha256(content).hexdigest(), False)]


def test_a_mail_whose_file_is_gone_fails_and_the_others_go(world: World) -> None:
    [lost] = ask_for(world.store, world.settings.sender.shards, {"attachments": [file("a.pdf", b"lost")]})
    world.store.database.files.delete_many({})
    [kept] = ask(world, {"attachments": [file("b.pdf", b"kept")]})
    world.start(1)
    wait_for(world, [lost["_id"]], "failed")
    wait_for(world, [kept], "accepted")
    [row] = world.rows(_id=lost["_id"])
    assert row["reason"] == "Its attachment a.pdf is not on record any more."
    assert "called_at" not in row["attempts"][-1]


def grown(world: World, sender: Sender, names: list[str]) -> float:
    """By how many bytes the sender grows while it sends these."""

    def memory(field: str) -> int:
        lines = Path(f"/proc/{sender.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))

    Path(f"/proc/{sender.pid}/clear_refs").write_text("5")  # the peak begins anew
    before = memory("VmRSS")
    world.nudge()
    wait_for(world, names, "accepted", seconds=120)
    return memory("VmHWM") - before


def test_many_large_files_do_not_fill_a_senders_memory(world: World) -> None:
    """Two dozen mails of 3 MiB each, all at the provider at once if they may."""
    growth = []
    for room in (6, 1000):
        world.provider.dials(latency_ms=400)
        [sender] = world.start(1, ATTACHMENTS_BYTES=str(room * MEBIBYTE), SEATS="24")
        mails = [{"attachments": [file("a.bin", os.urandom(3 * MEBIBYTE))]} for _ in range(24)]
        rows = ask_for(world.store, world.settings.sender.shards, *mails)
        growth.append(grown(world, sender, [row["_id"] for row in rows]) / MEBIBYTE)
        sender.terminate()
        sender.wait(30)
    bounded, unbounded = growth
    assert bounded < 60, growth
    assert unbounded > 2 * bounded, "without the bound they would have"
