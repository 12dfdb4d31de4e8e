"""Who sent the request that is answered now, and whose things it is about."""

from dataclasses import dataclass
from typing import cast

from flask import g


@dataclass(frozen=True, slots=True)
class Caller:
    """`owner_id`: whose schedules and mail it sees, and whose what it writes becomes."""

    owner_id: str


LOCAL = Caller("local")
"""The machine's own user."""


def caller() -> Caller:
    """The caller of this request."""
    return cast(Caller, g.get("caller", LOCAL))


def owner() -> str:
    """The owner for whom this request acts."""
    return caller().owner_id
