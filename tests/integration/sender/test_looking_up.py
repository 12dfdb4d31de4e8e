"""The reconciler and several providers: one whose records hang, with much in doubt, keeps no other's mail waiting."""

from collections.abc import Sequence
from datetime import timedelta
from threading import Event
from types import SimpleNamespace
from typing import Any

from fencepost.clock import SystemClock
from fencepost.deliveries import Delivery
from fencepost.failpoints import Failpoints
from fencepost.outages import Outages
from fencepost.reconciliation import Evidence, Reference, Trace
from fencepost.settings import Settings
from fencepost.store import Store
from fencepost.store.messages import Message
from sender.executor import Executor
from sender.reconciler import Reconciler
from tests.support.eventually import eventually
from tests.support.rows import now, planned, sending
from tests.support.schedules import definition, schedule

HANGS_SECONDS = 1.0


class OneHangs:
    """Look-ups at two providers: Mailgun's records hang, Mailjet's answer at once."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def run(self, references: Sequence[Reference]) -> dict[str, Trace]:
        self.asked |= {reference.provider for reference in references}
        if any(reference.provider == "mailgun" for reference in references):
            Event().wait(HANGS_SECONDS)
        return {
            reference.delivery_id: Trace(Evidence.UNREADABLE, "They hang.")
            if reference.provider == "mailgun"
            else Trace(Evidence.ACCEPTED, "Found.", "r1")
            for reference in references
        }

    def close(self) -> None:
        """Nothing is held."""


def in_doubt(store: Store, provider: str, count: int, ago: timedelta) -> list[Delivery]:
    """So many mails that have been unknown for so long, and are to be looked up."""
    at, since = now().replace(microsecond=0), now() - ago
    store.messages.insert([Message("msg_1", "batch_1", definition(), now() + timedelta(days=1))], "local", now())
    rows = planned(schedule(at, definition(to=count), id=f"sch_{provider}"), at)[1]
    known: Any = {"state": "unknown", "provider": provider, "origin": "api", "revision_id": "msg_1", "shard": 1}
    known |= {"unknown_since": since, "look_up_at": since + timedelta(seconds=15)}
    lost: list[Delivery] = [{**sending(row), **known} for row in rows]
    store.deliveries.insert(lost)
    return lost


def test_records_that_hang_keep_no_other_providers_mail_waiting(store: Store, settings: Settings) -> None:
    in_doubt(store, "mailgun", 600, timedelta(minutes=2))
    others = in_doubt(store, "mailjet", 4, timedelta(minutes=1))
    clock, hangs = SystemClock(), OneHangs()
    no: Any = None
    leases: Any = SimpleNamespace(held=lambda: {1: SimpleNamespace(draining=False)})
    gauges: Any = SimpleNamespace(doubtful=lambda _: None)
    look_ups: Any = hangs
    executor = Executor(store, no, no, leases, Failpoints(), clock, timedelta(days=90), no)
    reconciler = Reconciler(settings, store, leases, executor, look_ups, Outages(clock), clock, gauges, Event())
    reconciler.start()
    try:
        eventually(lambda: all(store.deliveries.get("local", row["_id"])["state"] == "accepted" for row in others))
    finally:
        reconciler.stop(10)
    assert "mailgun" in hangs.asked
