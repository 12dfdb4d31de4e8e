"""The providers: what they accept, what they answer, and what the records of each show after a while."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from random import Random

from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.events import Event, EventKind
from fencepost.messages import Mail
from fencepost.reconciliation import Evidence, Reference, Trace
from tests.simulation.clocks import Time
from tests.simulation.steps import Sleep, Steps, ask


class Fate(Enum):
    """What becomes of one call."""

    ACCEPTED = auto()
    REFUSED = auto()
    THROTTLED = auto()
    UNAVAILABLE = auto()
    ERROR = auto()
    """A 5xx, and nothing was accepted."""
    ACCEPTED_ERROR = auto()
    """A 5xx, though it was accepted."""
    SILENCE = auto()
    ACCEPTED_SILENCE = auto()


ACCEPTS = {Fate.ACCEPTED, Fate.ACCEPTED_ERROR, Fate.ACCEPTED_SILENCE}
_SILENT = {Fate.SILENCE, Fate.ACCEPTED_SILENCE}


@dataclass(frozen=True, slots=True)
class Accepted:
    """One entry of the ledger, which is of all providers together."""

    provider: str
    delivery_id: str
    attempt_no: int
    subject: str
    at: int
    indexed_at: int


Later = Callable[[float, Callable[[], None]], None]


class Provider:
    """`fates` says what becomes of each call; `happens` is told of every acceptance, when it is in the ledger."""

    lag_seconds = 8.0
    """Within this, the records show what was accepted."""

    def __init__(
        self,
        time: Time,
        random: Random,
        later: Later,
        fates: Callable[[], Fate],
        happens: Callable[[Accepted], None],
        told: Callable[[Event], None],
    ) -> None:
        """`told` takes what the provider tells by itself, when it does."""
        self._time, self._random, self._later = time, random, later
        self._fates, self._happens, self._told = fates, happens, told
        self.ledger: dict[str, list[Accepted]] = defaultdict(list)
        self.on_its_way: dict[str, int] = defaultdict(int)
        """Calls under way that will be accepted."""
        self.unreadable = 0.0
        self.tells = 0.5

    def call(self, name: str, mail: Mail, call_seconds: float) -> Steps[Outcome]:
        """One call: the request is written now. Whatever becomes of the caller, the provider decides within the call's time."""
        fate = self._fates()
        decides = self._random.random() ** 2 * call_seconds * 0.9
        if fate in ACCEPTS:
            self.on_its_way[mail.delivery_id] += 1
            self._later(decides, lambda: self._accept(name, mail))
        elif fate is Fate.ERROR:
            self._tell(name, mail, EventKind.REJECTED)
        answers = decides + self._random.random() ** 4 * call_seconds
        if fate in _SILENT or answers >= call_seconds:
            yield Sleep(call_seconds, "answer")
            return Outcome(OutcomeKind.UNKNOWN, "No answer came in time.")
        yield Sleep(answers, "answer")
        return self.outcome(fate, mail)

    def outcome(self, fate: Fate, mail: Mail) -> Outcome:
        match fate:
            case Fate.ACCEPTED:
                return Outcome(OutcomeKind.ACCEPTED, "Queued.", receipt=f"<{mail.message_id}>", status=200)
            case Fate.REFUSED:
                return Outcome(OutcomeKind.REJECTED, "The mail was refused.", status=400)
            case Fate.THROTTLED:
                return Outcome(OutcomeKind.THROTTLED, "Too many requests.", status=429, retry_after_seconds=1)
            case Fate.UNAVAILABLE:
                return Outcome(OutcomeKind.UNAVAILABLE, "The connection was refused.")
        return Outcome(OutcomeKind.UNKNOWN, "The provider answered 500.", status=500)

    def look_up(self, references: Sequence[Reference]) -> Steps[dict[str, Trace]]:
        return (
            yield from ask("provider", lambda: {one.delivery_id: self._trace(one) for one in references}, "look up")
        )

    def _trace(self, reference: Reference) -> Trace:
        now = self._time.milliseconds
        entries = [entry for entry in self.ledger[reference.delivery_id] if entry.provider == reference.provider]
        if any(entry.indexed_at <= now for entry in entries):
            return Trace(Evidence.ACCEPTED, "The records show it.", receipt=f"<{reference.message_id}>")
        if self._random.random() < self.unreadable:
            return Trace(Evidence.UNREADABLE, "The records could not be read.")
        return Trace(Evidence.NO_TRACE, "The records show no trace of it.")

    def _accept(self, name: str, mail: Mail) -> None:
        now, lag = self._time.milliseconds, self._random.random() * self.lag_seconds
        entry = Accepted(name, mail.delivery_id, mail.attempt_no, mail.subject, now, now + round(lag * 1000))
        self.on_its_way[mail.delivery_id] -= 1
        self.ledger[mail.delivery_id].append(entry)
        self._happens(entry)
        self._tell(name, mail, EventKind.DELIVERED)

    def _tell(self, name: str, mail: Mail, kind: EventKind) -> None:
        """Maybe, and some time later."""
        if self._random.random() < self.tells:
            number = f"{mail.delivery_id}/{mail.attempt_no}/{kind}/{len(self.ledger[mail.delivery_id])}"
            event = Event(number, name, kind, self._time.instant, mail.delivery_id, mail.attempt_no, None)
            self._later(self._random.random() ** 2 * 30, lambda: self._told(event))
