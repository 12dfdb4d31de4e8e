"""How the providers stand, as this sender knows it: what its own calls have just shown, and what all senders know together.

Outcomes are gathered and reported in batches; a failure is reported at once, and until the answer is there no further call to
that provider starts. A wait that a provider asks for is kept from the moment it is heard. When Redis is away the last word
stands: nothing is sent then anyway.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from threading import Event, RLock, Thread

from fencepost.clock import Clock
from fencepost.coordination.breakers import Breaker, Breakers, Report
from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.errors import Unreachable
from fencepost.failover import BreakerState, Standing, weights
from fencepost.logs import Unforeseen, get_logger
from fencepost.settings import Settings
from fencepost.store.providers import Choice
from sender.outages import Outages

log = get_logger(__name__)
_SHORTEST_WAIT = 1.0
"""What is kept where a provider asks for a wait and names none."""
_FINDS_OUT = 5.0
"""After a pause the next call is made within so long, if there is mail."""
_UNUSED_SECONDS = 1.0
"""A grant with which nothing was done for so long is given back."""
_ANSWERED = (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED)


class Gate(Enum):
    """What becomes of a claimed mail of a provider."""

    GO = auto()
    BACK = auto()
    """The provider is left alone: hand it back."""


@dataclass(slots=True)
class _Known:
    """One provider."""

    report: Report
    failed_at: float = 0.0
    """When the newest of the failed calls in `report` began, in steady seconds, like all that follow."""
    unsure: bool = False
    """A call has failed, and what follows from it is not known yet."""
    doubts: int = 0
    """Of this sender, in a row."""
    asked_until: float = 0.0
    breaker: Breaker = field(default_factory=Breaker)
    read_at: float = 0.0
    grant_until: float = 0.0
    granted_at: float = 0.0
    reserved: bool = False
    """A mail was claimed for the grant."""
    probe: str = ""
    """The attempt that calls with the grant."""

    @property
    def retry_at(self) -> float:
        return self.read_at + self.breaker.retry_seconds

    def holds_grant(self, now: float) -> bool:
        return self.breaker.state is BreakerState.HALF_OPEN and now < self.grant_until

    def share(self, now: float) -> float:
        """How much of its mail it may be given."""
        if now < self.asked_until:
            return 0.0
        if self.breaker.state is BreakerState.HALF_OPEN:
            return float(self.holds_grant(now) and not self.reserved and not self.probe)
        return self.breaker.share


class Health:
    """All providers of FENCEPOST_PROVIDERS__ORDER. Any thread may ask."""

    def __init__(
        self, breakers: Breakers, settings: Settings, clock: Clock, outages: Outages, changed: Callable[[], None]
    ) -> None:
        """`changed` is called when more, or less, may be sent than a moment ago."""
        self._breakers, self._clock, self._outages, self._changed = breakers, clock, outages, changed
        self._options = settings.failover
        order = settings.providers.order
        self._configured = {name: settings.providers.account(name).weight for name in order}
        self._known = {name: _Known(Report()) for name in order}
        self._chosen: Mapping[str, Choice] = {}
        self._lock, self._syncing = RLock(), RLock()
        self._wake, self._stopping = Event(), False
        self._unforeseen = Unforeseen(log)
        self._thread = Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Report what is left, and give grants back."""
        self._stopping = True
        self._wake.set()
        self._thread.join(seconds)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    # -- what others ask ---------------------------------------------------------------------------------------------

    def standings(self) -> dict[str, Standing]:
        """How the providers stand, in their order."""
        now = self._clock.steady()
        with self._lock:
            chosen = {name: self._chosen.get(name, Choice()) for name in self._known}
            configured = {
                name: self._configured[name] if choice.weight is None else choice.weight
                for name, choice in chosen.items()
            }
            in_effect = weights({name: configured[name] for name, choice in chosen.items() if choice.enabled})
            return {
                name: Standing(in_effect.get(name, 0.0), known.share(now), chosen[name].enabled)
                for name, known in self._known.items()
            }

    def reserve(self, name: str) -> bool:
        """A mail is claimed for this provider; whether it is the one that finds out, and no other may be."""
        with self._lock:
            known = self._known[name]
            known.reserved = known.breaker.state is BreakerState.HALF_OPEN
            return known.reserved

    def gate(self, name: str, attempt_id: str) -> Gate:
        """What becomes of a claimed mail now."""
        now = self._clock.steady()
        with self._lock:
            known = self._known[name]
            if now < known.asked_until or known.breaker.state is BreakerState.OPEN:
                return Gate.BACK
            if known.breaker.state is BreakerState.HALF_OPEN:
                if known.holds_grant(now) and known.probe in ("", attempt_id):
                    known.probe = attempt_id
                    return Gate.GO
                return Gate.BACK
            return Gate.GO

    def is_unsure(self, name: str) -> bool:
        """Whether a call has just failed, and it is being found out whether others may start."""
        return self._known[name].unsure

    def is_left_alone(self, name: str) -> bool:
        """Whether what was claimed for it is handed back."""
        known = self._known[name]
        return known.breaker.state is BreakerState.OPEN or self._clock.steady() < known.asked_until

    def observe(self, name: str, attempt_id: str, outcome: Outcome, began: float) -> None:
        """A call ended that began then."""
        now = self._clock.steady()
        with self._lock:
            known = self._known[name]
            probe = known.probe == attempt_id
            known.report = _reported(known.report, outcome, probe)
            if outcome.kind is OutcomeKind.THROTTLED:
                known.asked_until = max(known.asked_until, now + (outcome.retry_after_seconds or _SHORTEST_WAIT))
            known.doubts = known.doubts + 1 if outcome.kind is OutcomeKind.UNKNOWN else 0
            failed = outcome.kind in (OutcomeKind.UNAVAILABLE, OutcomeKind.UNKNOWN)
            if failed:
                known.failed_at = max(known.failed_at, began)
                known.unsure = True
            if failed or probe or outcome.kind is OutcomeKind.THROTTLED:
                self._wake.set()
            doubts = known.doubts
        if outcome.kind in _ANSWERED:
            self._outages.over(name)
        elif doubts >= self._options.doubts_to_open or (
            outcome.kind is OutcomeKind.UNAVAILABLE and not outcome.misconfigured
        ):
            self._outages.note(Unreachable(name, outcome.detail))

    def not_called(self, name: str, attempt_id: str) -> None:
        """This attempt ended without a call: if the grant was for it, another may use it."""
        with self._lock:
            known = self._known[name]
            if known.probe == attempt_id:
                known.probe, known.reserved, known.granted_at = "", False, self._clock.steady()

    def seek(self, names: Collection[str]) -> None:
        """There is mail for these providers: ask for the grant to find out whether they are well again, where it is time."""
        now = self._clock.steady()
        with self._lock:
            due = [
                name
                for name in names
                if (known := self._known[name]).breaker.state in (BreakerState.OPEN, BreakerState.HALF_OPEN)
                and now >= max(known.retry_at, known.asked_until)
                and not known.holds_grant(now)
            ]
            for name in due:
                self._known[name].report = replace(self._known[name].report, wants=True)
        if due:
            self.sync()

    def follow(self, chosen: Mapping[str, Choice]) -> None:
        """What people have chosen by API."""
        with self._lock:
            different, self._chosen = chosen != self._chosen, chosen
        if different:
            self._changed()

    def breaker(self, name: str) -> Breaker:
        """As it was read last."""
        return self._known[name].breaker

    def problem(self, name: str) -> str:
        """What keeps mail from it at present; empty when all is well, or when nothing was heard of it for a while: a sender that has
        no mail to find out with must not stay in doubt."""
        with self._lock:
            known = self._known[name]
            breaker = known.breaker
            if breaker.state in (BreakerState.CLOSED, BreakerState.RECOVERING):
                return ""
            fresh = self._clock.steady() < known.retry_at + _FINDS_OUT
            return breaker.reason if breaker.misconfigured or fresh else ""

    # -- what all senders know ---------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Report, and read. What can't be reported now is reported later."""
        with self._syncing:
            now = self._clock.steady()
            with self._lock:
                reports = {name: self._report(known, now) for name, known in self._known.items()}
                for known in self._known.values():
                    known.report = Report()
            try:
                breakers = self._breakers.sync(reports)
            except Unreachable as error:
                with self._lock:
                    for name, known in self._known.items():
                        known.report = _joined(reports[name], known.report)
                self._outages.note(error)
                return
            with self._lock:
                different = [name for name, breaker in breakers.items() if self._take(name, breaker, now)]
        if different:
            self._changed()

    def _report(self, known: _Known, now: float) -> Report:
        unused = known.holds_grant(now) and not known.reserved and not known.probe
        returns = unused and (self._stopping or now - known.granted_at > _UNUSED_SECONDS)
        if returns:
            known.grant_until = 0.0
        return replace(
            known.report,
            began_seconds_ago=max(0.0, now - known.failed_at),
            wait_seconds=max(0.0, known.asked_until - now),
            returns=returns,
        )

    def _take(self, name: str, breaker: Breaker, now: float) -> bool:
        """Whether other mail may go than before."""
        known = self._known[name]
        before = (known.breaker.state, known.share(now), known.unsure)
        if breaker.state is not known.breaker.state:
            _tell(name, known.breaker, breaker)
        held = known.holds_grant(now)
        known.breaker, known.read_at = breaker, now
        known.asked_until = max(known.asked_until, now + breaker.wait_seconds if breaker.wait_seconds else 0.0)
        known.grant_until = now + breaker.grant_seconds
        if not known.holds_grant(now):
            known.probe, known.reserved = "", False
        elif not held:
            known.granted_at = now
        known.unsure = known.report.failures > 0
        return before != (breaker.state, known.share(now), known.unsure)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._options.sync_seconds)
            self._wake.clear()
            try:
                self.sync()
            except Exception:  # noqa: BLE001 it is said, and survived
                self._unforeseen.say("How the providers stand could not be read.", action="health.failed")


