"""/reports/mail: what became of mail, by day, provider, tag or schedule, as JSON and for spreadsheets."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from flask import Response, request
from pydantic import Field

from fencepost.api_keys import Scope
from fencepost.errors import Invalid, Problem
from fencepost.fields import Day, OneLine
from fencepost.mail_counts import Group, rates, starts
from fencepost.recurrence.zones import read_zone
from fencepost.store.mail_reports import Found, Question
from registry.access import needs
from registry.answers.common import maybe_iso
from registry.answers.mail_reports import MailGroup, MailReport, as_csv, file_name, mail_group
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint
from registry.inputs import Parameters
from registry.parts import Parts, parts
from registry.replies import Reply

bp = blueprint("mail_reports", __name__, TAGS["reports"])

USUAL_DAYS = 30
MOST_DAYS = 400
MOST_GROUPS = 500
_CSV = "text/csv"


class MailReportQuery(Parameters):
    """Which mail, and how it is grouped."""

    from_: Day | None = Field(
        None, alias="from", description="The first day on which the mail was due; by default 30 days with the last."
    )
    to: Day | None = Field(None, description="The last day, which is in it; by default today.")
    timezone: OneLine = Field("UTC", max_length=64, description="Whose days they are: an IANA name.")
    group: Group = Field("day", description="A line for each day, provider, tag or schedule.")
    provider: OneLine | None = Field(None, max_length=64, description="Only what it carried, or was tried by last.")
    tag: OneLine | None = Field(None, max_length=128, description="Only what has this tag.")
    schedule_id: OneLine | None = Field(None, max_length=64, description="Only what this schedule sent.")
    format: Literal["json", "csv"] | None = Field(None, description="As `Accept: text/csv` does.")


def _documented() -> dict[str, Any]:
    answer = answers(MailReport, "The report.")
    table = {"schema": {"type": "string", "description": "A line for each group, with the names of the counts above."}}
    return {**answer, "content": {**answer["content"], _CSV: table}}


@bp.get("/reports/mail", responses={200: _documented()})
@needs(Scope.REPORTS_READ)
def get_mail_report(query: MailReportQuery) -> Response:
    """Report what became of mail

    Of what was due on these days: sent, delivered, bounced, opened and so on, with rates. Openings by machines are counted apart. It is
    counted every few seconds from the rows themselves, so events that come twice count once; mail of test keys does not count.
    """
    p = parts()
    zone = read_zone(query.timezone, "/timezone")
    first, last = days(query, p.clock.now(), zone)
    begins = starts(first, last, zone)
    counted_at = p.store.mail_reports.counted_at()
    found = p.store.mail_reports.read(
        Question(owner(), begins, query.group, query.provider, query.tag, query.schedule_id)
    )
    lines = by_day(found, first, len(begins) - 1) if query.group == "day" else by_name(p, query.group, found)
    if wants_csv(query):
        name = file_name(first, last, query.group)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"}
        return Response(as_csv(query.group, lines), 200, headers, mimetype=_CSV)
    body = {
        "object": "mail_report",
        "from": str(first),
        "to": str(last),
        "timezone": query.timezone,
        "group": query.group,
        "counted_at": maybe_iso(counted_at),
        "counts": found.totals,
        "rates": rates(found.totals),
        "data": lines[:MOST_GROUPS] if query.group != "day" else lines,
        "more": max(0, len(lines) - MOST_GROUPS) if query.group != "day" else 0,
    }
    return Reply(body, headers={"Vary": "Accept"}).response()


def days(query: MailReportQuery, now: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """The first and the last. Raises Invalid."""
    last = query.to or max(now.astimezone(zone).date(), query.from_ or date.min)
    first = query.from_ or last - timedelta(days=USUAL_DAYS - 1)
    if first > last:
        raise Invalid(Problem("/from", f"must not be later than the last day, {last}"))
    if (last - first).days >= MOST_DAYS:
        raise Invalid(Problem("/from", f"a report is of {MOST_DAYS} days at most; ask for fewer"))
    return first, last


def by_day(found: Found, first: date, count: int) -> list[MailGroup]:
    """One for each day, also of those without mail."""
    nothing = dict.fromkeys(found.totals, 0)
    return [
        mail_group(str(first + timedelta(days=number)), None, found.groups.get(number, nothing))
        for number in range(count)
    ]


def by_name(p: Parts, group: Group, found: Found) -> list[MailGroup]:
    """Those with the most mail first."""
    keys: Sequence[Any] = sorted(
        found.groups,
        key=lambda key: (-found.groups[key]["sent"], -sum(found.groups[key].values()), str(key or "")),
    )
    names = p.store.schedules.names([key for key in keys if key]) if group == "schedule" else {}
    return [mail_group(key, names.get(key or ""), found.groups[key]) for key in keys]


def wants_csv(query: MailReportQuery) -> bool:
    """What the parameter says; without one, what the client would rather have."""
    if query.format:
        return query.format == "csv"
    return request.accept_mimetypes.best_match(["application/json", _CSV], "application/json") == _CSV
