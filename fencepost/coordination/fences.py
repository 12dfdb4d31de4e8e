"""The fence: the last check before a provider is called.

Two scripts hold the rules, fence.lua and epoch.lua; this module only carries requests to them and answers back. Nothing
is repeated here: an answer that did not come raises Unreachable, and the caller may ask again with the same arguments,
which gives the answer that was lost. A third, copies.lua, is the breaker's memory of contents: it goes with the claims in the
same round trip and has no say in them, so that its failure costs a warning and no mail.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from redis.exceptions import AuthenticationError, NoScriptError

from fencepost import settings
from fencepost.coordination.redis_client import connect, unreachable_if_it_fails
from fencepost.errors import Misconfigured
from fencepost.logs import get_logger

log = get_logger(__name__)

_FENCE = Path(__file__).with_name("fence.lua").read_text()
_EPOCH = Path(__file__).with_name("epoch.lua").read_text()
_COPIES = Path(__file__).with_name("copies.lua").read_text()

_Call = tuple[str, list[str], list[str | int]]
"""The script, the keys and the arguments of one call."""

_EPOCH_KEY = "f:epoch"
_REQUESTS_PER_SCRIPT = 100
"""While a script runs, Redis serves nobody else: this many take half a millisecond. A larger batch is several calls in one
pipeline; a call for every request would cost three times as much."""


class Verdict(StrEnum):
    """What the fence says to one request, by what its sender does next."""

    OK = "OK"
    """Claim: the attempt may call. Kill: its number is dead, the delivery may go back to pending."""
    STALE = "STALE"
    """A higher token was seen: drop the shard. Nothing was decided."""
    EPOCH = "EPOCH"
    """Redis lost its memory since the row's attempt began: read the epoch again. Nothing was decided."""
    KILLED = "KILLED"
    """The attempt's number was killed: hand the delivery back."""
    TAKEN = "TAKEN"
    """Another attempt holds the record, and may have called: the delivery is unknown."""


@dataclass(frozen=True, slots=True)
class FenceRequest:
    """One attempt to decide. `epoch` is the row's, `token` the number of the caller's token for the shard; `attempts` are
    the ids in the row's own history. A kill ignores `attempt`. With `content` a claim also asks who came first with it, and
    leaves `mark` there if nobody did (fencepost.breaker)."""

    shard: int
    delivery_id: str
    epoch: str
    token: int
    no: int
    attempt: str
    attempts: tuple[str, ...]
    content: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class FenceAnswer:
    """`no` and `attempt` are the record's (`attempt` is "killed" where its number was killed). For STALE `no` is the token
    that outranks the caller's; for EPOCH it is 0. `copy_of` is the mark of who came first with the content, which may be
    the caller's own; empty if that was not asked or is not known."""

    verdict: Verdict
    no: int
    attempt: str
    copy_of: str = ""


