"""What is on record at the end of a run, read as plain data for the checker."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import requests
from pymongo.database import Database

_PARTS = {"once": ("at",), "interval": ("every",), "cron": ("expression", "timezone"), "rrule": ("rule", "timezone")}


def read_records(database: Database[dict[str, Any]]) -> dict[str, Any]:
    """Schedules, live and archived, deliveries and skips."""
    # Live first: what is archived in between is in the archive then, and would be in neither the other way round.
    live = list(database.schedules.find())
    found = {row["_id"]: row for row in [*database.archive.find(), *live]}
    subjects = {row["batch_id"]: row["definition"]["message"]["subject"] for row in database.messages.find()}
    return {
        "schedules": [_schedule(row) for row in found.values()],
        "deliveries": [_delivery(row, subjects) for row in database.deliveries.find()],
        "skips": [
            {
                "schedule_id": row["schedule_id"],
                "from": row["at"].timestamp(),
                "to": row["to"].timestamp(),
                "reason": row["reason"],
            }
            for row in database.occurrences.find({"state": "skipped"})
        ],
    }


def read_listed(registry_url: str) -> dict[str, Any]:
    """What the API lists as held and as unknown, and the alarms that it shows."""
    alarms = requests.get(f"{registry_url}/cluster", timeout=30).json()["alarms"]
    return {
        "listed": {state: _listed(registry_url, state) for state in ("held", "unknown")},
        "alarms": [alarm["kind"] for alarm in alarms],
    }


def _listed(registry_url: str, state: str) -> list[str]:
    found: list[str] = []
    query = {"state": state, "limit": "100"}
    while True:
        page = requests.get(f"{registry_url}/emails", params=query, timeout=30).json()
        found += [email["id"] for email in page["data"]]
        if not page["next_cursor"]:
            return found
        query["cursor"] = page["next_cursor"]


def _schedule(row: Mapping[str, Any]) -> dict[str, Any]:
    text = row["definition"]
    kind = text["recurrence"]["type"]
    rule = {"type": kind} | {part: text["recurrence"][part] for part in _PARTS[kind]}
    rule |= {bound: _iso(text[bound]) for bound in ("starts_at", "ends_at") if text[bound]}
    return {
        "name": text["name"],
        "id": row["_id"],
        "text": text["message"]["text"],
        "rule": rule,
        "paused": bool(row["paused"]),
        "deleted": bool(row["deleted"]),
        "archived": bool(row["archived_at"]),
        "quarantined": row["quarantined"] and row["quarantined"]["reason"],
    }


def _delivery(row: Mapping[str, Any], subjects: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": row["_id"],
        "schedule_id": row["schedule_id"],
        "occurrence_id": row["occurrence_id"],
        "batch_id": row.get("batch_id"),
        "mail": subjects.get(row.get("batch_id") or ""),
        "origin": row["origin"],
        "recipient": ",".join(to["email"] for to in row["to"]),
        "due_at": row["due_at"].timestamp(),
        "state": row["state"],
        "reason": row["reason"],
        "attempt_no": row["attempt_no"],
        "attempts": _plain(row["attempts"]),
    }


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.timestamp()
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
    return value


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
