"""The simulator as tests see it: its dials, and the ledger that believes nothing that a sender says about itself."""

import sys
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import requests

from devstack import probes
from devstack.hook_keys import HookKeys
from devstack.processes import Process, free_port

_ENOUGH_THREADS = 512
_PAGE = 10_000


class Provider:
    """One simulator process. A call that is slow on purpose occupies one of its many threads."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        """Nothing runs before `process.start()`. `variables` is the whole environment but for its own settings."""
        port, smtp_port = free_port(), free_port()
        self.smtp_url = f"smtp://127.0.0.1:{smtp_port}"
        self.url = f"http://127.0.0.1:{port}"
        self.hook_keys = HookKeys.fresh(self.url)
        self.process = Process(
            "simulator",
            [sys.executable, "-m", "simulator"],
            url=self.url,
            log=folder / "simulator.log",
            ready=partial(probes.http_is_ready, f"{self.url}/healthz"),
            environment={
                **variables,
                **self.hook_keys.simulator,
                "FENCEPOST_SIMULATOR__PORT": str(port),
                "FENCEPOST_SIMULATOR__SMTP_PORT": str(smtp_port),
                "FENCEPOST_SIMULATOR__THREADS": str(_ENOUGH_THREADS),
                "FENCEPOST_SIMULATOR__FOLDER": str(folder / "ledger"),
            },
        )
        self._session = requests.Session()

    def dials(self, **setting: Any) -> None:
        """Turn these dials, and all others back to where they do no harm."""
        self._ask("PUT", "dials", json=setting)

    def tell(self, registry_url: str | None) -> None:
        """From now on tell that registry what becomes of mail; None: nobody."""
        self._ask("PUT", "webhooks", json={"url": registry_url and f"{registry_url}/hooks"})

    def ledger(self, since: int = 0) -> list[dict[str, Any]]:
        """Every mail that was accepted after the first `since`, in that order."""
        entries: list[dict[str, Any]] = []
        while page := self._ask("GET", "ledger", params={"since": since + len(entries), "limit": _PAGE})["data"]:
            entries += page
        return entries

    def requests(self) -> dict[str, int]:
        """How often each delivery was asked for, accepted or not."""
        counts: dict[str, int] = self._ask("GET", "ledger/requests")["data"]
        return counts

    def answers(self) -> Counter[str]:
        """How many requests were answered in which way."""
        return Counter(self._ask("GET", "ledger/count")["answers"])

    def accepted(self) -> int:
        """How many mails were accepted."""
        count: int = self._ask("GET", "ledger/count")["accepted"]
        return count

    def forget(self) -> None:
        """An empty ledger, dials that do no harm, and nobody who is told."""
        self.tell(None)
        self._ask("DELETE", "ledger")
        self._ask("DELETE", "dials")

    def close(self) -> None:
        self._session.close()
        self.process.kill()

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self._session.request(method, f"{self.url}/_simulator/{path}", timeout=30, **options)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None
