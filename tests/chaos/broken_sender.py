"""Senders with one part taken away, for the proof that the checker sees it: `python -m tests.chaos.broken_sender KIND`.

Nothing of the program is patched: parts of one process are exchanged for these before any of them starts.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from fencepost import logs, settings
from fencepost.coordination.fences import Fence, FenceAnswer, FenceRequest, Verdict
from fencepost.coordination.leases import ShardLeases
from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.messages import Mail
from fencepost.providers import Provider
from fencepost.providers.http import HttpReply, HttpRequest, Reply, Request
from fencepost.reconciliation import Reference, Trace
from fencepost.recurrence import Rule
from fencepost.rules import RuleCache, Text
from fencepost.schedules import Rule as AnyRule
from fencepost.schedules import Rules, Schedule, Version
from fencepost.settings import Settings, load
from sender.executor import Epochs
from sender.process import SenderProcess

_HOUR = timedelta(hours=1)


class OpenFence(Fence):
    """Lets everybody call and remembers nobody."""

    def claim(self, requests: Sequence[FenceRequest]) -> list[FenceAnswer]:
        return [FenceAnswer(Verdict.OK, request.no, request.attempt) for request in requests]


class FenceOff(SenderProcess):
    """The lease and the record, no fence."""

    def __init__(self, options: Settings) -> None:
        super().__init__(options)
        self._fence = OpenFence(options.redis)
        self._epochs = Epochs(self._fence, self._failpoints)


class Trusting:
    """Leases that are never looked at again once a shard was taken."""

    def __init__(self, leases: ShardLeases) -> None:
        self._leases = leases

    def may_call(self, shard: int, token: int, until: float) -> bool:
        return True

    def drop(self, shard: int, token: int, outranked_by: int = 0) -> None:
        self._leases.drop(shard, token, outranked_by)


class LockOnly(FenceOff):
    """What a lock alone is: whoever took the shard goes on, however long it slept. No fence, no look before the call, and
    attempts without a deadline."""

    def _build(self) -> None:
        super()._build()
        self._executor._leases = Trusting(self._leases)  # type: ignore[assignment]


class Hasty:
    """A provider whose 5xx are taken for "not sent, try again"."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @property
    def name(self) -> str:
        return self._provider.name

    def request(self, mail: Mail) -> Request:
        return self._provider.request(mail)

    def outcome(self, reply: Reply) -> Outcome:
        if isinstance(reply, HttpReply) and reply.status >= 500:
            return Outcome(OutcomeKind.THROTTLED, "It failed, says a client that does not know better.", status=500)
        return self._provider.outcome(reply)

    def look_up(self, reference: Reference) -> HttpRequest | None:
        return self._provider.look_up(reference)

    def trace(self, reference: Reference, reply: Reply) -> Trace | HttpRequest:
        return self._provider.trace(reference, reply)


class FiveHundredsAreFailures(SenderProcess):
    def __init__(self, options: Settings) -> None:
        super().__init__(options)
        self._providers = {name: Hasty(provider) for name, provider in self._providers.items()}


class TwiceInAutumn:
    """A rule that is due at both of the instants at which the clock shows its time, as croniter has it."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    def after(self, instant: datetime) -> datetime | None:
        return next(self.instants(instant), None)

    def instants(self, after: datetime, until: datetime | None = None) -> Iterator[datetime]:
        for instant in self._rule.instants(after - _HOUR):
            if until is not None and instant > until:
                return
            for each in (instant, instant + _HOUR):
                shown = each.astimezone(self._rule.timezone)
                again = shown.fold == 1 and shown.time() == instant.astimezone(self._rule.timezone).time()
                if (each == instant or again) and each > after and (until is None or each <= until):
                    yield each

    def includes(self, instant: datetime) -> bool:
        return self.after(instant - timedelta(seconds=1)) == instant


class TwiceCache(RuleCache):
    def rules(self, schedule: Schedule, texts: Mapping[str, Text]) -> Rules:
        of_version = super().rules(schedule, texts)

        def rule(version: Version) -> AnyRule:
            sound = of_version(version)
            assert isinstance(sound, Rule)
            return TwiceInAutumn(sound)

        return rule


class FiresTwice(SenderProcess):
    def _build(self) -> None:
        super()._build()
        self._loop._cache = TwiceCache()


BROKEN = {
    "fence-off": FenceOff,
    "lock-only": LockOnly,
    "5xx-is-failure": FiveHundredsAreFailures,
    "fires-twice": FiresTwice,
    "sound": SenderProcess,
}


def main() -> int:
    options: settings.Settings = load()
    logs.configure(options.logging, process="sender")
    status: int = BROKEN[sys.argv[1]](options).run()
    return status


if __name__ == "__main__":
    sys.exit(main())
