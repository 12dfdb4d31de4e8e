"""300 rules against an oracle that walks minute by minute: round every clock change of 30 zones, and over sampled years."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from fencepost.errors import Invalid
from fencepost.recurrence import Rule, parse_rule
from tests.unit.recurrence.matcher import Meaning, Window, cron, due, interval, once, zone_of
from tests.unit.recurrence.matcher_rrule import rrule
from tests.unit.recurrence.rules_300 import RULES, Case

YEARS = {
    "Africa/Cairo": (2024, 2025), "Africa/Casablanca": (2025, 2026), "Africa/El_Aaiun": (2026,), "America/Asuncion": (2023, 2024),
    "America/Chicago": (2026,), "America/Goose_Bay": (2010, 2011), "America/Havana": (2025, 2026), "America/Los_Angeles": (2025,),
    "America/New_York": (2025, 2026), "America/Nuuk": (2023, 2024), "America/Santiago": (2025, 2026), "America/Sao_Paulo": (2017, 2018),
    "America/St_Johns": (2011, 2026), "Antarctica/Troll": (2025,), "Asia/Amman": (2021, 2022), "Asia/Beirut": (2025,), "Asia/Gaza": (2025, 2026),
    "Asia/Jerusalem": (2026,), "Asia/Kathmandu": (1986,), "Asia/Pyongyang": (2015, 2018), "Asia/Tehran": (2021, 2022),
    "Atlantic/Azores": (2026,), "Australia/Lord_Howe": (2025, 2026), "Australia/Sydney": (2026,), "Europe/Berlin": (2025, 2026),
    "Europe/Dublin": (2025, 2026), "Europe/Istanbul": (2016,), "Pacific/Apia": (2011, 2012), "Pacific/Auckland": (2026,),
    "Pacific/Chatham": (2026,),
}  # fmt: skip
WHOLE_YEARS = [
    ("America/New_York", 2028),
    ("Australia/Lord_Howe", 2027),
    ("Africa/Casablanca", 2030),
    ("Europe/Berlin", 2100),
]
POLICIES = [(gap, repeat) for gap in ("shift", "skip") for repeat in ("first", "second", "both")]
CRON_OF_ALIAS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}  # fmt: skip
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
AROUND = timedelta(hours=26)

Due = Callable[[Rule, datetime, datetime], list[datetime]]


def ours(rule: Rule, begin: datetime, end: datetime) -> list[datetime]:
    return list(rule.instants(begin - timedelta(seconds=1), end))


@pytest.mark.parametrize("name", YEARS)
def test_round_every_clock_change(name: str) -> None:
    assert compare_round_changes(name, RULES, ours) == []


@pytest.mark.parametrize(("name", "year"), WHOLE_YEARS)
def test_over_a_whole_year(name: str, year: int) -> None:
    place = WHOLE_YEARS.index((name, year))
    rules = [
        (
            case,
            *POLICIES[number % 6],
            *understood(case, name, anchor_of(year), date(year, 3, 31), *POLICIES[number % 6]),
        )
        for number, case in enumerate(RULES[place :: len(WHOLE_YEARS)])
    ]
    wrong = []
    for month in range(1, 13):
        # A rule that is due all day long is looked at on four days of each month.
        whole, brief = days(name, year, month, 31), days(name, year, month, 4)
        for case, gap, repeat, rule, meaning in rules:
            window = brief if len(meaning.hours) * len(meaning.minutes) > 24 else whole
            found = ours(rule, window.begin, window.end) if rule else []
            expected = due(meaning, window, gap, repeat) if rule else []
            if found != expected:
                wrong.append((case, gap, repeat, month, sorted(set(found) ^ set(expected))[:3]))
    assert wrong == []


def test_the_oracle_sees_a_rule_that_fires_in_both_passes() -> None:
    def twice(rule: Rule, begin: datetime, end: datetime) -> list[datetime]:
        found = ours(rule, begin, end)
        again = [at + timedelta(hours=1) for at in found if at.astimezone(rule.timezone).fold == 0]
        return sorted({*found, *(at for at in again if at.astimezone(rule.timezone).fold)})

    assert compare_round_changes("America/New_York", RULES[:30], twice)


def test_the_oracle_sees_a_rule_that_loses_the_repeated_hour() -> None:
    def lost(rule: Rule, begin: datetime, end: datetime) -> list[datetime]:
        return [at for at in ours(rule, begin, end) if not at.astimezone(rule.timezone).fold]

    assert compare_round_changes("America/New_York", [Case("cron", "*/30 * * * *")], lost)


def test_the_oracle_sees_a_rule_that_drops_what_the_gap_swallowed() -> None:
    def dropped(rule: Rule, begin: datetime, end: datetime) -> list[datetime]:
        return [at for at in ours(rule, begin, end) if not rule.series.moved(at)]

    assert compare_round_changes("America/New_York", [Case("cron", "30 2 * * *")], dropped)


def test_the_oracle_sees_one_instant_that_is_a_second_late() -> None:
    def late(rule: Rule, begin: datetime, end: datetime) -> list[datetime]:
        found = ours(rule, begin, end)
        return [*found[:-1], *(at + timedelta(seconds=1) for at in found[-1:])]

    assert compare_round_changes("Europe/Berlin", [Case("cron", "0 9 * * *")], late)


def compare_round_changes(name: str, cases: list[Case], due_of: Due) -> list[object]:
    """What `due_of` and the oracle disagree on, round each clock change of the zone."""
    wrong: list[object] = []
    rules: dict[tuple[Case, str, str], tuple[Rule | None, Meaning]] = {}
    anchor = anchor_of(YEARS[name][0])
    for turn, change in enumerate(changes(name)):
        window = Window(zone_of(name), change - AROUND, 2 * AROUND // timedelta(minutes=1))
        day = change.astimezone(zone_of(name)).date()
        for number, case in enumerate(cases):
            gap, repeat = POLICIES[(number + turn) % len(POLICIES)]
            key = (case, gap, repeat)
            if case.type == "once" or key not in rules:
                rules[key] = understood(case, name, anchor, day, gap, repeat)
            rule, meaning = rules[key]
            expected = due(meaning, window, gap, repeat)
            if rule is None:
                if len(expected) == 1:
                    wrong.append((case, gap, repeat, change, "refused, though neither skipped nor repeated"))
                continue
            found = due_of(rule, window.begin, window.end)
            if found != expected:
                wrong.append((case, gap, repeat, change, sorted(set(found) ^ set(expected))[:3]))
    return wrong


def understood(
    case: Case, name: str, anchor: datetime, day: date, gap: str, repeat: str
) -> tuple[Rule | None, Meaning]:
    """The rule as we read it (None: refused) and as the oracle does."""
    zone = zone_of(name)
    field = {"cron": "expression", "rrule": "rule", "interval": "every", "once": "at"}[case.type]
    text = f"{day}T{case.text}:00" if case.type == "once" else case.text
    if case.type == "cron":
        meaning = cron(CRON_OF_ALIAS.get(case.text, case.text))
    elif case.type == "rrule":
        meaning = rrule(case.text, anchor, zone)
    elif case.type == "interval":
        meaning = interval(timedelta(**{UNITS[case.text[-1]]: int(case.text[:-1])}), anchor)
    else:
        meaning = once(datetime.fromisoformat(text))
    try:
        recurrence = {"type": case.type, field: text, "timezone": name}
        return parse_rule(recurrence, dst={"gap": gap, "repeat": repeat}, anchor=anchor), meaning
    except Invalid:
        if case.type != "once":
            raise
        return None, meaning


def anchor_of(year: int) -> datetime:
    return datetime(year - 1, 12, 3, 7, 7, tzinfo=UTC)


def changes(name: str) -> Iterator[datetime]:
    """The first whole hour at or after each clock change in the zone's years."""
    zone = zone_of(name)
    for year in YEARS[name]:
        at = datetime(year, 1, 1, tzinfo=UTC)
        while at.year == year:
            following = at + timedelta(hours=1)
            if at.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
                yield following
            at = following


def days(name: str, year: int, month: int, count: int) -> Window:
    """The first `count` days of a month, at most all of them."""
    begin = datetime(year, month, 1, tzinfo=UTC)
    end = min(begin + timedelta(days=count), datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC))
    return Window(zone_of(name), begin, (end - begin) // timedelta(minutes=1))
