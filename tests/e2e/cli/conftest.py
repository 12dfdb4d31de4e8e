"""One stack for all commands of a module, whose provider does as the test says."""

from collections.abc import Iterator

import pytest
import requests

from devstack.servers import Servers
from devstack.stack import Ports, Stack
from tests.support.command import Command
from tests.support.territory import Territory

_QUICKLY = {
    "FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "0.2",
    "FENCEPOST_SETTLEMENT__WINDOW_SECONDS": "1",
    "FENCEPOST_SETTLEMENT__LOOK_UPS_PER_SECOND": "200",
    "FENCEPOST_NOTIFIER__ALLOW_LOOPBACK": "true",
}


@pytest.fixture(scope="module")
def running(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with one sender."""
    territory = Territory.fresh(servers)
    variables = {**territory.variables, **_QUICKLY}
    stack = Stack(tmp_path_factory.mktemp("stack"), variables, ports=Ports.free(), senders=1, frontend=False)
    try:
        yield stack.start()
    finally:
        stack.kill()
        territory.clear()


@pytest.fixture
def command(running: Stack) -> Command:
    """The command, with this stack's registry."""
    return Command(running.registry_url)


class Provider:
    """The simulator's dials."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_simulator/dials"

    def fails(self, fault: str, times: int = 1) -> None:
        """The next calls end like that."""
        body = {"faults": {fault: {"next": times}}}
        requests.put(self._url, json=body, timeout=20).raise_for_status()


@pytest.fixture
def provider(running: Stack) -> Provider:
    return Provider(running.simulator_url)
