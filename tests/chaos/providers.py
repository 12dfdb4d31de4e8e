"""The five providers of a chaos run: a simulator for each, with dials and a ledger of its own, behind a proxy of its own."""

import itertools
import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.chaos.scenario import DIALS
from tests.support.provider import Provider
from tests.support.proxy import Proxy

NAMES = ("mailgun", "ses", "sendgrid", "mailjet", "smtp")
WEIGHTS = {"mailgun": 3, "ses": 2, "sendgrid": 2, "mailjet": 2, "smtp": 1}
LATENCY: Mapping[str, float] = {"latency_ms": 15, "jitter_ms": 30}


class Providers:
    """All of them, started."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """`environment` is that of their processes, but for their own settings."""
        self._stack = ExitStack()
        self.registry = self._stack.enter_context(Proxy("127.0.0.1", 1))
        """Where they tell what became of mail, wherever the registry is."""
        self._folders = {name: folder / name for name in NAMES}
        self.each = {name: Provider(own, environment) for name, own in self._folders.items()}
        for provider in self.each.values():
            provider.process.start()
            self._stack.callback(provider.close)
        for provider in self.each.values():
            provider.process.wait_ready()
        self._addresses = {name: provider.url for name, provider in self.each.items()}
        self._addresses["smtp"] = self.each["smtp"].smtp_url
        self._proxies = {
            name: self._stack.enter_context(Proxy.before(address)) for name, address in self._addresses.items()
        }
        self._seeds = itertools.count(1)

    @property
    def first(self) -> Provider:
        """The one that takes all where the others have no part."""
        return self.each[NAMES[0]]

    def variables(self) -> dict[str, str]:
        """Settings by which all five are known, each with its part of the mail."""
        parts = {f"{name.upper()}__WEIGHT": str(weight) for name, weight in WEIGHTS.items()}
        urls = {f"{name.upper()}__BASE_URL": proxy.url(self._addresses[name]) for name, proxy in self._proxies.items()}
        named = {
            f"FENCEPOST_PROVIDERS__{name}": value for name, value in {**parts, **urls, "ORDER": ",".join(NAMES)}.items()
        }
        # Each simulator could be any of the five, with keys of its own: of each those of the one that it is.
        keys = {
            setting: value
            for name, provider in self.each.items()
            for setting, value in provider.hook_keys.registry.items()
            if setting.startswith(f"FENCEPOST_PROVIDERS__{name.upper()}__")
        }
        return named | keys

    def dial(
        self, faults: Mapping[str, float] = DIALS, *, name: str = "", index_lag_ms: int = 0, **latency: float
    ) -> None:
        """One of them, or all, as they usually are, or with other shares of faults and latency."""
        for each in [name] if name else NAMES:
            self.each[each].dials(
                seed=next(self._seeds),
                faults=dict(faults),
                hang_seconds=4,
                index_lag_ms=index_lag_ms,
                index_jitter_ms=500,
                **(latency or LATENCY),
            )

    def picked(self, choice: int) -> str:
        """The name of one, those with a larger part more often."""
        return list(itertools.chain.from_iterable([name] * weight for name, weight in WEIGHTS.items()))[
            choice % sum(WEIGHTS.values())
        ]

    def proxy(self, name: str) -> Proxy:
        """The one before the provider of that name."""
        return self._proxies[name]

    def heal(self) -> None:
        """All proxies pass everything."""
        for proxy in (self.registry, *self._proxies.values()):
            proxy.heal()

    def forget(self) -> None:
        """Empty ledgers, dials that do no harm, and nothing that is still to be told."""
        for provider in self.each.values():
            provider.forget()
            provider.tell(f"http://{self.registry.address}")

    def tell_nobody(self) -> None:
        """From now on no webhook comes of them."""
        for provider in self.each.values():
            provider.tell(None)

    def requests(self) -> list[dict[str, Any]]:
        """Every request that any of them saw, from their own files, in the order in which they came."""
        found: list[dict[str, Any]] = []
        for name, folder in self._folders.items():
            for text in (folder / "ledger" / "ledger.jsonl").read_text().splitlines():
                line = json.loads(text)
                # A conversation by SMTP may end before it is known which mail it is for.
                if name == "smtp" and line["delivery_id"] is None and line["mail"] is None:
                    continue
                mail = line["mail"] or {"recipients": [], "text": None}
                found.append(
                    {
                        "provider": name,
                        "delivery_id": line["delivery_id"],
                        "attempt": line["attempt"],
                        "at": line["at"],
                        "answer": line["answer"],
                        "accepted": line["mail"] is not None,
                        "recipients": mail["recipients"],
                        # By SMTP each line ends, the last one too (RFC 5321, 4.1.1.4).
                        "text": mail["text"] and mail["text"].removesuffix("\n"),
                    }
                )
        return sorted(found, key=lambda request: request["at"])

    def close(self) -> None:
        self._stack.close()
