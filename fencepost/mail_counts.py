"""What reports count of mail, and in which pieces of time the counts are kept. Pure.

A mail counts in the piece of time at whose instant it was due, whatever day it is sent or opened on: so each rate is about the same mails,
and the counts of a piece follow from its rows alone. They are never added to, but made anew from the rows. Events that come twice
or in any order change nothing about that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

COUNTS = (
    "sent",
    "delivered",
    "bounced",
    "complained",
    "failed",
    "expired",
    "suppressed",
    "cancelled",
    "in_doubt",
    "opened",
    "machine_opened",
    "clicked",
    "unsubscribed",
    "opens",
    "clicks",
)
"""Of mails, but for the last two. `sent`: a provider took it; `delivered`, `bounced` and those of which nothing was told yet are its
parts, and `complained` is a part of `delivered`. `in_doubt`: unknown or held. What is pending or sending counts nowhere yet."""

RATES = {
    "delivery_rate": ("delivered", "sent"),
    "bounce_rate": ("bounced", "sent"),
    "complaint_rate": ("complained", "delivered"),
    "open_rate": ("opened", "delivered"),
    "click_rate": ("clicked", "delivered"),
    "unsubscribe_rate": ("unsubscribed", "delivered"),
}
"""Each a share of one count in another."""

Group = Literal["day", "provider", "tag", "schedule"]
Span = Literal["quarter", "day"]

QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)
"""The pieces. Every time zone's midnights are ends of quarters; whole days, of UTC, make months fast."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Piece:
    """Counts of this span are read from `begin` up to before `end`."""

    span: Span
    begin: datetime
    end: datetime


def quarter_of(instant: datetime) -> datetime:
    """When the quarter of an hour began that this instant is in."""
    return instant - (instant - _EPOCH) % QUARTER


def day_of(instant: datetime) -> datetime:
    """When the day of UTC began that this instant is in."""
    return instant - (instant - _EPOCH) % DAY


def starts(first: date, last: date, zone: ZoneInfo) -> list[datetime]:
    """When each of these days begins in the zone, in UTC, and at the end when the last one is over."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 2)]
    return [quarter_of(datetime.combine(day, time(), zone).astimezone(UTC)) for day in days]


def pieces(begins: Sequence[datetime], *, by_day: bool) -> list[Piece]:
    """What to read for the time from the first to the last of `begins`: whole days where that is enough, and quarters at both ends.
    `by_day`: each of those days apart, for which only days of UTC may be read whole."""
    begin, end = begins[0], begins[-1]
    first, last = day_of(begin + DAY - timedelta(microseconds=1)), day_of(end)
    if first >= last or (by_day and any(day_of(each) != each for each in begins)):
        return [Piece("quarter", begin, end)]
    edges = [Piece("quarter", begin, first), Piece("quarter", last, end)]
    return [Piece("day", first, last), *(edge for edge in edges if edge.begin < edge.end)]


def is_closed(quarter: datetime, now: datetime, retention: timedelta) -> bool:
    """Whether mail of this quarter may have been purged by now, so that its counts are final: made anew, they would lack it."""
    return quarter + retention - _SAFELY <= now


_SAFELY = timedelta(hours=1)


def rates(counts: dict[str, int]) -> dict[str, float | None]:
    """Each rate between 0 and 1, to four places; None where there is nothing to be a share of."""
    return {
        name: round(min(1.0, counts[part] / counts[whole]), 4) if counts[whole] else None
        for name, (part, whole) in RATES.items()
    }
