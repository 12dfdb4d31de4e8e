"""The programs of a run that are no senders of the nursery's: registry, notifier, and senders with a part missing."""

import itertools
import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from devstack import probes
from devstack.processes import Process, free_port

_PORTS = {
    "registry": "FENCEPOST_REGISTRY__PORT",
    "sender": "FENCEPOST_SENDER__METRICS_PORT",
    "notifier": "FENCEPOST_NOTIFIER__METRICS_PORT",
}


class Programs:
    """Starts them, each with a log of its own in `folder`."""

    def __init__(self, folder: Path, variables: Mapping[str, str], modules: Mapping[str, str]) -> None:
        """`modules` are other programs than the usual, each a command line after `python -m`."""
        self._folder, self._variables, self._modules = folder, variables, modules
        self._number = itertools.count(1)
        self._all: list[Process] = []

    def start(self, name: str) -> Process:
        """One more, begun; it may be a while until it is ready."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        self._all.append(
            Process(
                name,
                [sys.executable, "-m", *self._modules.get(name, name).split()],
                url=url,
                log=self._folder / f"{name}-{next(self._number)}.log",
                ready=partial(probes.http_is_ready, f"{url}/readyz"),
                environment={**os.environ, **self._variables, _PORTS[name]: str(port), "WEB_CONCURRENCY": "1"},
            ).start()
        )
        return self._all[-1]

    def close(self) -> None:
        for program in self._all:
            program.kill()
