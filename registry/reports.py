"""/reports: counts for the dashboard."""

from flask import Response
from pydantic import with_config
from typing_extensions import TypedDict

from fencepost.api_keys import Scope
from fencepost.clock import iso
from registry.access import needs
from registry.answers.common import EXACT, Instant
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint
from registry.inputs import ActivityQuery
from registry.parts import parts
from registry.replies import Reply

bp = blueprint("reports", __name__, TAGS["reports"])


@with_config(EXACT)
class Minute(TypedDict):
    """What became of the emails due in one minute."""

    at: Instant
    accepted: int
    failed: int
    unknown: int
    """Unknown or held."""
    skipped: int
    """Cancelled, suppressed, expired or skipped."""


@with_config(EXACT)
class Activity(TypedDict):
    """One entry for each minute, up to now."""

    data: list[Minute]


@bp.get("/reports/activity", responses={200: answers(Activity, "The last minutes.")})
@needs(Scope.REPORTS_READ)
def get_activity(query: ActivityQuery) -> Response:
    """Count what became of emails

    For each of the last minutes.
    """
    p = parts()
    rows = p.store.reports.activity(owner(), p.clock.now(), query.minutes)
    data = [
        {"at": iso(row["at"]), **{name: row[name] for name in ("accepted", "failed", "unknown", "skipped")}}
        for row in rows
    ]
    return Reply({"data": data}).response()
