"""The fence as a few lines of Python: what fence.lua and epoch.lua are compared with, and a stand-in where a test needs a fence
but no Redis. It forgets when it is told to, not by time."""

import secrets
from collections.abc import Sequence
from dataclasses import replace

from fencepost.coordination.fences import FenceAnswer, FenceRequest, Verdict

KILLED = "killed"


class FenceModel:
    """The same methods as Fence."""

    def __init__(self) -> None:
        self._run_id = secrets.token_hex(20)
        self._epoch: str | None = None
        self._floors: dict[int, int] = {}
        self._records: dict[str, tuple[int, str]] = {}
        self._marks: dict[str, str] = {}

    def epoch(self) -> str:
        if self._epoch is None or self._epoch.partition(":")[0] != self._run_id:
            self._epoch = f"{self._run_id}:{secrets.token_hex(8)}"
        return self._epoch

    def claim(self, requests: Sequence[FenceRequest]) -> list[FenceAnswer]:
        return [
            replace(self._checked(request) or self._claim(request), copy_of=self._first(request))
            for request in requests
        ]

    def kill(self, requests: Sequence[FenceRequest]) -> list[FenceAnswer]:
        return [self._checked(request) or self._kill(request) for request in requests]

    def forget(self) -> None:
        """FLUSHALL."""
        self._epoch, self._floors, self._records = None, {}, {}
        self._marks.clear()

    def restart(self) -> None:
        """Another process serves the same data."""
        self._run_id = secrets.token_hex(20)

    def _first(self, request: FenceRequest) -> str:
        return self._marks.setdefault(request.content, request.mark) if request.content else ""

    def _checked(self, request: FenceRequest) -> FenceAnswer | None:
        if self._epoch is None or self._epoch.partition(":")[0] != self._run_id or request.epoch != self._epoch:
            return FenceAnswer(Verdict.EPOCH, 0, "")
        floor = self._floors.get(request.shard, 0)
        if request.token < floor:
            return FenceAnswer(Verdict.STALE, floor, "")
        self._floors[request.shard] = request.token
        return None

    def _claim(self, request: FenceRequest) -> FenceAnswer:
        no, holder = self._records.get(request.delivery_id, (0, KILLED))
        if (no, holder) == (request.no, request.attempt):
            return FenceAnswer(Verdict.OK, no, holder)
        if (no, holder) == (request.no, KILLED):
            return FenceAnswer(Verdict.KILLED, no, holder)
        if no >= request.no or not self._may_pass(holder, request):
            return FenceAnswer(Verdict.TAKEN, no, holder)
        return self._recorded(request, request.attempt)

    def _kill(self, request: FenceRequest) -> FenceAnswer:
        no, holder = self._records.get(request.delivery_id, (0, KILLED))
        if (no, holder) == (request.no, KILLED):
            return FenceAnswer(Verdict.OK, no, holder)
        if no >= request.no or not self._may_pass(holder, request):
            return FenceAnswer(Verdict.TAKEN, no, holder)
        return self._recorded(request, KILLED)

    def _may_pass(self, holder: str, request: FenceRequest) -> bool:
        return holder == KILLED or holder in request.attempts

    def _recorded(self, request: FenceRequest, holder: str) -> FenceAnswer:
        self._records[request.delivery_id] = (request.no, holder)
        return FenceAnswer(Verdict.OK, request.no, holder)
