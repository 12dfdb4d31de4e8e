"""A rule in words: what people read before they save must be what then happens."""

from collections import defaultdict
from datetime import UTC, datetime
from itertools import islice

import pytest

from fencepost.recurrence import parse_rule, words
from tests.unit.recurrence.rules_300 import RULES

MADE = datetime(2026, 11, 22, 12, 3, 27, tzinfo=UTC)


def said(recurrence: dict[str, object], zone: str = "Europe/Berlin") -> str:
    return words(parse_rule({**recurrence, "timezone": zone}, anchor=MADE))


CRON = [
    ("0 9 * * *", "At 09:00 every day"),
    ("0 9 * * 1-5", "At 09:00, Monday through Friday"),
    ("0 9,17 * * SAT,SUN", "At 09:00 and 17:00 on Saturday and Sunday"),
    ("30 1-3 * * *", "At 01:30, 02:30 and 03:30 every day"),
    ("0 9 * * 5L", "At 09:00 on the last Friday of the month"),
    ("0 9 * 6 5L,1", "At 09:00 on Monday and the last Friday of the month in June"),
    ("0 9 13 6 5", "At 09:00 on day 13 of June as well as on Friday in June"),
    ("0 9 * * 5L,1#1", "At 09:00 on the first Monday and the last Friday of the month"),
    ("0 9 * 11 4#4", "At 09:00 on the fourth Thursday of November"),
    ("0 9 L * *", "At 09:00 on the last day of the month"),
    ("0 9 1,L * *", "At 09:00 on day 1 and the last day of the month"),
    ("0 9 LW * *", "At 09:00 on the last weekday of the month"),
    ("0 0 1,15 * 5", "At 00:00 on days 1 and 15 of the month as well as on Friday"),
    ("0 0 */2 * 1", "At 00:00 on Monday falling on every 2nd day from day 1 to day 31 of the month"),
    ("0 9 15 * 0-6", "At 09:00 every day"),
    ("0 0 29 2 *", "At 00:00 on day 29 of February"),
    ("0 9 * 6-8 *", "At 09:00 every day in June to August"),
    ("0 9-17 * 12 MON-FRI", "Every hour from 09:00 to 17:00, Monday through Friday in December"),
    ("*/5 9-17 * * *", "Every 5 minutes from 09:00 to 17:55"),
    ("0 */2 * * *", "Every 2 hours from 00:00 to 22:00"),
    ("*/15 * * * *", "Every 15 minutes"),
    ("5/15 * * * *", "Every 15 minutes, from minute 5 of the hour on"),
    ("*/45 * * * *", "At minutes 0 and 45 of every hour"),
    ("*/7 8-18/2 * * *", "At minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of hours 8, 10, 12, 14, 16 and 18 every day"),
    ("*/15 8-18/2 * * *", "Every 15 minutes of hours 8, 10, 12, 14, 16 and 18"),
    ("15 * * * *", "At minute 15 of every hour"),
    ("0 0-23 * * *", "Every hour"),
    ("* 9 * * *", "Every minute from 09:00 to 09:59"),
    ("* * * * *", "Every minute"),
    ("@weekly", "At 00:00 on Sunday"),
]
RRULE = [
    ("FREQ=DAILY", "At 13:03:27 every day"),
    ("FREQ=DAILY;INTERVAL=3;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "At 09:00 every 3 days"),
    ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "At 09:00, Monday through Friday"),
    ("FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9;BYMINUTE=0;BYSECOND=0;COUNT=10", "At 09:00 on Monday and Wednesday, 10 times"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "At 09:00 every 2 weeks on Monday"),
    ("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "At 09:00 on the last Friday of the month"),
    (
        "FREQ=MONTHLY;BYMONTHDAY=1,-2;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
        "At 09:00 on day 1 and the 2nd last day of the month",
    ),
    (
        "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
        "At 09:00 on Friday falling on day 13 of the month",
    ),
    (
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
        "At 09:00, Monday through Friday, only the last of each month",
    ),
    (
        "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1;BYHOUR=9;BYMINUTE=0;BYSECOND=0;UNTIL=20271231",
        "At 09:00 every 2 months on day 1 of the month, until 31 December 2027",
    ),
    ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "At 09:00 on day 25 of December"),
    ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "At 09:00 on Monday of week 20"),
    ("FREQ=YEARLY;BYWEEKNO=20;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "At 09:00 every day of week 20"),
    (
        "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU,MO;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
        "At 09:00 on Monday and the last Sunday of the month in March",
    ),
    (
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
        "At 09:00 every 2 weeks, Monday through Friday",
    ),
    (
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
        "At 09:00 every 2 weeks on Monday and Sunday, weeks beginning on Sunday",
    ),
    (
        "FREQ=DAILY;INTERVAL=2;BYMONTH=6,7,8;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
        "At 09:00 every 2 days, only in June to August",
    ),
    ("FREQ=YEARLY;BYYEARDAY=100,-1;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "At 09:00 on day 100 and the last day of the year"),
    ("FREQ=YEARLY;BYDAY=20MO;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "At 09:00 on the 20th Monday of the year"),
    ("FREQ=HOURLY;BYMINUTE=0,30;BYHOUR=9,10,11", "Every hour at minutes 0 and 30 at second 27 in hours 9 to 11"),
    (
        "FREQ=HOURLY;BYMINUTE=0;BYSECOND=0;BYDAY=SA,SU;BYMONTH=6",
        "Every hour at minute 0, on Saturday and Sunday in June",
    ),
    ("FREQ=HOURLY;INTERVAL=2", "Every 2 hours, counted from 22 November 2026 at 13:03:27"),
    (
        "FREQ=MINUTELY;INTERVAL=30;UNTIL=20261201T080000Z",
        "Every 30 minutes, counted from 22 November 2026 at 13:03:27, until 1 December 2026 at 09:00",
    ),
]


@pytest.mark.parametrize(("expression", "expected"), CRON)
def test_cron(expression: str, expected: str) -> None:
    assert said({"type": "cron", "expression": expression}) == f"{expected}, Berlin time"


@pytest.mark.parametrize(("rule", "expected"), RRULE)
def test_recurrence_rules(rule: str, expected: str) -> None:
    assert said({"type": "rrule", "rule": rule}) == f"{expected}, Berlin time"


def test_the_others() -> None:
    assert (
        said({"type": "interval", "every": "90m"})
        == "Every 90 minutes, counted from 22 November 2026 at 13:03:27, Berlin time"
    )
    assert (
        said({"type": "interval", "every": "1w"}, "UTC") == "Every week, counted from 22 November 2026 at 12:03:27, UTC"
    )
    assert (
        said({"type": "once", "at": "2026-12-01T09:00:00"}) == "Once on Tuesday, 1 December 2026 at 09:00, Berlin time"
    )


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("America/Argentina/Buenos_Aires", "Buenos Aires time"),
        ("Australia/Lord_Howe", "Lord Howe time"),
        ("Etc/UTC", "UTC"),
        ("Etc/GMT+5", "Etc/GMT+5 time"),
    ],
)
def test_the_zone_is_named_by_its_city(zone: str, name: str) -> None:
    assert said({"type": "cron", "expression": "0 9 * * *"}, zone) == f"At 09:00 every day, {name}"


def test_rules_that_differ_are_said_differently() -> None:
    """Also `*/45`, which some say as "every 45 minutes", and days joined by AND and OR, which some say alike."""
    fields = {"cron": "expression", "rrule": "rule", "interval": "every"}
    meanings = defaultdict(set)
    for case in RULES:
        if case.type in fields:
            rule = parse_rule(
                {"type": case.type, fields[case.type]: case.text, "timezone": "Europe/Berlin"}, anchor=MADE
            )
            meanings[words(rule)].add(tuple(islice(rule.instants(MADE), 120)))
    assert {sentence for sentence, found in meanings.items() if len(found) > 1} == set()
    assert len(meanings) > 250
