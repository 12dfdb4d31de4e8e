"""The history checker sees: each kind of damage to a good run turns it red."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.history import History
from tests.support.schedules import at

NINE = at("2026-03-02 09:00")


def row(name: str, state: str = "accepted", outcomes: tuple[str, ...] = ("accepted",)) -> dict[str, Any]:
    attempts = [{"id": f"att_{name}_{no}", "no": no, "outcome": word} for no, word in enumerate(outcomes, start=1)]
    to = [{"email": f"{name}@example.com"}]
    return {
        "_id": f"eml_{name}",
        "to": to,
        "due_at": NINE,
        "state": state,
        "attempts": attempts,
        "attempt_no": len(attempts),
    }


def entry(number: int, name: str) -> dict[str, Any]:
    return {"number": number, "delivery_id": f"eml_{name}", "recipients": [f"{name}@example.com"]}


GOOD = History(
    expected=[(f"{name}@example.com", NINE) for name in ("ann", "bob", "cid", "dan", "eve")],
    rows=[
        row("ann"),
        row("bob", outcomes=("released", "throttled", "accepted")),
        row("cid", "unknown", ("unknown",)),
        row("dan", "failed", ("failed",)),
        row("eve", "cancelled", ()),
    ],
    ledger=[entry(1, "ann"), entry(2, "bob"), entry(3, "cid")],
    requests={"eml_ann": 1, "eml_bob": 2, "eml_cid": 1, "eml_dan": 1},
    unknown_at_most=1,
)


def changed(name: str, **fields: Any) -> list[dict[str, Any]]:
    return [{**one, **fields} if one["_id"] == f"eml_{name}" else dict(one) for one in GOOD.rows]


DAMAGE: dict[str, Callable[[], History]] = {
    "lost": lambda: replace(GOOD, rows=list(GOOD.rows)[1:], ledger=list(GOOD.ledger)[1:]),
    "doubled": lambda: replace(GOOD, rows=[*GOOD.rows, {**row("ann"), "_id": "eml_ann_again"}]),
    "invented": lambda: replace(GOOD, rows=[*GOOD.rows, row("zoe", "failed", ("failed",))]),
    "unsettled": lambda: replace(GOOD, rows=changed("dan", state="sending")),
    "sent 2 times": lambda: replace(GOOD, ledger=[*GOOD.ledger, entry(4, "ann")]),
    "sent without a record": lambda: replace(GOOD, ledger=[*GOOD.ledger, entry(4, "zoe")]),
    "sent to others": lambda: replace(
        GOOD, ledger=[{**entry(1, "ann"), "recipients": ["zoe@example.com"]}, *list(GOOD.ledger)[1:]]
    ),
    "a lie: eml_ann": lambda: replace(GOOD, ledger=list(GOOD.ledger)[1:]),
    "a lie: eml_dan": lambda: replace(GOOD, ledger=[*GOOD.ledger, entry(4, "dan")]),
    "1 are unknown, 0 may be": lambda: replace(GOOD, unknown_at_most=0),
    "called again by guess": lambda: replace(GOOD, requests={**GOOD.requests, "eml_cid": 2}),
    "numbered wrongly": lambda: replace(GOOD, rows=changed("bob", attempt_no=2)),
    "one attempt for several": lambda: replace(GOOD, rows=changed("dan", attempts=row("ann")["attempts"])),
}


def test_a_good_run_is_good() -> None:
    assert GOOD.problems() == []


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_seen_and_named(what: str) -> None:
    problems = DAMAGE[what]().problems()
    assert [problem for problem in problems if problem.startswith(what)], problems
