"""Reports: what became of mail by day, provider, tag or schedule, as charts, a table and a file."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from frontend.formatting import parse, wall_time
from frontend.mail_charts import drawn
from frontend.registry_client import Refused
from frontend.shapes import MailReport
from frontend.views import now, registry, wants_fragment

bp = Blueprint("mail_reports", __name__)

RANGES = {"7": "7 days", "30": "30 days", "90": "90 days"}
GROUPS = {"day": "Day", "provider": "Provider", "tag": "Tag", "schedule": "Schedule"}
USUAL, OWN = "30", "own"
STALE_AFTER = timedelta(minutes=5)
_FILTERS = ("provider", "tag", "schedule_id")


@bp.get("/reports/mail")
def index() -> ResponseReturnValue:
    """The page; for htmx only what is below the form."""
    shown = asked(request.args)
    context = {"shown": shown, "ranges": RANGES, "groups": GROUPS}
    template = "mail_reports/_results.html" if wants_fragment() else "mail_reports/index.html"
    try:
        report = registry().mail_report(**api_filters(shown, now()))
    except Refused as refused:
        if refused.status != 422:
            raise
        return render_template(template, report=None, refused=refused, **context)
    return render_template(
        template, report=report, refused=None, stale=is_stale(report, now()), **drawn(report, shown), **context
    )


@bp.get("/reports/mail.csv")
def download() -> ResponseReturnValue:
    """The table as a file, as the registry writes it."""
    table, headers = registry().mail_report_csv(**api_filters(asked(request.args), now()))
    return Response(table, mimetype="text/csv", headers=headers)


def asked(given: Mapping[str, str]) -> dict[str, str]:
    """What the address asks for; values that mean nothing are left out. Days of one's own need no word beside them."""
    names = ("days", "from", "to", "timezone", "group", *_FILTERS)
    shown = {name: given.get(name, "").strip()[:128] for name in names}
    shown["group"] = shown["group"] if shown["group"] in GROUPS else "day"
    shown["timezone"] = shown["timezone"] or "UTC"
    if shown["days"] == OWN or (not shown["days"] and (shown["from"] or shown["to"])):
        return shown | {"days": OWN}
    return shown | {"days": shown["days"] if shown["days"] in RANGES else USUAL, "from": "", "to": ""}


def api_filters(shown: Mapping[str, str], instant: datetime) -> dict[str, str | None]:
    """The same in the API's words. A range ends with what is today in the zone."""
    days = {"from": shown["from"], "to": shown["to"]}
    if shown["days"] in RANGES:
        today = date.fromisoformat(wall_time(instant.isoformat(), shown["timezone"])[:10])
        days = {"from": str(today - timedelta(days=int(shown["days"]) - 1)), "to": str(today)}
    return {**days, **{name: shown[name] for name in ("timezone", "group", *_FILTERS)}}


def is_stale(report: MailReport, instant: datetime) -> bool:
    """Whether nobody has counted for so long that what is shown is old."""
    counted_at = report["counted_at"]
    return bool(counted_at) and instant - parse(counted_at or "") > STALE_AFTER
