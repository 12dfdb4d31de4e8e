"""Random definitions for hypothesis: most can be rules, some never come."""

from datetime import UTC, datetime

from hypothesis import strategies as st

ZONES = (
    "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Africa/Casablanca", "Europe/Dublin",
    "America/Goose_Bay", "Pacific/Chatham", "Antarctica/Troll", "UTC",
)  # fmt: skip
MADE = datetime(2024, 1, 1, 7, 7, tzinfo=UTC)
DST = st.fixed_dictionaries(
    {"gap": st.sampled_from(["shift", "skip"]), "repeat": st.sampled_from(["first", "second", "both"])}
)


def _cron_field(low: int, high: int, *special: str) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, high).map(lambda by: f"/{by}")
    item = st.one_of(number.map(str), span, st.builds("{}{}".format, span, step), *map(st.just, special))
    items = st.lists(item, min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), step.map(lambda by: f"*{by}"), items)


CRON_TEXTS = st.tuples(
    _cron_field(0, 59),
    _cron_field(0, 23),
    _cron_field(1, 31, "L", "LW"),
    _cron_field(1, 12, "JAN", "MAR-OCT"),
    _cron_field(0, 7, "SUN", "MON-FRI", "5L", "0#1", "SAT#2"),
).map(" ".join)


def _part(name: str, low: int, high: int, *, signed: bool = False) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    both = st.one_of(number, number.map(lambda n: -n)) if signed else number
    return st.one_of(
        st.just(""), st.lists(both, min_size=1, max_size=4).map(lambda ns: f";{name}={','.join(map(str, ns))}")
    )


_WEEKDAYS = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
_NTH = st.sampled_from(["", "", "1", "2", "-1", "5", "-2"])
_BY_DAY = st.one_of(
    st.just(""), st.lists(_WEEKDAYS, min_size=1, max_size=3).map(lambda days: f";BYDAY={','.join(days)}")
)
_BY_NTH_DAY = st.lists(st.builds("{}{}".format, _NTH, _WEEKDAYS), min_size=1, max_size=3).map(
    lambda days: f";BYDAY={','.join(days)}"
)
_INTERVAL = st.one_of(st.just(""), st.integers(1, 40).map(lambda by: f";INTERVAL={by}"))
_MONTHS, _MONTH_DAYS = _part("BYMONTH", 1, 12), _part("BYMONTHDAY", 1, 31, signed=True)
_TIMES = st.tuples(_part("BYHOUR", 0, 23), _part("BYMINUTE", 0, 59)).map("".join)


def _rule(frequency: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.just(f"FREQ={frequency}"), _INTERVAL, *parts, _TIMES).map("".join)


_POSITIONS = st.one_of(st.just(""), st.just(";BYHOUR=1,2;BYSETPOS=1,-1"))
RRULE_TEXTS = st.one_of(
    _rule("DAILY", _MONTHS, _MONTH_DAYS, _BY_DAY),
    _rule("WEEKLY", _MONTHS, _BY_DAY, st.sampled_from(["", ";WKST=SU", ";WKST=WE"])),
    _rule("MONTHLY", _MONTHS, _MONTH_DAYS, st.one_of(_BY_DAY, _BY_NTH_DAY)),
    _rule("YEARLY", _MONTHS, _MONTH_DAYS, st.one_of(_BY_DAY, _BY_NTH_DAY), _part("BYYEARDAY", 1, 366, signed=True)),
    _rule("YEARLY", _MONTHS, _BY_DAY, _part("BYWEEKNO", 1, 51, signed=True)),
    _rule("HOURLY", _MONTHS, _MONTH_DAYS, _BY_DAY),
    _rule("MINUTELY", _MONTHS, _MONTH_DAYS, _BY_DAY),
    st.tuples(
        st.sampled_from(["FREQ=MONTHLY", "FREQ=WEEKLY", "FREQ=YEARLY;BYMONTH=3,10"]),
        st.just(";BYDAY=SA,SU,MO"),
        _POSITIONS,
    ).map("".join),
)

RECURRENCES = st.one_of(
    st.builds(
        lambda text, zone: {"type": "cron", "expression": text, "timezone": zone}, CRON_TEXTS, st.sampled_from(ZONES)
    ),
    st.builds(
        lambda text, zone: {"type": "rrule", "rule": text, "timezone": zone}, RRULE_TEXTS, st.sampled_from(ZONES)
    ),
    st.builds(
        lambda n, unit: {"type": "interval", "every": f"{n}{unit}"}, st.integers(1, 500), st.sampled_from("smhdw")
    ),
    st.builds(
        lambda at, zone: {"type": "once", "at": at.isoformat(), "timezone": zone},
        st.datetimes(datetime(2024, 2, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(microsecond=0)),  # noqa: DTZ001
        st.sampled_from(ZONES),
    ),
)
INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