class Fence:
    """The fence in one Redis database. May be used from several threads."""

    def __init__(self, config: settings.Redis, memory: timedelta = timedelta(minutes=10)) -> None:
        """`memory`: how long it is remembered who came first with a content."""
        self._redis = connect(config)
        self._memory_milliseconds = round(memory.total_seconds() * 1000)
        self._record_seconds = config.record_ttl_seconds
        self._epoch_seconds = config.record_ttl_seconds // 2

    def check_server(self) -> None:
        """Raises Misconfigured for a Redis that may forget single records or lets nobody in, Unreachable if it does not
        answer. Ask at the start and after each EPOCH, which is how a restart with another configuration shows."""
        with unreachable_if_it_fails():
            try:
                # INFO and not CONFIG GET, which managed servers forbid.
                policy = self._redis.info("memory")["maxmemory_policy"]
            except AuthenticationError as error:
                raise Misconfigured(
                    f"Redis does not let us in; set its user and password in FENCEPOST_REDIS__URL: {error}"
                ) from None
        if policy != "noeviction":
            raise Misconfigured(
                f"Redis has maxmemory-policy {policy!r}: it may forget that a mail was sent, and the mail would be sent"
                " twice. Set maxmemory-policy noeviction in redis.conf."
            )

    def epoch(self) -> str:
        """The name of what Redis remembers at present; a new one if it has none. Raises Unreachable."""
        [epoch] = self._run([(_EPOCH, [_EPOCH_KEY], [secrets.token_hex(8), self._epoch_seconds])])
        return str(epoch)

    def claim(self, requests: Sequence[FenceRequest]) -> list[FenceAnswer]:
        """May these attempts call the provider? One answer each, in order. Raises Unreachable if any answer is missing:
        then any of them may have been decided, and asking again with the same arguments tells."""
        asked = [request for request in requests if request.content]
        answers, marks = self._decide("claim", requests, self._memory_calls(asked))
        first = dict(zip((request.content for request in asked), marks, strict=False))
        return [
            replace(answer, copy_of=first[request.content]) if request.content in first else answer
            for request, answer in zip(requests, answers, strict=True)
        ]

    def kill(self, requests: Sequence[FenceRequest]) -> list[FenceAnswer]:
        """May these attempts be taken for dead, so that they can never call? Answers and errors as in `claim`."""
        return self._decide("kill", requests, [])[0]

    def close(self) -> None:
        self._redis.close()

    def _decide(
        self, verb: Literal["claim", "kill"], requests: Sequence[FenceRequest], more: list[_Call]
    ) -> tuple[list[FenceAnswer], list[str]]:
        """The fence's answers, and what the calls beside it answered: nothing if any of those failed."""
        head: list[str | int] = [verb, self._record_seconds, self._epoch_seconds]
        parts = [requests[at : at + _REQUESTS_PER_SCRIPT] for at in range(0, len(requests), _REQUESTS_PER_SCRIPT)]
        calls: list[_Call] = [
            (_FENCE, [_EPOCH_KEY, *chain(*map(_keys, part))], [*head, *chain(*map(_arguments, part))]) for part in parts
        ]
        found = self._run(calls, more)
        answers = [
            FenceAnswer(Verdict(verdict), int(no), holder) for verdict, no, holder in chain(*found[: len(calls)])
        ]
        beside = found[len(calls) :]
        failed = next((answer for answer in beside if isinstance(answer, Exception)), None)
        if failed:
            log.warning(
                "The breaker's memory failed; mail goes on without it.", action="breaker.away", error=str(failed)
            )
        return answers, [] if failed else list(chain(*beside))

    def _memory_calls(self, asked: Sequence[FenceRequest]) -> list[_Call]:
        parts = [asked[at : at + _REQUESTS_PER_SCRIPT] for at in range(0, len(asked), _REQUESTS_PER_SCRIPT)]
        return [
            (
                _COPIES,
                [f"f:c:{request.content}" for request in part],
                [self._memory_milliseconds, *(request.mark for request in part)],
            )
            for part in parts
        ]

    def _run(self, calls: list[_Call], more: list[_Call] | None = None) -> list[Any]:
        """The answers of all. What fails among `calls` is raised, what fails among `more` is an answer."""
        every = [*calls, *(more or [])]
        with unreachable_if_it_fails():
            answers = self._send(every)
            if any(isinstance(answer, NoScriptError) for answer in answers):
                # Redis forgets scripts with everything else. What was decided before it did is answered the same again.
                for script in {script for script, _, _ in every}:
                    self._redis.script_load(script)
                answers = self._send(every)
            for answer in answers[: len(calls)]:
                if isinstance(answer, Exception):
                    raise answer
        return answers

    def _send(self, calls: list[_Call]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for script, keys, arguments in calls:
            pipeline.evalsha(_digest(script), len(keys), *keys, *arguments)
        return list(pipeline.execute(raise_on_error=False))


@cache
def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def _keys(request: FenceRequest) -> tuple[str, str]:
    return f"f:tok:{request.shard}", f"f:d:{request.delivery_id}"


def _arguments(request: FenceRequest) -> list[str | int]:
    return [request.epoch, request.token, request.no, request.attempt, " ".join(request.attempts)]
