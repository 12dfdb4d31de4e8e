"""A report of mail as charts and as the lines of its table."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from flask import url_for

from fencepost.provider_names import as_written
from frontend import plots
from frontend.formatting import from_wall_time, number, wall_time
from frontend.shapes import MailCounts, MailGroup, MailReport

SHOWN_BARS = 12
_NAMELESS = {"provider": "No provider", "tag": "No tag", "schedule": "No schedule (by API)"}


def drawn(report: MailReport, shown: Mapping[str, str]) -> dict[str, Any]:
    """What the templates need beside the report; `shown`: what the address asks for."""
    lines = report["data"]
    outcomes = [outcome(line["counts"]) for line in lines]
    largest = max((sum(parts.values()) for parts in outcomes), default=0)
    rows = [{**line, "label": label_of(line, report["group"]), "href": href_of(line["key"], shown)} for line in lines]
    found = {"rows": rows, "outcome": outcome(report["counts"])}
    if report["group"] == "day":
        labels = [str(row["label"]) for row in rows]
        return found | {
            "sending": sending(labels, lines, outcomes, plots.top_of(largest)),
            "reading": reading(labels, lines),
        }
    return found | {"across": [plots.across(parts, largest) for parts in outcomes[:SHOWN_BARS]]}


def outcome(counts: MailCounts) -> dict[str, int]:
    """What became of all that counts, in parts that add up, from the bottom of a chart to its top."""
    return {
        "delivered": counts["delivered"],
        "silent": counts["sent"] - counts["delivered"] - counts["bounced"],
        "bounced": counts["bounced"],
        "unsent": unsent(counts),
    }


def unsent(counts: MailCounts) -> int:
    """What ended without being sent, or of which nobody knows whether it was."""
    return counts["failed"] + counts["expired"] + counts["suppressed"] + counts["cancelled"] + counts["in_doubt"]


def sending(
    labels: Sequence[str], lines: Sequence[MailGroup], outcomes: Sequence[Mapping[str, int]], top: int
) -> dict[str, Any]:
    """What became of the mail of each day, as stacks."""
    titles = [
        f"{label}: {number(counts['sent'])} sent, {number(counts['delivered'])} delivered, "
        f"{number(counts['bounced'])} bounced, {number(unsent(counts))} not sent"
        for label, counts in zip(labels, (line["counts"] for line in lines), strict=True)
    ]
    parts = {kind: [each[kind] for each in outcomes] for kind in outcomes[0]} if outcomes else {}
    return {"top": top, "labels": labels, "stacks": plots.stacks(titles, parts, top), "lines": []}


def reading(labels: Sequence[str], lines: Sequence[MailGroup]) -> dict[str, Any]:
    """How much of it was opened and clicked, as lines."""
    series = {
        "opened": [line["counts"]["opened"] for line in lines],
        "clicked": [line["counts"]["clicked"] for line in lines],
    }
    top = plots.top_of(max((max(values, default=0) for values in series.values()), default=0))
    titles = [
        f"{label}: {number(line['counts']['opened'])} opened, {number(line['counts']['clicked'])} clicked"
        for label, line in zip(labels, lines, strict=True)
    ]
    return {"top": top, "labels": labels, "stacks": plots.stacks(titles, {}, top), "lines": plots.lines(series, top)}


def label_of(line: MailGroup, group: str) -> str:
    """`Sun 1 Nov` for a day, the name of a schedule or a provider, and a tag itself."""
    key = line["key"]
    if key is None:
        return _NAMELESS.get(group, "–")
    if group == "provider":
        return as_written(key)
    if group != "day":
        return line["name"] or key
    day = date.fromisoformat(key)
    return f"{day:%a} {day.day} {day:%b}"


def href_of(key: str | None, shown: Mapping[str, str]) -> str | None:
    """A day leads to its mails (those that the report is about), a schedule to itself, a provider or a tag to its days."""
    group = shown["group"]
    if key is None:
        return None
    if group == "schedule":
        return url_for("schedules.show", schedule_id=key)
    if group == "day":
        ends = {"from": date.fromisoformat(key), "until": date.fromisoformat(key) + timedelta(days=1)}
        at = {name: from_wall_time(f"{day}T00:00", shown["timezone"]) for name, day in ends.items()}
        which = {"provider": shown["provider"], "tag": shown["tag"], "schedule": shown["schedule_id"]}
        times = {name: wall_time(each, "UTC") for name, each in at.items()}
        return url_for("mails.index", _external=False, **times, **{name: one for name, one in which.items() if one})
    return url_for("mail_reports.index", _external=False, **link(shown, group="day", **{group: key}))


def link(shown: Mapping[str, str], **changes: str) -> dict[str, str]:
    """The parameters of an address that asks for the same but for these."""
    return {name: value for name, value in {**shown, **changes}.items() if value}
