"""`fencepost schedule`: what is sent again and again, written, looked at, stopped and started."""

import uuid
from typing import Any

import click

from cli.client import Client, path
from cli.documents import document_of, merged
from cli.message import Written, written
from cli.output import Column, Output
from cli.remote import paged, remote
from cli.rules import timed
from cli.send import PRIORITY, UNKNOWN
from cli.texts import counts, mailbox, mailboxes
from cli.values import INSTANT, SCHEDULE, SECONDS, given

_ID = click.argument("schedule_id", metavar="ID", type=SCHEDULE)
_FILE = click.argument("file", required=False, metavar="[FILE]")


@click.group()
def schedule() -> None:
    """Write schedules, look at them, stop them."""


@schedule.command("create")
@_FILE
@click.option("--name", help="What it is called.")
@timed
@written(stdin="file")
@click.option("--misfire", type=click.Choice(["skip", "latest", "all"]), help="What becomes of a run found late.")
@click.option("--misfire-window", type=SECONDS, metavar="DURATION", help="None that is older is made up for.")
@click.option("--jitter", type=SECONDS, metavar="DURATION", help="Each run is sent up to so much later.")
@click.option("--overlap", type=click.Choice(["allow", "skip", "queue_one"]), help="If the run before is not through.")
@click.option("--on-unknown", type=UNKNOWN, help="What becomes of mail of which nobody can tell whether it was sent.")
@click.option("--priority", type=PRIORITY)
@click.option("--idempotency-key", metavar="TEXT", help="Made by default, so that a lost answer is asked for again.")
@remote
def create_schedule(
    client: Client,
    out: Output,
    *,
    file: str | None,
    name: str | None,
    timing: dict[str, Any],
    mail: Written,
    misfire: str | None,
    misfire_window: int | None,
    jitter: int | None,
    overlap: str | None,
    on_unknown: str | None,
    priority: str | None,
    idempotency_key: str | None,
) -> None:
    """Write a schedule; it is active at once.

    FILE is JSON or TOML with the fields of POST /schedules, - is standard input; options win over it.

    \b
      fencepost schedule create --name 'Weekly figures' --cron '0 9 * * 1' \\
        --zone Europe/Berlin --from figures@example.com --to ann@example.com \\
        --subject Figures --text figures.txt
    """
    options = {
        **timing,
        **given(
            name=name,
            message=mail.message,
            together=mail.together,
            misfire=given(policy=misfire, window_seconds=misfire_window),
            jitter_seconds=jitter,
            overlap=overlap,
            on_unknown=on_unknown,
            priority=priority,
        ),
    }
    body = merged(document_of(file), options)
    out.show(client.post("/schedules", body, idempotency_key=idempotency_key or str(uuid.uuid4())), _shown)


@schedule.command("preview")
@_FILE
@timed
@click.option("--count", type=click.IntRange(1, 500), default=10, show_default=True, help="How many runs to show.")
@click.option("--after", type=INSTANT, metavar="INSTANT", help="Those after this instant; by default after now.")
@remote
def preview_schedule(
    client: Client, out: Output, *, file: str | None, timing: dict[str, Any], count: int, after: str | None
) -> None:
    """Say a rule in words and when it is due, without saving anything.

    FILE is JSON or TOML with the fields that say when, - is standard input; options win over it. Times are those of the rule's zone.
    """
    known = {"recurrence", "starts_at", "ends_at", "max_occurrences", "dst"}
    body = merged({name: value for name, value in document_of(file).items() if name in known}, timing)
    out.show(client.post("/schedules/preview", {**body, "count": count, **given(after=after)}), _previewed)


@schedule.command("list")
@click.option("--status", type=click.Choice(["active", "paused", "quarantined", "finished", "archived"]))
@click.option("--q", metavar="TEXT", help="A part of the name, in any case.")
@click.option("--by-next-run", is_flag=True, help="The next due first, those without a next run left out.")
@paged
@remote
def list_schedules(
    client: Client, out: Output, *, most: int | None, status: str | None, q: str | None, by_next_run: bool
) -> None:
    """List schedules, the newest first."""
    query = {"status": status, "q": q, "sort": "next_run_at" if by_next_run else None}
    out.show(client.pages("/schedules", query, most), _table)


