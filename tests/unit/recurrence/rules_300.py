"""300 rules of all four kinds, composed so that every form of every field meets many others."""

from dataclasses import dataclass

_TIMES = (
    "0 9", "30 2", "0 0", "0 2", "30 1", "15,45 1", "0 3", "59 23", "0 1-3", "*/20 2", "0 9-17", "*/30 *", "7 *", "* 3",
    "0 */2", "*/15 0-6", "5/20 8-18/2", "0,30 0,1,2,3", "45 0-23", "10-20/5 1", "0 0-23/3", "*/45 *", "1-59/2 1", "30 23",
    "0 5/6", "0-59 2", "*/7 */5", "0 2-3",
)  # fmt: skip
_DAYS = (
    "* * *", "* * 1-5", "1 * *", "L * *", "LW * *", "* * SUN", "* * 5L", "* * 0L", "* * 1#2", "* * SUN#2", "*/2 * *", "1,15 * *",
    "* 3,4,9-11 *", "* MAR-NOV/2 SAT,SUN", "13 * 5", "*/2 * 1", "1-7 * 0", "29 2 *", "31 * *", "28-31 * *", "* * 0,7",
    "* * 6-7", "* */3 *", "* * MON-FRI", "L 2,3,10 *", "1/5 * *", "* * 1/2", "1,L * *", "* * SUN#1,FRI#4,5L", "10-20/3 * *",
    "* OCT SUN", "25 12 *", "* 1-12 *", "1-31 * 2",
)  # fmt: skip
_ALIASES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")

_RRULE_DAYS = (
    "FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=DAILY;BYMONTH=3,4,10,11", "FREQ=DAILY;BYDAY=SA,SU", "FREQ=DAILY;BYMONTHDAY=1,-1,-3",
    "FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=MO,WE,FR,SU", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU",
    "FREQ=MONTHLY", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=MONTHLY;BYDAY=2SU,-1SU", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=MONTHLY;INTERVAL=2;BYDAY=SU", "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=1,-1",
    "FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25", "FREQ=YEARLY;BYYEARDAY=100,-1",
    "FREQ=YEARLY;BYWEEKNO=1,20,44,-1;BYDAY=SU,MO", "FREQ=YEARLY;BYDAY=45SU,-9SU", "FREQ=YEARLY;INTERVAL=2;BYMONTH=2,3,4,9,10,11;BYDAY=SU",
    "FREQ=WEEKLY;BYDAY=SA,SU,MO;BYSETPOS=2", "FREQ=YEARLY;BYMONTH=3,4,9,10,11;BYDAY=SU;BYSETPOS=2,-3",
)  # fmt: skip
_RRULE_TIMES = (
    "", ";BYHOUR=2;BYMINUTE=30", ";BYHOUR=0;BYMINUTE=0,30", ";BYHOUR=1,2,3;BYMINUTE=0,45", ";BYHOUR=9;BYMINUTE=0",
    ";BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23;BYMINUTE=15", ";BYHOUR=23;BYMINUTE=59",
)  # fmt: skip
_SUB_DAILY = (
    "FREQ=HOURLY", "FREQ=HOURLY;INTERVAL=2", "FREQ=HOURLY;INTERVAL=5", "FREQ=HOURLY;INTERVAL=24", "FREQ=HOURLY;BYMINUTE=0,30",
    "FREQ=HOURLY;INTERVAL=3;BYMINUTE=0,45", "FREQ=HOURLY;BYHOUR=1,2,3", "FREQ=HOURLY;BYHOUR=2;BYMINUTE=5,15,45;BYDAY=SU",
    "FREQ=HOURLY;INTERVAL=7;BYDAY=SA,SU;BYMONTH=3,4,9,10,11", "FREQ=MINUTELY;INTERVAL=30", "FREQ=MINUTELY;INTERVAL=90",
    "FREQ=MINUTELY;BYHOUR=2", "FREQ=MINUTELY;INTERVAL=7;BYHOUR=0,1,2,3", "FREQ=MINUTELY;INTERVAL=1440",
    "FREQ=MINUTELY;BYHOUR=1;BYMINUTE=0,30", "FREQ=MINUTELY;INTERVAL=15;BYMONTHDAY=1,-1,15", "FREQ=HOURLY;INTERVAL=36;BYMONTHDAY=1,2,3,4,5,6,7,8",
)  # fmt: skip
_EVERY = (
    "1m", "5m", "15m", "30m", "45m", "60m", "90m", "1h", "2h", "5h", "7h", "12h", "24h", "36h", "1d", "2d", "7d", "1w", "2w", "100m",
)  # fmt: skip
_ONCE = ("00:00", "00:30", "01:00", "01:30", "01:59", "02:00", "02:15", "02:30", "03:00", "09:00", "23:00", "23:30")


@dataclass(frozen=True)
class Case:
    """`text` is the expression, the rule, the interval, or the time of day on the day that is looked at."""

    type: str
    text: str


def _spread(count: int, first: tuple[str, ...], second: tuple[str, ...], glue: str) -> list[str]:
    """`count` different pairs, so that each item of both is used about equally often."""
    pairs = {
        f"{first[n % len(first)]}{glue}{second[(n + n // len(first) * 5) % len(second)]}": None
        for n in range(count * 3)
    }
    return list(pairs)[:count]


RULES = [
    *(Case("cron", text) for text in _spread(172, _TIMES, _DAYS, " ")),
    *(Case("cron", text) for text in _ALIASES),
    *(Case("rrule", text) for text in _spread(72, _RRULE_DAYS, _RRULE_TIMES, "")),
    *(Case("rrule", text) for text in _SUB_DAILY),
    *(Case("interval", text) for text in _EVERY),
    *(Case("once", text) for text in _ONCE),
]
