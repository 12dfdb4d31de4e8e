"""The invariants of the protocol, checked at every write, every answer of the fence, every call and every acceptance."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from fencepost.coordination.fences import FenceAnswer, FenceRequest, Verdict
from fencepost.deliveries import Attempt, Delivery, schedule_of
from fencepost.messages import Mail
from fencepost.schedules import Schedule, Version
from tests.simulation.clocks import BEGINNING, Time
from tests.simulation.decisions import Decisions, settled_by
from tests.simulation.pacing import Pacing
from tests.simulation.provider import Accepted, Provider
from tests.simulation.store import SimulatedStore
from tests.simulation.texts import TEXTS

_FINAL = {"accepted", "failed", "cancelled"}
_STALL_SECONDS = 1
"""A thread that stalls no longer than this between W5 and the socket is within what the settling window allows for."""


class Violation(AssertionError):
    """Something happened that must not."""


class Watch:
    """Sees everything. `tell` is the story's; `store` and `provider` are set once they are made."""

    store: SimulatedStore
    provider: Provider

    def __init__(self, time: Time, tell: Callable[[str], None]) -> None:
        self._time, self._tell = time, tell
        self.claimed: dict[str, str] = {}
        """Attempts that the fence let call, and whose it was."""
        self.edits: dict[str, list[Version]] = {}
        """All versions that each schedule ever had."""
        self.unlucky: set[str] = set()
        """Deliveries that a thread carried which stalled between W5 and the socket."""
        self.people = Decisions(self._must)
        self.pacing = Pacing(time, self._must)
        self.calls_made = 0
        self.seen: Counter[str] = Counter()
        """How often each answer of the fence was given, and each arrow between states taken."""
        self.restored = False
        """MongoDB was put back to an older state."""
        self._numbers: dict[tuple[str, int], str] = {}
        self._called: set[str] = set()
        self._trusted: dict[str, int] = {}
        self._calling: dict[tuple[str, int], str] = {}

    # -- MongoDB -----------------------------------------------------------------------------------------------------

    def delivery(self, before: Delivery | None, after: Delivery) -> None:
        self._tell_delivery(before, after)
        if self.restored:
            return  # what was forgotten may be said again; the ledger is still looked at
        name, number, attempt = after["_id"], after["attempt_no"], after["attempt_id"]
        if number and attempt:
            known = self._numbers.setdefault((name, number), attempt)
            self._must(known == attempt, f"number {number} of {short(name)} is that of {known} and of {attempt}")
        longest = max((TEXTS[self.text(version)].jitter for version in self.edits[schedule_of(after)]), default=0)
        self.pacing.delivery(before, after, timedelta(seconds=longest))
        if before is None:
            return
        self._must(before["attempt_no"] <= number, f"the attempt number of {short(name)} falls to {number}")
        old, new = before["state"], after["state"]
        if old != new:
            self.seen[f"{old} -> {new}"] += 1
            self._must(old not in _FINAL, f"{short(name)} goes back from {old} to {new}")
            self._must(
                old != "sending" or settled_by(after) != after["provider"],
                f"{short(name)} is its owner's, and the provider settles it",
            )
            self.people.delivery(before, after)
        if new == "unknown" and old != "unknown":
            self._must(after["unknown_since"] == self._time.instant, f"{short(name)} is unknown since another instant")
        sent_again = new == "pending" and old != "pending"
        if sent_again and self.policy(after) == "hold" and not self.people.orders[name]:
            may = self.provider.ledger[name] or self.provider.on_its_way[name]
            self._must(not may, f"{short(name)} is pending again, though the provider accepted it, or is about to")

    def schedule(self, before: Schedule | None, after: Schedule) -> None:
        self._tell_schedule(before, after)
        versions = self.edits.setdefault(after.id, [])
        versions += [version for version in after.versions if not versions or version.no > versions[-1].no]
        if after.next_run_at and after.last_run_at:
            self._must(after.last_run_at < after.next_run_at, "a schedule's next run is not after its last")
        if before is None:
            return
        self.pacing.schedule(before, after)
        self._must(
            not before.last_run_at or (after.last_run_at or before.last_run_at) >= before.last_run_at,
            "the last run of a schedule falls",
        )
        self._must(before.versions[-1].since <= after.versions[-1].since, "an edit counts from before an earlier one")
        if after.version != before.version and before.last_run_at:
            self._must(after.versions[-1].since >= before.last_run_at, "an edit counts from before the last run")

    # -- Redis -------------------------------------------------------------------------------------------------------

    def fence(self, verb: str, request: FenceRequest, answer: FenceAnswer) -> None:
        if self._tell is not _nobody:
            who = request.attempt or f"number {request.no}"
            self._tell(f"{verb.upper()} {who} of {short(request.delivery_id)} -> {answer.verdict} {answer.attempt}")
        self.seen[f"{verb} {answer.verdict}"] += 1
        if answer.verdict is not Verdict.OK:
            return
        row = self.store.deliveries.rows.get(request.delivery_id)
        if row is not None and not self.restored:
            self._must(answer.no <= row["attempt_no"], "the fence has decided a number that the row does not have yet")

    # -- the calls ---------------------------------------------------------------------------------------------------

    def has_seat(self, row: Delivery) -> None:
        self.claimed[row["attempt_id"] or ""] = row["sender"] or ""

    def asks(self, row: Delivery) -> None:
        """W4 is asked for this row."""
        self._must(self._frozen(row), f"{short(row['_id'])} asks the fence before its instant is frozen")

    def trusts(self, attempt_id: str, trusted: bool) -> None:
        self._trusted[attempt_id] = self._time.milliseconds
        self._tell(f"W5 {attempt_id}: {'passes' if trusted else 'fails'}")

    def calls(self, process: str, row: Delivery, attempt: Attempt, provider: str, mail: Mail) -> None:
        """W6: the request of this attempt is written to the socket."""
        name = row["_id"]
        self._tell(f"W6 calls {provider} for {attempt['id']} of {short(name)}: {mail.subject!r}")
        self.calls_made += 1
        self._must(attempt["id"] not in self._called, f"attempt {attempt['id']} calls twice")
        self._called.add(attempt["id"])
        self._must(self.claimed.get(attempt["id"]) == process, f"{process} calls for an attempt of another's")
        self._must(attempt["provider"] == provider, "the provider that is called is not the one on record")
        if any("called_at" in earlier and earlier["provider"] != provider for earlier in row["attempts"]):
            self.seen["asked of another provider"] += 1
        self._must(self._frozen(row), f"{short(name)} is called before its instant is frozen")
        self._calling[name, mail.attempt_no] = attempt["id"]
        stalled = self._time.milliseconds - self._trusted.get(attempt["id"], self._time.milliseconds)
        if stalled > _STALL_SECONDS * 1000:
            self.unlucky.add(name)
        owner = self.owner(row)
        if self.people.orders[name]:
            return  # whatever its schedule says by now
        versions = self.edits[schedule_of(row)]
        if not self.restored:
            self.pacing.calls(row, TEXTS[self.text(versions[0])] if len(versions) == 1 else None)
        due = owner is not None and owner.runs and row["due_at"] in TEXTS[self.text(owner)].instants()
        self._must(due, f"{short(name)} is called for an instant that is not due under the edit history")
        if owner:
            self._must(mail.subject == self.text(owner), f"{short(name)} is called with another version's text")

    def accepts(self, entry: Accepted) -> None:
        """The provider has put it in its ledger."""
        name, row = entry.delivery_id, self.store.deliveries.rows[entry.delivery_id]
        self._tell(f"the provider ACCEPTS {short(name)}, attempt number {entry.attempt_no}")
        late = name in self.unlucky and self.people.decided(name)
        self._must(
            row["state"] != "cancelled" or self.excused(row) or late, f"{short(name)} was cancelled, and is sent"
        )
        if len(self.provider.ledger[name]) > 1 + self.people.orders[name]:
            self._must(self.excused(row), f"{short(name)} is accepted twice")

    def excused(self, row: Delivery) -> bool:
        """Whether a second acceptance is what the owner asked for, or a residual that is stated."""
        policy = self.policy(row)
        return policy == "resend_at_once" or (policy == "resend" and row["_id"] in self.unlucky)

    def restore(self, row: Delivery) -> None:
        """MongoDB is put back to an older state, in which a row was like this."""
        self._tell(f"FAULT MongoDB is restored: row {short(row['_id'])} is {row['state']} again")
        self.restored = True
        self.store.deliveries.rows[row["_id"]] = row

    # -- what is so --------------------------------------------------------------------------------------------------

    def policy(self, row: Delivery) -> str:
        revision = self.store.records.revisions.get(row["revision_id"] or "")
        return str(revision.definition["on_unknown"]) if revision else "hold"

    def owner(self, row: Delivery) -> Version | None:
        versions = self.edits.get(schedule_of(row), [])
        return next((version for version in reversed(versions) if version.since < row["due_at"]), None)

    def text(self, version: Version) -> str:
        return str(self.store.records.revisions[version.revision_id].definition["name"])

    def _frozen(self, row: Delivery) -> bool:
        if row["origin"] != "schedule" or self.people.orders[row["_id"]]:
            return True
        schedule, instant = self.store.schedules.rows[schedule_of(row)], row["due_at"]
        return instant <= max(schedule.versions[-1].since, schedule.last_run_at or schedule.versions[-1].since)

    def _must(self, holds: object, what: str) -> None:
        if not holds:
            raise Violation(what)

    # -- the story ---------------------------------------------------------------------------------------------------

    def _tell_delivery(self, before: Delivery | None, after: Delivery) -> None:
        if self._tell is _nobody:
            return
        old = before["state"] if before else "(none)"
        if before is None or (old, before["attempt_id"]) != (after["state"], after["attempt_id"]):
            attempt = f" {after['attempt_id']} n={after['attempt_no']}" if after["attempt_id"] else ""
            self._tell(f"row {short(after['_id'])} {_seconds(after['due_at'])}: {old} -> {after['state']}{attempt}")

    def _tell_schedule(self, before: Schedule | None, after: Schedule) -> None:
        if self._tell is _nobody:
            return
        if before is None or before.version != after.version:
            last = after.versions[-1]
            self._tell(
                f"schedule {after.id}: version {last.no} from {_seconds(last.since)}, runs={last.runs},"
                f" text {after.definition['name']!r}, next {_seconds(after.next_run_at)}"
            )
        else:
            self._tell(
                f"schedule {after.id}: last {_seconds(after.last_run_at)}, next {_seconds(after.next_run_at)},"
                f" skips {[(_seconds(skip.first), _seconds(skip.last), skip.reason.value) for skip in after.skips]}"
            )


def _nobody(_text: str) -> None:
    """Nobody listens."""


SILENT: Callable[[str], None] = _nobody


def short(delivery_id: str) -> str:
    """The end of an id, enough to tell it from others in a story."""
    return delivery_id[-5:]


def _seconds(instant: datetime | None) -> str:
    return "never" if instant is None else f"t={(instant - BEGINNING).total_seconds():g}"
