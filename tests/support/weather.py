"""What the tests of faults have in common: mail that is due while something breaks, and the verdict when all is well again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from tests.support import story
from tests.support.eventually import eventually
from tests.support.history import Row
from tests.support.world import World

PER_SECOND = 20
SEATS = 20


@contextmanager
def mail_flows(world: World, seconds: int) -> Iterator[datetime]:
    """Twenty mails fall due each second for so long; what stands in the block happens once they flow. Gives the first
    instant."""
    before = world.provider.accepted()
    begins = world.soon(0)
    for second in range(seconds):
        world.once(PER_SECOND, begins + timedelta(seconds=second))
    eventually(lambda: world.provider.accepted() > before + PER_SECOND // 2, seconds=30)
    yield begins


def wait_until(world: World, instant: datetime) -> None:
    """Let it be so until then."""
    seconds = (instant - world.soon(0)).total_seconds() + 60
    eventually(lambda: world.soon(-1) > instant, seconds=seconds, every=0.1)


def lateness(rows: list[Row]) -> float:
    """The most seconds by which a call came after its instant."""
    called: list[float] = [
        (attempt["called_at"] - row["due_at"]).total_seconds()
        for row in rows
        for attempt in row["attempts"]
        if "called_at" in attempt
    ]
    return max(called)


def all_is_well(world: World, *, unknown_at_most: int = 0, seconds: float = 60) -> list[Row]:
    """Every mail is settled, none twice and none lost; nothing was called without the fence; every sender that is alive is ready
    again, and its log reads as a story. Gives the rows."""
    world.settled(seconds=seconds)
    if not unknown_at_most:
        # What its own sender takes over from an older token is unknown until its call has ended.
        eventually(lambda: not world.counts()["unknown"], seconds=30)
    rows = world.judge(unknown_at_most=unknown_at_most)
    for sender in world.senders:
        if sender.alive:
            sender.wait_ready()
            eventually(lambda: not story.problems(sender.lines()) or _raise(sender.lines()), seconds=20, every=0.2)  # noqa: B023
        else:
            assert not story.problems(sender.lines(), ended_well=False)
    return rows


def _raise(lines: list[dict[str, object]]) -> bool:
    raise AssertionError("\n".join(story.problems(lines)))
