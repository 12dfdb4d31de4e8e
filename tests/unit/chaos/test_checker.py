"""The history checker: a run as it should be passes, and each rule sees the one thing that it is there for."""

import math
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.chaos.checker import check, counts
from tests.chaos.expected import Story, due

T = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
History = dict[str, Any]


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def rule(every: str = "2s", begins: float = T + 2, ends: float = T + 8) -> dict[str, Any]:
    return {"type": "interval", "every": every, "starts_at": iso(begins), "ends_at": iso(ends)}


def call(verb: str, sent: float, answered: float | None, status: int | None = 200, **sets: Any) -> dict[str, Any]:
    return {
        "schedule": "s1",
        "verb": verb,
        "sent": sent,
        "answered": answered,
        "status": status,
        "sets": sets,
        "answer": {},
    }


def create() -> dict[str, Any]:
    sets = {"rule": rule(), "text": "one", "paused": False, "deleted": False, "to": ["a@x"], "on_unknown": "hold"}
    return call("create", T, T + 0.1, 201, **sets)


def row(at: float, state: str = "accepted", number: int = 0, **changes: Any) -> dict[str, Any]:
    attempt = {"no": 1, "claimed_at": at, "outcome": state, "sender": "host-1-ab"}
    return {
        "id": f"eml_{at - T:g}_{number}",
        "mail": None,
        "batch_id": None,
        "schedule_id": "sch_1",
        "occurrence_id": f"occ_{at - T:g}",
        "origin": "schedule",
        "recipient": "a@x",
        "due_at": at,
        "state": state,
        "attempt_no": 1,
        "attempts": [attempt],
        **changes,
    }


def request(at: float, answer: str = "ok", *, accepted: bool = True, after: float = 0.1, **changes: Any) -> Any:
    return {
        "provider": "mailgun",
        "delivery_id": f"eml_{at - T:g}_0",
        "attempt": 1,
        "at": at + after,
        "answer": answer,
        "accepted": accepted,
        "recipients": ["a@x"] if accepted else [],
        "text": "one" if accepted else None,
        **changes,
    }


def news(at: float, kind: str = "email.accepted", number: int = 1) -> dict[str, Any]:
    row_id = f"eml_{at - T:g}_0"
    return {"id": f"whm_{row_id}_{number}", "type": kind, "email_id": row_id, "body": kind, "verified": True}


@pytest.fixture
def good() -> History:
    """One schedule, due at T+2, 4, 6 and 8, with all its mail accepted, and everything told."""
    instants = [T + 2, T + 4, T + 6, T + 8]
    return {
        "calls": [create()],
        "posts": [],
        "told": [news(at) for at in instants],
        "requests": [request(at) for at in instants],
        "schedules": [
            {
                "name": "s1",
                "id": "sch_1",
                "text": "one",
                "rule": rule(),
                "paused": False,
                "deleted": False,
                "archived": False,
                "quarantined": None,
            }
        ],
        "deliveries": [row(at) for at in instants],
        "skips": [],
        "listed": {"held": [], "unknown": []},
        "alarms": [],
        "faults": [],
        "ended": T + 60,
        "window_seconds": 14,
        "late_seconds": 5,
        "recovery_seconds": 10,
    }


def test_a_run_as_it_should_be_has_no_problems(good: History) -> None:
    assert check(good) == []
    assert counts(good)["duplicated"] == counts(good)["sent_but_unrecorded"] == 0


def pause_at_5(h: History) -> None:
    h["calls"].append(call("pause", T + 5, T + 5.1, paused=True))
    h["schedules"][0]["paused"] = True


def edit_at_5(h: History, status: int | None = 200) -> None:
    h["calls"].append(call("edit", T + 5, T + 5.1 if status else None, status, text="two"))


def lose_row(h: History) -> None:
    del h["deliveries"][1], h["requests"][1]


def double_row(h: History) -> None:
    h["deliveries"].append(row(T + 4, "cancelled", 1))


def invent_row(h: History) -> None:
    h["deliveries"].append(row(T + 5, "cancelled"))


def fire_an_hour_later(h: History) -> None:
    h["deliveries"].append(row(T + 2 + 3600))
    h["requests"].append(request(T + 2 + 3600))


