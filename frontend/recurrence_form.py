"""The recurrence builder: from what a person picks to the API's `recurrence`, and back.

Pure. The fields are plain strings, as a form sends them; `weekdays` holds several, separated by commas.
"""

import re
from collections.abc import Mapping
from typing import Final

from frontend.shapes import Recurrence

Values = dict[str, str]

WEEKDAYS: Final = {
    "MO": "Monday",
    "TU": "Tuesday",
    "WE": "Wednesday",
    "TH": "Thursday",
    "FR": "Friday",
    "SA": "Saturday",
    "SU": "Sunday",
}
MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
ORDINALS: Final = {"1": "first", "2": "second", "3": "third", "4": "fourth", "-1": "last"}
WORKING_DAY: Final = "WORKDAY"
UNITS: Final = {
    "minutes": "minutes",
    "hours": "hours",
    "days": "days",
    "weeks": "weeks",
    "months": "months",
    "years": "years",
    "rule": "a rule of my own (RRULE)",
}
DEFAULTS: Final[Values] = {
    "kind": "repeat",
    "timezone": "UTC",
    "once_at": "",
    "unit": "weeks",
    "every": "1",
    "weekdays": "MO,TU,WE,TH,FR",
    "month_by": "day",
    "month_day": "1",
    "month_nth": "-1",
    "month_weekday": "FR",
    "year_month": "1",
    "at": "09:00",
    "rule": "",
    "expression": "0 9 * * 1-5",
}

_INTERVALS = {"minutes": "m", "hours": "h"}
_FREQUENCIES = {"days": "DAILY", "weeks": "WEEKLY", "months": "MONTHLY", "years": "YEARLY"}
_WORKWEEK = "MO,TU,WE,TH,FR"


def recurrence_of(values: Mapping[str, str]) -> Recurrence:
    """What the fields say, in the API's words. It may still be wrong: the registry is the judge of that."""
    zone = values["timezone"].strip()
    if values["kind"] == "once":
        return {"type": "once", "at": values["once_at"].strip(), "timezone": zone}
    if values["kind"] == "cron":
        return {"type": "cron", "expression": values["expression"].strip(), "timezone": zone}
    if values["unit"] in _INTERVALS:
        return {"type": "interval", "every": f"{values['every'].strip()}{_INTERVALS[values['unit']]}"}
    rule = values["rule"].strip() if values["unit"] == "rule" else _rule_of(values)
    return {"type": "rrule", "rule": rule, "timezone": zone}


def incomplete(values: Mapping[str, str]) -> dict[str, str]:
    """Fields that the picked kind needs and that are empty or not numbers: field -> what would be right."""
    wrong: dict[str, str] = {}
    if not values["timezone"].strip():
        wrong["timezone"] = "Pick a time zone, such as Europe/Berlin."
    if values["kind"] == "once" and not values["once_at"].strip():
        wrong["once_at"] = "Pick a day and a time."
    if values["kind"] == "cron" and not values["expression"].strip():
        wrong["expression"] = "Write five fields, such as 0 9 * * 1-5."
    if values["kind"] == "repeat":
        wrong |= _incomplete_repeat(values)
    return wrong


def _incomplete_repeat(values: Mapping[str, str]) -> dict[str, str]:
    unit = values["unit"]
    if unit == "rule":
        return (
            {}
            if values["rule"].strip()
            else {"rule": "Write a rule, such as FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0."}
        )
    wrong: dict[str, str] = {}
    if not re.fullmatch(r"[1-9][0-9]{0,4}", values["every"].strip()):
        wrong["every"] = "Write a whole number, 1 or more."
    if unit in _FREQUENCIES and not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", values["at"]):
        wrong["at"] = "Say at what time, such as 09:00."
    if unit == "weeks" and not values["weekdays"]:
        wrong["weekdays"] = "Pick at least one day of the week."
    return wrong


