"""Which provider the next attempt of a mail goes to."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fencepost.deliveries import Attempt, Delivery
from fencepost.failover import UNFIT, Standing, choose, moves_on, preferences, refused_since, times_refused, weights
from tests.support.rows import planned
from tests.support.schedules import definition, schedule

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIRST, SECOND = "mailgun", "ses"
WELL, AWAY = Standing(1.0), Standing(1.0, share=0.0)
FALLBACK = Standing(0.0)


def row(*providers: str, **fields: Any) -> Delivery:
    """A mail that was refused by these, one after the other."""
    attempts = [
        Attempt(id=f"att_{number}", no=number, provider=name, outcome="unavailable", ended_at=NOON)
        for number, name in enumerate(providers, 1)
    ]
    [made] = planned(schedule(NOON, definition()), NOON)[1]
    return {**made, "attempts": attempts, **fields}  # type: ignore[typeddict-item]


def test_the_first_takes_all_where_no_weight_is_set_and_the_next_when_it_is_away() -> None:
    assert weights({FIRST: None, SECOND: None}) == {FIRST: 1, SECOND: 0}
    assert choose(row(), {FIRST: WELL, SECOND: FALLBACK}) == FIRST
    assert choose(row(), {FIRST: AWAY, SECOND: FALLBACK}) == SECOND
    assert choose(row(), {FIRST: AWAY}) is None


def test_a_refused_mail_moves_on_until_all_have_refused_it() -> None:
    both = {FIRST: WELL, SECOND: FALLBACK}
    assert (choose(row(FIRST), both), moves_on(row(FIRST), both)) == (SECOND, True)
    assert not moves_on(row(FIRST, SECOND), both)
    assert choose(row(FIRST, SECOND), both) == FIRST
    assert moves_on(row(FIRST, SECOND, FIRST), both)
    assert not moves_on(row(FIRST), {FIRST: WELL})
    assert times_refused(row(FIRST, SECOND, FIRST)["attempts"]) == 2


def test_the_mail_of_its_own_preference_goes_nowhere_else() -> None:
    both = {FIRST: WELL, SECOND: FALLBACK}
    assert choose(row(route=[SECOND]), both) == SECOND
    assert choose(row(route=[SECOND, FIRST]), {FIRST: WELL, SECOND: AWAY}) == FIRST
    assert choose(row(route=[SECOND]), {FIRST: WELL, SECOND: AWAY}) is None


def test_shares_and_weights_part_the_mail_alike_for_whoever_asks() -> None:
    ids = [f"eml_{number}" for number in range(400)]
    halves = {FIRST: Standing(1.0), SECOND: Standing(1.0)}
    assert 150 < sum(choose(row(_id=name), halves) == FIRST for name in ids) < 250
    returning = {FIRST: Standing(1.0, share=0.1), SECOND: FALLBACK}
    assert 10 < sum(choose(row(_id=name), returning) == FIRST for name in ids) < 80
    assert choose(row(_id="eml_1"), {FIRST: Standing(1.0, share=0.1)}) == FIRST, "nobody else takes the rest"
    assert choose(row(), {FIRST: Standing(1.0, enabled=False), SECOND: FALLBACK}) == SECOND


def test_giving_up_counts_from_the_first_refusal_after_a_person_had_a_say() -> None:
    refused = row(FIRST, FIRST)["attempts"]
    assert refused_since(refused) == NOON
    refused[0]["settlements"] = []
    refused[1]["ended_at"] = NOON + timedelta(hours=1)
    assert refused_since(refused) == NOON
    refused[0]["settlements"] = [{"at": NOON, "state": "pending", "by": "a person", "why": "again"}]
    assert refused_since(refused) == NOON + timedelta(hours=1)


def test_who_can_not_take_a_mail_is_not_asked_again_and_another_is() -> None:
    both = {FIRST: WELL, SECOND: FALLBACK}
    tried = row(FIRST)
    tried["attempts"][0]["outcome"] = UNFIT
    assert (choose(tried, both), moves_on(tried, both)) == (SECOND, True)
    assert choose(tried, {FIRST: WELL, SECOND: AWAY}) is None, "it waits for the one that can"
    assert moves_on(tried, {FIRST: WELL, SECOND: AWAY})
    again = row(FIRST, SECOND)
    for attempt in again["attempts"]:
        attempt["outcome"] = UNFIT
    assert not moves_on(again, both), "nobody can take it"
    again["attempts"][1]["settlements"] = [{"at": NOON, "state": "pending", "by": "Ann", "why": "mended"}]
    assert preferences(again, both) == [FIRST, SECOND]


def test_who_has_it_sent_again_begins_the_waits_anew() -> None:
    again = row(FIRST, FIRST, FIRST, FIRST)
    again["attempts"][2]["settlements"] = [{"at": NOON, "state": "pending", "by": "Ann", "why": "the key is mended"}]
    assert times_refused(again["attempts"]) == 1