def leave_open(h: History) -> None:
    h["deliveries"][0]["state"] = "sending"


def accept_twice(h: History) -> None:
    h["deliveries"][0]["attempt_no"] = 2
    h["requests"].append(request(T + 2, after=20))


def accept_nothing(h: History) -> None:
    del h["requests"][0]


def fail_though_sent(h: History) -> None:
    h["deliveries"][0]["state"] = "failed"


def send_without_record(h: History) -> None:
    h["requests"].append(request(T + 3))


def send_to_others(h: History) -> None:
    h["requests"][0]["recipients"] = ["b@x"]


def call_without_attempt(h: History) -> None:
    h["requests"].insert(0, request(T + 2, "429", accepted=False, after=0.05))


def guess(h: History) -> None:
    h["deliveries"][0]["attempt_no"] = 2
    h["requests"].insert(0, request(T + 2, "refuse_500", accepted=False, after=0.05))


def ask_again_after_a_400(h: History) -> None:
    h["deliveries"][0]["attempt_no"] = 2
    h["requests"].insert(0, request(T + 2, "400", accepted=False, after=0.05))


def resend_before_the_window(h: History) -> None:
    h["calls"][0]["sets"]["on_unknown"] = "resend"
    guess(h)


def hide_what_is_held(h: History) -> None:
    h["deliveries"][0]["state"] = "held"
    h["alarms"] = ["held"]


def hold_without_alarm(h: History) -> None:
    h["deliveries"][0]["state"] = "held"
    h["listed"]["held"] = [h["deliveries"][0]["id"]]


def send_early(h: History) -> None:
    h["requests"][0]["at"] = T + 1.9


def send_late(h: History) -> None:
    h["requests"][0]["at"] = T + 8


def skip_without_cause(h: History) -> None:
    lose_row(h)
    h["skips"].append({"schedule_id": "sch_1", "from": T + 4, "to": T + 4, "reason": "misfire"})


def skip_and_send(h: History) -> None:
    h["skips"].append({"schedule_id": "sch_1", "from": T + 4, "to": T + 4, "reason": "paused"})


def cancel_without_cause(h: History) -> None:
    h["deliveries"][1]["state"] = "cancelled"
    del h["requests"][1]


def send_what_is_paused(h: History) -> None:
    pause_at_5(h)


def claim_after_a_stop(h: History) -> None:
    pause_at_5(h)
    h["deliveries"][1]["attempts"][0]["claimed_at"] = T + 6


def lose_the_schedule(h: History) -> None:
    h["schedules"] = []


def lose_an_edit(h: History) -> None:
    edit_at_5(h)
    for sent in h["requests"][2:]:
        sent["text"] = "two"


def lose_a_delete(h: History) -> None:
    h["calls"].append(call("delete", T + 9, T + 9.1, deleted=True))


def send_the_wrong_text(h: History) -> None:
    edit_at_5(h)
    h["schedules"][0]["text"] = "two"


def lose_a_trigger(h: History) -> None:
    h["calls"].append({**call("trigger", T + 3, T + 3.1, 202), "answer": {"id": "occ_9"}})


def trigger_by_itself(h: History) -> None:
    h["deliveries"].append(row(T + 3, "accepted", occurrence_id="occ_9", origin="trigger"))
    h["requests"].append(request(T + 3))


def quarantine(h: History) -> None:
    h["schedules"][0]["quarantined"] = "ValueError: a bug"


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lose_row, "lost"),
        (double_row, "doubled"),
        (invent_row, "invented"),
        (fire_an_hour_later, "invented"),
        (leave_open, "unsettled"),
        (quarantine, "quarantined"),
        (accept_twice, "duplicated"),
        (accept_nothing, "a lie"),
        (fail_though_sent, "a lie"),
        (send_without_record, "sent without a record"),
        (send_to_others, "sent to others"),
        (call_without_attempt, "called without an attempt"),
        (guess, "called again by guess"),
        (ask_again_after_a_400, "called again by guess"),
        (resend_before_the_window, "called again by guess"),
        (hide_what_is_held, "hidden"),
        (hold_without_alarm, "no alarm"),
        (send_early, "early"),
        (send_late, "late"),
        (skip_without_cause, "skipped without a cause"),
        (skip_and_send, "doubled"),
        (cancel_without_cause, "cancelled without a cause"),
        (send_what_is_paused, "not paused"),
        (claim_after_a_stop, "not stopped"),
        (lose_the_schedule, "lost"),
        (lose_an_edit, "lost edit"),
        (lose_a_delete, "lost edit"),
        (send_the_wrong_text, "wrong text"),
        (lose_a_trigger, "lost"),
        (trigger_by_itself, "invented"),
    ],
)
def test_each_rule_sees_what_it_is_there_for(good: History, spoil: Callable[[History], None], word: str) -> None:
    spoil(good)
    assert word in {problem.partition(":")[0] for problem in check(good)}


