"""How the providers stand: which of them mail may go to now, as its own calls and those of all senders have shown.

Outcomes are gathered and reported in batches; a failure is reported at once, and until the answer is there no further call to
that provider starts. A wait that a provider asks for is kept from the moment it is heard. When Redis is away the last word
stands: nothing is sent then anyway.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from threading import Event, RLock, Thread

from fencepost.caps import Cap, day_after
from fencepost.clock import Clock, iso
from fencepost.coordination.breakers import Breaker, Breakers
from fencepost.coordination.caps import Caps
from fencepost.deliveries import Outcome
from fencepost.errors import Unreachable
from fencepost.failover import BreakerState, Standing, weights
from fencepost.logs import Unforeseen, get_logger
from fencepost.outages import Outages
from fencepost.settings import Settings
from fencepost.store.providers import Choice
from sender.provider_health import Gate, ProviderHealth

log = get_logger(__name__)


class Health:
    """All providers of FENCEPOST_PROVIDERS__ORDER. Any thread may ask."""

    def __init__(
        self,
        breakers: Breakers,
        caps: Caps,
        settings: Settings,
        clock: Clock,
        outages: Outages,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called when more, or less, may be sent than a moment ago."""
        self._breakers, self._caps = breakers, caps
        self._clock, self._outages, self._changed = clock, outages, changed
        self._sync_seconds = settings.failover.sync_seconds
        order = settings.providers.order
        self._configured = {name: settings.providers.account(name).weight for name in order}
        self._known = {name: ProviderHealth() for name in order}
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
                name: Standing(
                    in_effect.get(name, 0.0),
                    known.share(now),
                    chosen[name].enabled,
                    known.cap.left if known.cap else None,
                )
                for name, known in self._known.items()
            }

    def reserve(self, name: str) -> bool:
        """A mail is claimed for this provider; whether it is the one that finds out, and no other may be."""
        with self._lock:
            known = self._known[name]
            known.reserved = known.state is BreakerState.HALF_OPEN
            return known.reserved

    def gate(self, name: str, attempt_id: str) -> Gate:
        """What becomes of a claimed mail now."""
        with self._lock:
            return self._known[name].gate(attempt_id, self._clock.steady())

    def is_unsure(self, name: str) -> bool:
        """Whether a call has just failed, and it is being found out whether others may start."""
        return self._known[name].unsure

    def is_left_alone(self, name: str) -> bool:
        """Whether what was claimed for it is handed back."""
        return self._known[name].is_left_alone(self._clock.steady())

    def is_spent(self, name: str) -> bool:
        """Whether it has had all its calls of today: what has no permit yet is handed back."""
        return self._known[name].is_spent

    def observe(self, name: str, attempt_id: str, outcome: Outcome, began: float) -> None:
        """A call ended that began then."""
        with self._lock:
            urgent = self._known[name].observe(attempt_id, outcome, began, self._clock.steady())
        if urgent:
            self._wake.set()

    def not_called(self, name: str, attempt_id: str) -> None:
        """This attempt ended without a call: if the grant was for it, another may use it."""
        with self._lock:
            self._known[name].not_called(attempt_id, self._clock.steady())

    def seek(self, names: Collection[str]) -> None:
        """There is mail for these providers: ask for the grant to find out whether they are well again, where it is time."""
        now = self._clock.steady()
        with self._lock:
            due = [known for name in names if (known := self._known[name]).may_find_out(now)]
            for known in due:
                known.report = replace(known.report, wants=True)
        if due:
            self.sync()

    def counted(self, name: str, cap: Cap) -> None:
        """Its calls of today, as they were just counted."""
        with self._lock:
            known = self._known[name]
            was_spent, known.cap = known.is_spent, cap
            is_spent = known.is_spent
        if is_spent is was_spent:
            return
        if is_spent:
            log.info(
                "A provider has had all its calls of today; other mail goes to another, or waits.",
                action="provider.spent",
                provider=name,
                most=cap.most,
                until=iso(day_after(self._clock.now())),
            )
        self._changed()

    def follow(self, chosen: Mapping[str, Choice]) -> None:
        """What people have chosen by API."""
        with self._lock:
            different, self._chosen = chosen != self._chosen, chosen
        if different:
            self._changed()

    def state(self, name: str) -> BreakerState:
        """As it was read last; open before that."""
        return self._known[name].state

    def breaker(self, name: str) -> Breaker | None:
        """As it was read last; None: not yet."""
        return self._known[name].breaker

    def problem(self, name: str) -> str:
        """What keeps mail from it at present; empty when nothing does."""
        with self._lock:
            return self._known[name].problem(self._clock.steady())

    def sync(self) -> None:
        """Report, and read what all senders know, in one round trip, and in another what is left of the day where there are caps.
        What can't be reported now is reported later."""
        self._read_caps()
        with self._syncing:
            now = self._clock.steady()
            with self._lock:
                reports = {name: known.take_report(now, stopping=self._stopping) for name, known in self._known.items()}
            try:
                breakers = self._breakers.sync(reports)
            except Unreachable as error:
                with self._lock:
                    for name, known in self._known.items():
                        known.take_back(reports[name])
                self._outages.note(error)
                return
            with self._lock:
                different = [name for name, breaker in breakers.items() if self._read(name, breaker, now)]
        if different:
            self._changed()

    def _read(self, name: str, breaker: Breaker, now: float) -> bool:
        known = self._known[name]
        was = known.breaker.state if known.breaker else BreakerState.CLOSED
        if breaker.state is not was:
            _tell(name, was, breaker)
        return known.read(breaker, now)

    def _read_caps(self) -> None:
        try:
            caps = self._caps.read(self._clock.now())
        except Unreachable as error:
            self._outages.note(error)
            return
        for name, cap in caps.items():
            self.counted(name, cap)

    def _run(self) -> None:
        while not self._stopping:
            self._attempt()
            self._wake.wait(self._sync_seconds)
            self._wake.clear()
        self._attempt()

    def _attempt(self) -> None:
        try:
            self.sync()
        except Exception:  # noqa: BLE001 it is said, and survived
            self._unforeseen.say("How the providers stand could not be read.", action="health.failed")


def _tell(name: str, was: BreakerState, breaker: Breaker) -> None:
    words = {"provider": name, "was": was.value, "detail": breaker.reason}
    match breaker.state:
        case BreakerState.OPEN:
            log.warning("A provider is left alone; mail that may goes to another.", action="provider.open", **words)
        case BreakerState.HALF_OPEN:
            log.info("One mail finds out whether a provider is well again.", action="provider.half_open", **words)
        case BreakerState.RECOVERING:
            log.info("A provider takes mail again; its traffic returns.", action="provider.recovering", **words)
        case BreakerState.CLOSED:
            log.info("A provider has all of its traffic again.", action="provider.closed", **words)
