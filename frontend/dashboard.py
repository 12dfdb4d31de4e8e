"""The dashboard: what ran, what comes, and whether anything needs a person."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from frontend.shapes import Cluster, Minute
from frontend.views import now, registry, render_fragment
from frontend.visitors import Visitor, visitor

bp = Blueprint("dashboard", __name__)

SHOWN = 8
_ATTENTION = ("unknown", "held")
_PLACES = (
    ("emails:read", "mails.index"),
    ("schedules:read", "schedules.index"),
    ("reports:read", "mail_reports.index"),
    ("providers:read", "providers.index"),
    ("webhooks:read", "webhooks.index"),
    ("suppressions:read", "suppressions.index"),
    ("keys:manage", "keys.index"),
    ("emails:send", "mail_form.new"),
)
"""Scopes, and the page that shows what each opens."""


@bp.get("/")
def index() -> ResponseReturnValue:
    """The whole page; before the first schedule, how to begin. Whose key does not show the cluster begins at what it does show."""
    if not visitor().may("cluster:read") and (place := first_place(visitor())):
        return redirect(url_for(place))
    if is_new():
        return render_template("dashboard/welcome.html")
    return render_template("dashboard/index.html", **summary(), **lists(), **activity())


@bp.get("/dashboard/summary")
def show_summary() -> ResponseReturnValue:
    """Alarms and figures."""
    return render_fragment("dashboard/_summary.html", "Figures", **summary())


@bp.get("/dashboard/activity")
def show_activity() -> ResponseReturnValue:
    """The last hour, minute by minute, as a table; a script draws it."""
    return render_fragment("dashboard/_activity.html", "The last hour", **activity())


@bp.get("/dashboard/lists")
def show_lists() -> ResponseReturnValue:
    """What comes and what ran."""
    return render_fragment("dashboard/_lists.html", "What comes and what ran", **lists())


def first_place(who: Visitor) -> str | None:
    """The endpoint of the first page that this visitor may see; None: nothing is known of theirs."""
    return next((place for scope, place in _PLACES if who.may(scope)), None)


def is_new() -> bool:
    """Whether nobody has made a schedule or had mail sent yet."""
    return not registry().schedules(limit=1).items and not registry().emails(limit=1).items


def summary() -> dict[str, Any]:
    cluster = registry().cluster()
    upcoming = registry().schedules(status="active", sort="next_run_at", limit=1).items
    return {"cluster": cluster, "next_schedule": upcoming[0] if upcoming else None, **figures(cluster)}


def figures(cluster: Cluster) -> dict[str, Any]:
    """What the tiles count beside what the registry says: shards held, and mail that waits for a look."""
    states = cluster["emails_by_state"] or {}
    return {
        "held_shards": sum(1 for shard in cluster["shards"] or () if shard["holder"]),
        "attention": {name: states[name] for name in _ATTENTION if states.get(name)},
    }


def activity() -> dict[str, Any]:
    minutes = registry().activity(minutes=60)
    return {"minutes": minutes, "totals": totals(minutes)}


def totals(minutes: Sequence[Minute]) -> dict[str, int]:
    """How many in the whole hour, by what became of them."""
    return {
        "accepted": sum(minute["accepted"] for minute in minutes),
        "failed": sum(minute["failed"] for minute in minutes),
        "unknown": sum(minute["unknown"] for minute in minutes),
        "skipped": sum(minute["skipped"] for minute in minutes),
    }


def lists() -> dict[str, Any]:
    return {
        "upcoming": registry().schedules(status="active", sort="next_run_at", limit=SHOWN).items,
        # What is due later has not run. The second that runs now is over in the next one.
        "recent": registry().emails(until=f"{now() + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}", limit=SHOWN).items,
    }
