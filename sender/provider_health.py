"""How one provider stands, as one sender knows it: what its own calls have just shown, and what all senders know together.

Instants are in steady seconds. The caller sees to it that one thread at a time is here.
"""

from dataclasses import dataclass, field, replace
from enum import Enum, auto

from fencepost.caps import Cap
from fencepost.coordination.breakers import Breaker
from fencepost.coordination.reports import Report
from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.failover import BreakerState

_SHORTEST_WAIT = 1.0
"""What is kept where a provider asks for a wait and names none."""
_FINDS_OUT = 5.0
"""After a pause the next call is made within so long, if there is mail."""
_UNUSED_SECONDS = 1.0
"""A grant with which nothing was done for so long is given back."""


class Gate(Enum):
    """What becomes of a claimed mail of a provider."""

    GO = auto()
    BACK = auto()
    """The provider is left alone: hand it back."""


@dataclass(slots=True)
class ProviderHealth:
    """One provider. It is left alone until its breaker was read for the first time: it may have been opened while nobody was
    here, and a mail that goes all the same is one less to find out with."""

    report: Report = field(default_factory=Report)
    """Of the calls that the others do not know of yet."""
    breaker: Breaker | None = None
    """As it was read last, `read_at`; None: never."""
    read_at: float = 0.0
    failed_at: float = 0.0
    """When the newest of the failed calls in `report` began."""
    unsure: bool = False
    """A call has failed, and what follows from it is not known yet."""
    asked_until: float = 0.0
    """The provider asked to be left alone until then."""
    cap: Cap | None = None
    """Its calls of today, as they were counted last; None: it has no cap, or that is not known."""
    grant_until: float = 0.0
    granted_at: float = 0.0
    reserved: bool = False
    """A mail was claimed for the grant."""
    probe: str = ""
    """The attempt that calls with the grant."""

    @property
    def state(self) -> BreakerState:
        return self.breaker.state if self.breaker else BreakerState.OPEN

    @property
    def is_spent(self) -> bool:
        """Whether it has had all its calls of today."""
        return self.cap is not None and not self.cap.left

    def holds_grant(self, now: float) -> bool:
        """Whether this sender may make the one call that finds out."""
        return self.state is BreakerState.HALF_OPEN and now < self.grant_until

    def share(self, now: float) -> float:
        """How much of its mail it may be given: 0 none, 1 all."""
        if not self.breaker or now < self.asked_until or self.is_spent:
            return 0.0
        if self.state is BreakerState.HALF_OPEN:
            return float(self.holds_grant(now) and not self.reserved and not self.probe)
        return self.breaker.share

    def is_left_alone(self, now: float) -> bool:
        """Whether what was claimed for it is handed back."""
        return self.state is BreakerState.OPEN or now < self.asked_until

    def gate(self, attempt_id: str, now: float) -> Gate:
        """What becomes of a claimed mail; a grant goes to the first that asks."""
        if self.is_left_alone(now):
            return Gate.BACK
        if self.state is BreakerState.HALF_OPEN:
            if not self.holds_grant(now) or self.probe not in ("", attempt_id):
                return Gate.BACK
            self.probe = attempt_id
        return Gate.GO

    def observe(self, attempt_id: str, outcome: Outcome, began: float, now: float) -> bool:
        """A call ended that began then; whether the others are to hear of it at once."""
        probe = self.probe == attempt_id
        self.report = self.report.after(outcome, probe=probe)
        throttled = outcome.kind is OutcomeKind.THROTTLED
        if throttled:
            self.asked_until = max(self.asked_until, now + (outcome.retry_after_seconds or _SHORTEST_WAIT))
        failed = outcome.kind in (OutcomeKind.UNAVAILABLE, OutcomeKind.UNKNOWN)
        if failed:
            self.failed_at = max(self.failed_at, began)
            self.unsure = True
        return failed or probe or throttled

    def not_called(self, attempt_id: str, now: float) -> None:
        """This attempt ended without a call: if the grant was for it, another may use it."""
        if self.probe == attempt_id:
            self.probe, self.reserved, self.granted_at = "", False, now

    def may_find_out(self, now: float) -> bool:
        """Whether it is time to ask for the grant, if there is mail to find out with."""
        return (
            self.breaker is not None
            and self.state in (BreakerState.OPEN, BreakerState.HALF_OPEN)
            and now >= max(self.read_at + self.breaker.retry_seconds, self.asked_until)
            and not self.holds_grant(now)
            and not self.is_spent
        )

    def take_report(self, now: float, *, stopping: bool) -> Report:
        """What there is to report, which is gone from here; a grant that nobody uses is given back with it."""
        unused = self.holds_grant(now) and not self.reserved and not self.probe
        returns = unused and (stopping or now - self.granted_at > _UNUSED_SECONDS)
        if returns:
            self.grant_until = 0.0
        report, self.report = self.report, Report()
        return replace(
            report,
            began_seconds_ago=max(0.0, now - self.failed_at),
            wait_seconds=max(0.0, self.asked_until - now),
            returns=returns,
        )

    def take_back(self, report: Report) -> None:
        """It could not be reported: it is later."""
        self.report = report.then(self.report)

    def read(self, breaker: Breaker, now: float) -> bool:
        """The breaker, as it is now; whether other mail may go than before."""
        before = (self.breaker and self.state, self.share(now), self.unsure)
        held = self.holds_grant(now)
        self.breaker, self.read_at = breaker, now
        self.asked_until = max(self.asked_until, now + breaker.wait_seconds if breaker.wait_seconds else 0.0)
        self.grant_until = now + breaker.grant_seconds
        if not self.holds_grant(now):
            self.probe, self.reserved = "", False
        elif not held:
            self.granted_at = now
        self.unsure = self.report.failures > 0
        return before != (self.state, self.share(now), self.unsure)

    def problem(self, now: float) -> str:
        """What keeps mail from it at present; empty when all is well, or when nothing was heard of it for a while: a sender that has
        no mail to find out with must not stay in doubt."""
        if not self.breaker or self.state in (BreakerState.CLOSED, BreakerState.RECOVERING):
            return ""
        fresh = now < self.read_at + self.breaker.retry_seconds + _FINDS_OUT
        return self.breaker.reason if self.breaker.misconfigured or fresh else ""