def test_a_call_without_an_answer_may_have_happened_or_not(good: History) -> None:
    edit_at_5(good, status=None)
    assert check(good) == []
    happened = deepcopy(good)
    happened["schedules"][0]["text"] = happened["requests"][3]["text"] = "two"
    assert check(happened) == []
    happened["requests"][1]["text"] = "two"
    assert [problem.partition(":")[0] for problem in check(happened)] == ["wrong text"], "before it was sent"


def test_a_refused_call_did_not_happen(good: History) -> None:
    edit_at_5(good, status=409)
    assert check(good) == []


def test_what_a_pause_takes_away_is_cancelled_or_skipped_and_not_lost(good: History) -> None:
    pause_at_5(good)
    good["deliveries"], good["requests"] = good["deliveries"][:2], good["requests"][:1]
    good["deliveries"][1]["state"] = "cancelled"
    good["told"] = [news(T + 2), news(T + 4, "email.cancelled")]
    assert {problem.partition(":")[0] for problem in check(good)} == {"lost"}, "T+6 and T+8 are on no record"
    good["skips"].append({"schedule_id": "sch_1", "from": T + 6, "to": T + 8, "reason": "paused"})
    assert check(good) == []


def test_a_late_mail_is_explained_by_a_fault_or_by_its_own_calls(good: History) -> None:
    good["requests"][0]["at"] = T + 20
    good["faults"].append({"kind": "redis.kill", "from": T - 20, "to": T - 7.9})
    assert check(good) == []
    good["faults"][0]["to"] = T - 8.1
    assert [problem.partition(":")[0] for problem in check(good)] == ["late"]
    good["deliveries"][0]["attempt_no"] = 2
    good["requests"].insert(0, request(T + 2, "429", accepted=False))
    assert check(good) == []


def test_a_resend_after_the_window_is_no_guess(good: History) -> None:
    good["calls"][0]["sets"]["on_unknown"] = "resend"
    good["deliveries"][0]["attempt_no"] = 2
    good["requests"][0]["at"] = T + 17
    good["requests"].insert(0, request(T + 2, "refuse_500", accepted=False))
    assert check(good) == []


def test_possible_values_follow_the_last_sure_call() -> None:
    story = Story(
        "s1", [create(), call("edit", T + 3, None, None, text="two"), call("edit", T + 5, T + 6, text="three")]
    )
    assert story.values("text", T + 2) == ["one"]
    assert story.values("text", T + 4) == ["one", "two"]
    assert story.values("text", T + 5.5) == ["one", "two", "three"]
    assert story.values("text", math.inf) == ["three", "two"], "one that hangs may come after the last"


def test_arithmetic_of_once_intervals_and_an_autumn_night() -> None:
    assert list(due({"type": "once", "at": iso(T)}, T + 1)) == [T]
    assert list(due({"type": "once", "at": iso(T)}, T - 1)) == []
    assert list(due(rule("3s"), T + 60)) == [T + 2, T + 5, T + 8]
    night = {
        "type": "cron",
        "expression": "30 1 * * *",
        "timezone": "Europe/London",
        "starts_at": "2026-10-24T12:00:00+00:00",
        "ends_at": "2026-10-26T12:00:00+00:00",
    }
    assert [iso(at) for at in due(night, math.inf)] == ["2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"]


def test_the_checker_shares_no_code_with_what_it_checks() -> None:
    program = (
        "import sys, tests.chaos.checker; print(sorted(n for n in sys.modules if n.split('.')[0] in"
        " ('fencepost', 'sender', 'registry', 'simulator', 'frontend', 'devstack', 'pymongo')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "[]\n"
