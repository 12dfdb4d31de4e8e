"""The checker's rules about mail by API, about what endpoints are told, and about providers that take over from one another."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.checker import check
from tests.unit.chaos.test_checker import T, call, news, request, row

History = dict[str, Any]


def of_post(at: float, recipient: str, number: int, **changes: Any) -> dict[str, Any]:
    api = {"schedule_id": None, "occurrence_id": None, "origin": "api", "mail": "mail-1", "batch_id": "bat_1"}
    return row(at, number=number, recipient=recipient, **{**api, **changes})


@pytest.fixture
def good() -> History:
    """One post at T+1 to two people, called off for the first in time, and sent to the second."""
    sets = {"to": ["a@x", "b@x"], "text": "hello", "on_unknown": "resend", "at": None}
    post = call("post", T + 1, T + 1.1, 202, **sets)
    cancel = call("cancel", T + 1.2, T + 1.3)
    rows = [
        of_post(T + 1, "a@x", 0, state="cancelled", attempt_no=0, attempts=[]),
        of_post(T + 1, "b@x", 1),
    ]
    sent = request(T + 1, after=1, delivery_id="eml_1_1", recipients=["b@x"], text="hello")
    return {
        "calls": [],
        "posts": [
            {**post, "schedule": "mail-1", "answer": {"id": "bat_1"}},
            {**cancel, "schedule": "mail-1"},
        ],
        "told": [
            {**news(T + 1, "email.cancelled"), "email_id": "eml_1_0"},
            {**news(T + 1, number=2), "email_id": "eml_1_1"},
        ],
        "requests": [sent],
        "schedules": [],
        "deliveries": rows,
        "skips": [],
        "listed": {"held": [], "unknown": []},
        "alarms": [],
        "faults": [],
        "ended": T + 60,
        "window_seconds": 14,
        "late_seconds": 5,
        "recovery_seconds": 10,
    }


def words(history: History) -> set[str]:
    return {problem.partition(":")[0] for problem in check(history)}


def test_a_post_as_it_should_be_has_no_problems(good: History) -> None:
    assert check(good) == []


def lose_a_mail(h: History) -> None:
    del h["deliveries"][1], h["requests"][0], h["told"][1]


def make_it_twice(h: History) -> None:
    h["deliveries"][1]["batch_id"] = "bat_2"


def make_a_mail_twice(h: History) -> None:
    h["deliveries"].append(of_post(T + 1, "b@x", 2))
    h["requests"].append({**h["requests"][0], "delivery_id": "eml_1_2"})


def make_what_was_refused(h: History) -> None:
    h["posts"][0]["status"] = 422


def make_what_nobody_posted(h: History) -> None:
    h["deliveries"][1]["mail"] = "mail-2"


def send_what_was_called_off(h: History) -> None:
    h["deliveries"][0]["state"] = "accepted"


def cancel_without_a_call(h: History) -> None:
    del h["posts"][1]


def cancel_what_was_not_to_be(h: History) -> None:
    h["posts"][1]["status"] = 409


def send_another_text(h: History) -> None:
    h["requests"][0]["text"] = "other"


def tell_nobody(h: History) -> None:
    del h["told"][1]


def tell_twice(h: History) -> None:
    h["told"].append({**h["told"][1], "id": "whm_other"})


def tell_otherwise(h: History) -> None:
    h["told"].append({**h["told"][1], "body": "other"})


def tell_without_signature(h: History) -> None:
    h["told"][1]["verified"] = False


def tell_of_nothing(h: History) -> None:
    h["told"].append({**h["told"][1], "id": "whm_other", "email_id": "eml_9_9"})


def tell_what_is_not_so(h: History) -> None:
    h["told"].append({**h["told"][1], "id": "whm_other", "email_id": "eml_1_0"})


def ask_another_by_guess(h: History) -> None:
    """The first provider left it in doubt; the second was asked at once."""
    doubted = {**h["requests"][0], "at": T + 1.5, "answer": "refuse_500", "accepted": False}
    h["requests"].insert(0, doubted)
    h["requests"][1]["provider"] = "ses"
    h["deliveries"][1]["attempt_no"] = 2


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lose_a_mail, "lost"),
        (make_it_twice, "doubled"),
        (make_a_mail_twice, "doubled"),
        (make_what_was_refused, "invented"),
        (make_what_nobody_posted, "invented"),
        (send_what_was_called_off, "not stopped"),
        (cancel_without_a_call, "cancelled without a cause"),
        (cancel_what_was_not_to_be, "cancelled without a cause"),
        (send_another_text, "wrong text"),
        (tell_nobody, "not told"),
        (tell_twice, "told twice"),
        (tell_otherwise, "told otherwise"),
        (tell_without_signature, "not signed"),
        (tell_of_nothing, "invented"),
        (tell_what_is_not_so, "a lie"),
        (ask_another_by_guess, "called again by guess"),
    ],
)
def test_each_rule_sees_what_it_is_there_for(good: History, spoil: Callable[[History], None], word: str) -> None:
    spoil(good)
    assert word in words(good)


def test_a_post_without_an_answer_may_have_been_taken_or_not(good: History) -> None:
    del good["posts"][1], good["deliveries"][0], good["told"][0]
    good["posts"][0] |= {"status": None, "answered": None, "answer": {}}
    assert check(good) == []


def test_who_refused_a_mail_provably_may_be_followed_by_another_at_once(good: History) -> None:
    ask_another_by_guess(good)
    good["requests"][0]["answer"] = "401"
    assert check(good) == []
    good["requests"][0] |= {"answer": "refuse_500", "provider": "smtp"}
    assert check(good) == [], "by SMTP a 451 is a refusal"
