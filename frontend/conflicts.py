"""Two people edit one schedule: what each of them changed, and a form in which neither is lost. Pure.

A form carries a fingerprint of the values that it was opened with. Where the save is refused (412), that tells what the
reader changed from what another has changed meanwhile; the form comes back with both.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """A field that another has changed. `clash`: the reader has changed it too, and the form holds theirs."""

    field: str
    now: str
    mine: str
    clash: bool


def fingerprint(values: Mapping[str, str]) -> str:
    """A short digest of every field, as JSON."""
    return json.dumps({name: _digest(value) for name, value in values.items()}, separators=(",", ":"))


def merge(opened_with: str, mine: Mapping[str, str], now: Mapping[str, str]) -> tuple[dict[str, str], list[Change]]:
    """The form to show: the reader's fields where they changed them, else what is saved now; and what another changed.

    `opened_with` is the fingerprint of the form; if it can't be read, every field that differs counts as the reader's.
    """
    before = _read(opened_with)
    merged: dict[str, str] = {}
    changes: list[Change] = []
    for name, value in mine.items():
        saved = now.get(name, value)
        changed_here = name not in before or _digest(value) != before[name]
        changed_there = name not in before or _digest(saved) != before[name]
        merged[name] = value if changed_here else saved
        if changed_there and saved != value:
            changes.append(Change(name, saved, value, clash=changed_here))
    return merged, changes


def _digest(value: str) -> str:
    # A browser sends every line break of a text field as CR LF, whatever it was given.
    return hashlib.sha256(value.replace("\r\n", "\n").encode()).hexdigest()[:12]


def _read(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