def _reported(report: Report, outcome: Outcome, probe: bool) -> Report:
    """The report with one more call in it."""
    report = replace(report, calls=report.calls + 1)
    match outcome.kind:
        case OutcomeKind.THROTTLED:
            return replace(report, probe="spent") if probe else report
        case OutcomeKind.UNAVAILABLE:
            report = replace(
                report,
                failures=report.failures + 1,
                refusals=report.refusals + 1,
                misconfigured=report.misconfigured or outcome.misconfigured,
                reason=outcome.detail,
            )
        case OutcomeKind.UNKNOWN:
            report = replace(
                report, failures=report.failures + 1, doubts=report.doubts + 1, reason=report.reason or outcome.detail
            )
        case _:
            report = replace(report, succeeded=True, refusals=0, doubts=0)
    if probe:
        report = replace(report, probe="ok" if outcome.kind in _ANSWERED else "failed")
    return report


def _joined(first: Report, then: Report) -> Report:
    """Both in one."""
    return Report(
        calls=first.calls + then.calls,
        failures=first.failures + then.failures,
        succeeded=first.succeeded or then.succeeded,
        refusals=then.refusals if then.succeeded else first.refusals + then.refusals,
        doubts=then.doubts if then.succeeded else first.doubts + then.doubts,
        misconfigured=first.misconfigured or then.misconfigured,
        probe=then.probe or first.probe,
        reason=then.reason or first.reason,
        wants=then.wants,
    )


def _tell(name: str, was: Breaker, breaker: Breaker) -> None:
    words = {"provider": name, "was": was.state.value, "detail": breaker.reason}
    match breaker.state:
        case BreakerState.OPEN:
            log.warning("A provider is left alone; mail that may goes to another.", action="provider.open", **words)
        case BreakerState.HALF_OPEN:
            log.info("One mail finds out whether a provider is well again.", action="provider.half_open", **words)
        case BreakerState.RECOVERING:
            log.info("A provider takes mail again; its traffic returns.", action="provider.recovering", **words)
        case BreakerState.CLOSED:
            log.info("A provider has all of its traffic again.", action="provider.closed", **words)
