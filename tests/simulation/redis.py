"""The fence in memory: one or two Redis processes, each a FenceModel, and what may happen to their memory."""

from collections.abc import Callable, Sequence

from fencepost.coordination.fences import FenceAnswer, FenceRequest
from tests.simulation.steps import Steps, ask
from tests.support.fence_model import FenceModel

Asked = Callable[[str, FenceRequest, FenceAnswer], None]
"""Is told of each decision: "claim" or "kill", what was asked, what was answered."""


class Server(FenceModel):
    """One Redis process."""

    def copy(self) -> "Server":
        """A replica as it stands now, once it is promoted: the same data, another process."""
        replica = type(self)()
        replica._epoch, replica._floors, replica._records = self._epoch, dict(self._floors), dict(self._records)
        return replica

    def lose(self, delivery_id: str) -> None:
        """One record vanishes. A Redis that may not evict never does this while the epoch stays."""
        self._records.pop(delivery_id, None)

    def restart_without(self, lost: Callable[[], bool], *, epoch: bool) -> None:
        """Another process, with what was written to disk: records that `lost` picks are gone, and the epoch if it is said."""
        self.restart()
        self._records = {name: record for name, record in self._records.items() if not lost()}
        if epoch:
            self._epoch, self._floors = None, {}

    def epoch_key(self) -> str | None:
        return self._epoch

    def records(self) -> dict[str, tuple[int, str]]:
        return dict(self._records)


class Redis:
    """What senders take for Redis: the master, and in a split brain another one for some of them."""

    def __init__(self, server: Server | None = None, asked: Asked = lambda _verb, _request, _answer: None) -> None:
        self.master = server or Server()
        self.old_master: Server | None = None
        self.cut_off: set[str] = set()
        """The clients that still speak to the old master."""
        self._asked = asked

    def split(self, replica: Server, cut_off: set[str]) -> None:
        """A replica is promoted, and these clients do not hear of it."""
        self.old_master, self.master, self.cut_off = self.master, replica, cut_off

    def heal(self) -> None:
        self.old_master, self.cut_off = None, set()

    def epoch(self, client: str) -> Steps[str]:
        return (yield from ask("redis", lambda: self._server(client).epoch(), "read the epoch"))

    def claim(self, client: str, requests: Sequence[FenceRequest]) -> Steps[list[FenceAnswer]]:
        return (yield from ask("redis", lambda: self._decide(client, "claim", requests), "W4 CLAIM"))

    def kill(self, client: str, requests: Sequence[FenceRequest]) -> Steps[list[FenceAnswer]]:
        return (yield from ask("redis", lambda: self._decide(client, "kill", requests), "KILL"))

    def _decide(self, client: str, verb: str, requests: Sequence[FenceRequest]) -> list[FenceAnswer]:
        server = self._server(client)
        answers = server.claim(requests) if verb == "claim" else server.kill(requests)
        for request, answer in zip(requests, answers, strict=True):
            self._asked(verb, request, answer)
        return answers

    def _server(self, client: str) -> Server:
        return self.old_master if self.old_master and client in self.cut_off else self.master
