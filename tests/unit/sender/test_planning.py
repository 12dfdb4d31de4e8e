"""W1 and W2: what a pass reads before it plans."""

from datetime import timedelta

from fencepost import ids
from fencepost.planning import Limits
from fencepost.rules import RuleCache
from fencepost.schedules import edited
from fencepost.store.revisions import Revision
from sender.effects import Advance, Effect, Insert, Quarantine, ReadRevisions
from sender.passes import Terms
from sender.planning import plan_due
from tests.support.routes import Always
from tests.support.rows import RETENTION
from tests.support.schedules import Texts, at, definition, schedule

CREATED, NOON = at("2026-03-02 11:58"), at("2026-03-02 12:00")


def terms() -> Terms:
    return Terms(
        now=NOON,
        sender="sender-1",
        tokens={},
        epoch="",
        router=Always(),
        claim_id=ids.new_id(ids.CLAIM),
        deadline=NOON + timedelta(seconds=30),
        deadline_steady=30,
        room=0,
        shards=64,
        limits=Limits(),
        retention=RETENTION,
    )


def test_an_edit_within_the_second_before_an_instant_does_not_quarantine_the_schedule() -> None:
    made = schedule(CREATED)
    texts, text = Texts(made), definition(name="Another")
    for before in (timedelta(milliseconds=1), timedelta(milliseconds=999), timedelta(seconds=1)):
        after = edited(made, texts.rules, now=NOON - before, revision_id=texts.add(text), definition=text)
        decisions = plan_due([after], terms(), RuleCache())
        asked: list[Effect] = [next(decisions)]
        assert isinstance(asked[0], ReadRevisions)
        first = Revision(made.versions[0].revision_id, made.id, made.definition, CREATED)
        answer: object = dict.fromkeys(asked[0].ids, first)
        try:
            while True:
                asked.append(decisions.send(answer))
                answer = {made.id} if isinstance(asked[-1], Advance) else set()
        except StopIteration:
            pass
        assert not any(isinstance(effect, Quarantine) for effect in asked)
        [insert] = [effect for effect in asked if isinstance(effect, Insert)]
        assert [row["version"] for row in insert.deliveries] == [2]
