"""The breakers of the providers, one each, shared by all senders in Redis. breakers.lua holds the rules."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain

from fencepost import ids, settings
from fencepost.coordination.redis_client import connect, unreachable_if_it_fails
from fencepost.coordination.reports import Report
from fencepost.coordination.scripts import Script
from fencepost.failover import BreakerState

_CHANGES, _CHANGED = "b:changes", "b:changed"
_MOST = 200
_FORGET_SECONDS = 600
"""A breaker that is open, or half open, of a provider that nobody has mail for is closed again after so long: it is tried when it is
needed."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Breaker:
    """How one provider stood when this was read."""

    state: BreakerState = BreakerState.CLOSED
    for_seconds: float = 0.0
    retry_seconds: float = 0.0
    """Until one mail may find out; negative: for how long it may have, had there been one."""
    wait_seconds: float = 0.0
    """It asked to be left alone for so long."""
    share: float = 1.0
    """How much of its traffic goes to it: 0 to 1."""
    reason: str = ""
    misconfigured: bool = False
    grant_seconds: float = 0.0
    """For so long the caller may make the one call that finds out; 0: it may not."""
    trips: int = 0
    """How often it was opened in a row."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a breaker. `id` is the same whoever reads it."""

    id: str
    provider: str
    was: BreakerState
    became: BreakerState
    reason: str
    at: datetime
    who: str
    raw: str
    """As it stands in Redis."""


class Breakers:
    """All breakers, as one sender or reader sees them. May be used from several threads."""

    def __init__(self, config: settings.Redis, options: settings.Failover, who: str, grant_seconds: float) -> None:
        """`who` is what a grant is given to; it lasts for `grant_seconds`, longer than a call."""
        self._redis = connect(config)
        self._script = Script("breakers.lua")
        self._head: list[str | int] = [
            who,
            _ms(options.first_pause_seconds),
            _ms(options.longest_pause_seconds),
            options.refusals_to_open,
            options.doubts_to_open,
            options.failed_percent_to_open,
            options.calls_to_judge,
            _ms(options.window_seconds),
            options.return_start_percent,
            _ms(options.return_doubles_seconds),
            _ms(grant_seconds),
            _ms(_FORGET_SECONDS),
        ]

    def sync(self, reports: Mapping[str, Report]) -> dict[str, Breaker]:
        """Report, and read how these providers stand, in one round trip. Raises Unreachable: then the reports may have come."""
        arguments = chain.from_iterable(_arguments(name, report) for name, report in reports.items())
        keys = [_CHANGES, _CHANGED, *(f"b:{name}" for name in reports)]
        with unreachable_if_it_fails():
            answers = self._script.run(self._redis, keys, [*self._head, *arguments])
        return {name: _breaker(answer) for name, answer in zip(reports, answers, strict=True)}

    def changes(self) -> list[Change]:
        """Those that are not on record elsewhere yet, oldest first, a few hundred at most. Raises Unreachable."""
        with unreachable_if_it_fails():
            return [_change(str(raw)) for raw in self._redis.lrange(_CHANGES, 0, _MOST - 1)]

    def recorded(self, changes: Sequence[Change]) -> None:
        """These are on record elsewhere by now, by whomever. Raises Unreachable."""
        with unreachable_if_it_fails():
            pipeline = self._redis.pipeline(transaction=False)
            for change in changes:
                # By value: another may be taking the same ones away.
                pipeline.lrem(_CHANGES, 1, change.raw)
            pipeline.execute()

    def close(self) -> None:
        self._redis.close()


def _arguments(name: str, report: Report) -> list[str | int]:
    return [
        name,
        int(report.wants),
        int(report.returns),
        report.calls,
        report.failures,
        int(report.succeeded),
        report.refusals,
        report.doubts,
        int(report.misconfigured),
        _ms(report.began_seconds_ago),
        _ms(report.wait_seconds),
        report.probe,
        report.reason,
    ]


def _breaker(answer: Sequence[str | int]) -> Breaker:
    state, lasted, retry, wait, percent, reason, misconfigured, grant, trips = answer
    return Breaker(
        BreakerState(str(state)),
        int(lasted) / 1000,
        int(retry) / 1000,
        int(wait) / 1000,
        int(percent) / 100,
        str(reason),
        bool(int(misconfigured)),
        int(grant) / 1000,
        int(trips),
    )


def _change(raw: str) -> Change:
    told = json.loads(raw)
    at = _EPOCH + timedelta(milliseconds=int(told["at"]))
    return Change(
        id=ids.provider_change_id(told["provider"], at, told["number"]),
        provider=told["provider"],
        was=BreakerState(told["from"]),
        became=BreakerState(told["to"]),
        reason=told["reason"],
        at=at,
        who=told["who"],
        raw=raw,
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
