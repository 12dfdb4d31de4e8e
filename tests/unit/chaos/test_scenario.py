"""A seed repeats the plan of a run; the figures of many runs are added up."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from tests.chaos.expected import Story
from tests.chaos.report import report
from tests.chaos.scenario import FAULTS, SECONDS, scenario
from tests.chaos.summary import summary

BEGINS = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())


def test_a_seed_repeats_its_plan_and_another_makes_another() -> None:
    assert scenario(7, BEGINS) == scenario(7, BEGINS) != scenario(8, BEGINS)


def test_every_run_has_two_hundred_occurrences_and_twenty_runs_have_every_kind_of_fault() -> None:
    kinds: Counter[str] = Counter()
    for seed in range(1, 21):
        plan = scenario(seed, BEGINS)
        created = [
            {"verb": one.verb, "sent": 0, "answered": 1, "status": 201, "sets": one.sets, "answer": {}}
            for one in plan.first
        ]
        assert sum(len(Story("s", [call]).instants(plan.ends)) for call in created) >= 200
        assert all(fault.at + fault.seconds <= SECONDS + 7 for fault in plan.faults)
        kinds.update(fault.kind for fault in plan.faults)
    assert kinds.keys() == FAULTS.keys()


def test_what_a_killed_sender_cost_is_counted_and_reported() -> None:
    killed = {"kind": "sender.kill", "from": 10.0, "to": 10.1, "pid": 42}
    attempts = [("unknown", 42), ("released", 42), ("accepted", 43)]
    rows: list[dict[str, Any]] = [
        {
            "id": f"eml_{number}",
            "occurrence_id": f"occ_{number}",
            "origin": "api",
            "due_at": 9.0,
            "state": "accepted",
            "attempts": [{"sender": f"host-{pid}-ab", "outcome": outcome, "ended_at": 14.0}],
        }
        for number, (outcome, pid) in enumerate(attempts)
    ]
    requests = [
        {"delivery_id": row["id"], "at": at, "answer": "ok", "accepted": True, "provider": "ses"}
        for row, at in zip(rows, (9.5, 14.5, 9.2), strict=True)
    ]
    history = {
        "calls": [],
        "posts": [],
        "requests": requests,
        "deliveries": rows,
        "skips": [],
        "faults": [killed],
        "told": [],
    }
    found = summary(7, history, ["lost: a mail"])
    assert (found.death_unknown, found.death_seconds) == (1, 4.5)
    assert (found.calm, found.troubled) == ([0.5, 0.2], [5.5])
    text = report([found.as_json()] * 2, {"Redis": "7.0.15"}, datetime(2026, 3, 1, tzinfo=UTC))
    assert "2026-03-01" in text
    assert "| **lost** | **2** |" in text
    assert "| sender.kill | 2 |" in text
    assert "| 4 | 0.20 | 0.50 | 0.50 |" in text
