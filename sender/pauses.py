"""When this sender leaves a provider alone: after it asked for a wait, refused us rather than a mail, or left us in doubt over
and over. Seconds are those of the steady clock."""

from dataclasses import dataclass

from fencepost.deliveries import Outcome, OutcomeKind

_SHORTEST, _LONGEST = 1.0, 30.0
_FINDS_OUT = 5.0
"""After a pause the next call is made within so long, if there is mail."""
_DOUBTS = 10
"""So many calls in a row of which nobody knows how they ended: whatever it is, the next would end like that too."""


@dataclass(slots=True)
class Pause:
    """One provider, as this sender sees it."""

    refusals: int = 0
    """How often it refused us, or left us in doubt, since it last took a mail; calls that were under way together count as
    one."""
    misconfigured: str = ""
    """What the provider said when it refused us; empty when all is well."""
    away: str = ""
    """Why the last calls could not be made, or left us in doubt; empty since it answered."""
    takes_mail: bool = False
    """It took a mail, and has not refused us since."""
    _asked_until: float = 0.0
    _refused_until: float = 0.0
    _doubts: int = 0

    def observe(self, outcome: Outcome, began: float, now: float) -> None:
        """Take note of how a call ended that began then. Refusals of us double the wait, up to half a minute; an accepted mail
        ends that, but not a wait that the provider asked for."""
        match outcome.kind:
            case OutcomeKind.ACCEPTED | OutcomeKind.REJECTED:
                self._refused_until, self.refusals, self._doubts = 0.0, 0, 0
                self.misconfigured, self.away, self.takes_mail = "", "", True
            case OutcomeKind.THROTTLED:
                self._asked_until = max(self._asked_until, now + (outcome.retry_after_seconds or _SHORTEST))
            case OutcomeKind.UNAVAILABLE:
                self._leave_alone(began, now)
                if outcome.misconfigured:
                    self.misconfigured, self.takes_mail = outcome.detail, False
                else:
                    self.away = outcome.detail
            case OutcomeKind.UNKNOWN:
                self._doubts += 1
                if self._doubts >= _DOUBTS:
                    self._leave_alone(began, now)
                    self.away = outcome.detail

    def allows(self, now: float) -> int | None:
        """How many calls may start: 0 during a pause, one to find out after it, None for no limit."""
        if now < max(self._asked_until, self._refused_until):
            return 0
        return 1 if self.refusals else None

    def problem(self, now: float) -> str:
        """What keeps mail from it at present; empty when all is well, or when nothing was heard of it for a while: a sender that has
        no mail to find out with must not stay in doubt."""
        return self.misconfigured or (self.away if now < self._refused_until + _FINDS_OUT else "")

    def _leave_alone(self, began: float, now: float) -> None:
        # Calls that were under way together fail together, if not at once: only one that began after the last pause is news.
        if began >= self._refused_until:
            self._refused_until = now + min(_LONGEST, _SHORTEST * 2.0 ** min(self.refusals, 32))
            self.refusals += 1