def _rule_of(values: Mapping[str, str]) -> str:
    parts = [f"FREQ={_FREQUENCIES.get(values['unit'], 'DAILY')}"]
    if values["every"].strip() != "1":
        parts.append(f"INTERVAL={values['every'].strip()}")
    if values["unit"] == "weeks":
        parts.append(f"BYDAY={values['weekdays']}")
    if values["unit"] == "years":
        parts.append(f"BYMONTH={values['year_month']}")
    if values["unit"] in ("months", "years"):
        parts.append(_day_of_month(values))
    hour, _, minute = values["at"].partition(":")
    parts += [f"BYHOUR={hour.lstrip('0') or '0'}", f"BYMINUTE={minute.lstrip('0') or '0'}", "BYSECOND=0"]
    return ";".join(parts)


def _day_of_month(values: Mapping[str, str]) -> str:
    if values["month_by"] == "day":
        return f"BYMONTHDAY={values['month_day']}"
    if values["month_weekday"] == WORKING_DAY:
        return f"BYDAY={_WORKWEEK};BYSETPOS={values['month_nth']}"
    return f"BYDAY={values['month_nth']}{values['month_weekday']}"


def fields_of(recurrence: Recurrence) -> Values:
    """The builder's fields that stand for a recurrence; a rule beyond the builder comes back as `unit: rule`."""
    fields = dict(DEFAULTS, timezone=recurrence.get("timezone") or "UTC")
    kind = recurrence["type"]
    if kind == "once":
        return fields | {"kind": "once", "once_at": recurrence["at"]}
    if kind == "cron":
        return fields | {"kind": "cron", "expression": recurrence["expression"]}
    if kind == "interval":
        return fields | {"kind": "repeat"} | _interval_fields(recurrence["every"])
    return (
        fields | {"kind": "repeat"} | (_rule_fields(recurrence["rule"]) or {"unit": "rule", "rule": recurrence["rule"]})
    )


def _interval_fields(every: str) -> Values:
    """`90m` -> every 90 minutes; days and weeks of elapsed time are shown in hours, since days here follow the calendar."""
    hours = {"h": 1, "d": 24, "w": 168}
    match = re.fullmatch(r"([0-9]+)([smhdw])", every.strip())
    if match is None:
        return {"unit": "minutes", "every": every}
    count, unit = int(match[1]), match[2]
    if unit in hours:
        return {"unit": "hours", "every": str(count * hours[unit])}
    if unit == "s":
        return {"unit": "minutes", "every": str(count // 60) if count % 60 == 0 else every}
    return {"unit": "minutes", "every": str(count)}


def _rule_fields(rule: str) -> Values | None:
    """None where the builder can't show the whole of the rule."""
    parts = dict(part.split("=", 1) for part in rule.upper().split(";") if "=" in part)
    units = {frequency: unit for unit, frequency in _FREQUENCIES.items()}
    unit = units.get(parts.get("FREQ", ""))
    hour, minute = parts.get("BYHOUR", ""), parts.get("BYMINUTE", "")
    if unit is None or not hour.isdigit() or not minute.isdigit():
        return None
    fields = {"unit": unit, "every": parts.get("INTERVAL", "1"), "at": f"{int(hour):02d}:{int(minute):02d}"}
    if unit == "weeks":
        fields["weekdays"] = parts.get("BYDAY", "")
    if unit == "years":
        fields["year_month"] = parts.get("BYMONTH", "")
    if unit in ("months", "years"):
        fields |= _day_fields(parts)
    # The check that nothing is lost: what the builder makes of these fields must say the same.
    made = _rule_of(DEFAULTS | fields)
    return fields if _parts(made) == _parts(rule) else None


def _day_fields(parts: Mapping[str, str]) -> Values:
    if "BYMONTHDAY" in parts:
        return {"month_by": "day", "month_day": parts["BYMONTHDAY"]}
    if parts.get("BYDAY") == _WORKWEEK:
        return {"month_by": "weekday", "month_nth": parts.get("BYSETPOS", ""), "month_weekday": WORKING_DAY}
    match = re.fullmatch(r"\+?(-?[0-9])([A-Z]{2})", parts.get("BYDAY", ""))
    return {"month_by": "weekday", "month_nth": match[1], "month_weekday": match[2]} if match else {}


def _parts(rule: str) -> dict[str, str]:
    parts = dict(part.split("=", 1) for part in rule.upper().split(";") if "=" in part)
    return {"INTERVAL": "1", "BYSECOND": "0"} | parts