@schedule.command("show")
@_ID
@remote
def show_schedule(client: Client, out: Output, schedule_id: str) -> None:
    """Show one schedule."""
    out.show(client.get(path("schedules", schedule_id)), _shown)


@schedule.command("pause")
@_ID
@click.option("--reason", default="", metavar="TEXT", help="Why; it is shown beside the status.")
@remote
def pause_schedule(client: Client, out: Output, schedule_id: str, reason: str) -> None:
    """Pause a schedule; mail of its that waits is cancelled."""
    out.show(client.post(path("schedules", schedule_id, "pause"), given(reason=reason)), _shown)


@schedule.command("resume")
@_ID
@remote
def resume_schedule(client: Client, out: Output, schedule_id: str) -> None:
    """Let a schedule go on that is paused or in quarantine."""
    out.show(client.post(path("schedules", schedule_id, "resume"), {}), _shown)


@schedule.command("trigger")
@_ID
@click.option("--idempotency-key", metavar="TEXT", help="Made by default, so that a lost answer is asked for again.")
@remote
def trigger_schedule(client: Client, out: Output, schedule_id: str, idempotency_key: str | None) -> None:
    """Send a schedule's mail now, once, whatever its rule says."""
    where = path("schedules", schedule_id, "trigger")
    out.show(client.post(where, {}, idempotency_key=idempotency_key or str(uuid.uuid4())), _triggered)


@schedule.command("delete")
@_ID
@remote
def delete_schedule(client: Client, out: Output, schedule_id: str) -> None:
    """Delete a schedule: it goes to the archive, from which POST /schedules/{id}/restore brings it back."""
    out.show(client.delete(path("schedules", schedule_id)), _shown)


def _shown(out: Output, found: Any) -> None:
    message = found["message"]
    out.facts(
        [
            ("id", found["id"]),
            ("name", found["name"]),
            ("status", found["status"]),
            ("reason", found["status_reason"]),
            ("due", found["words"]),
            ("next run", out.time(found["next_run_at"])),
            ("last run", out.time(found["last_run_at"])),
            ("runs so far", found["occurrence_count"]),
            ("version", found["version"]),
            ("from", mailbox(message["from"])),
            ("to", mailboxes(message["to"])),
            ("subject", message["subject"]),
        ]
    )
    for email_id in found.get("in_flight", []):
        out.note(f"{email_id} is being sent right now: this came too late for it.")


def _table(out: Output, found: Any) -> None:
    rows = [
        (each["id"], each["status"], out.time(each["next_run_at"]), f"{each['name']}: {each['words']}")
        for each in found["data"]
    ]
    columns = [Column("ID", "word"), Column("Status", "state"), Column("Next run", "time"), Column("Name: rule")]
    out.table(columns, rows, "No schedule is like that.")
    out.more(found)


def _previewed(out: Output, found: Any) -> None:
    out.say(found["words"])
    out.heading("Runs")
    moved = {"gap": "moved: this night has no such time", "repeat": "the clock shows this time twice", None: ""}
    # In the rule's own zone, which is what a preview is for; --utc says otherwise.
    rows = [
        (out.time(run["at"]) if out.utc else run["local"].replace("T", " "), moved.get(run["dst"], run["dst"]))
        for run in found["occurrences"]
    ]
    out.table([Column("Due"), Column("Clock")], rows, "It is never due again.")


def _triggered(out: Output, found: Any) -> None:
    out.facts(
        [
            ("occurrence", found["id"]),
            ("schedule", found["schedule_id"]),
            ("at", out.time(found["at"])),
            ("mails", counts(found["emails"]["by_state"])),
        ]
    )
