"""A whole Fencepost on one machine: simulator, registry, senders, auditor, notifier and frontend, each a process of its own."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from devstack import probes
from devstack.hook_keys import HookKeys
from devstack.processes import Process, free_port
from fencepost.settings import Providers

ROOT = Path(__file__).resolve().parent.parent
_SETTINGS = "FENCEPOST_"
_PROVIDERS = "FENCEPOST_PROVIDERS__"


@dataclass(frozen=True)
class Ports:
    """Where the three that people open listen, on loopback."""

    registry: int
    frontend: int
    simulator: int

    @classmethod
    def free(cls) -> "Ports":
        return cls(free_port(), free_port(), free_port())


class Stack:
    """Processes of ours that work on servers which are there already. Nothing runs before start()."""

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        *,
        ports: Ports,
        senders: int = 3,
        frontend: bool = True,
        auditor: bool = False,
        notifier: bool = False,
        hooks: bool = False,
    ) -> None:
        """`folder` gets logs and temporary files. `variables` are the FENCEPOST_… settings of all processes; they win over those that
        the stack sets itself: its addresses, and the simulator as the provider. `hooks`: webhooks have a registry of their own."""
        self.folder = folder
        self._temporary = folder / "temporary"  # what a killed process leaves there goes with the folder
        self.registry_url = f"http://127.0.0.1:{ports.registry}"
        self.frontend_url = f"http://127.0.0.1:{ports.frontend}"
        self.simulator_url = f"http://127.0.0.1:{ports.simulator}"
        self._smtp_port = free_port()
        self.hooks_url = f"http://127.0.0.1:{free_port()}" if hooks else self.registry_url
        self.variables = {**self._own_settings(ports), **variables}
        self.simulator = self._process("simulator", f"{self.simulator_url}/healthz")
        serves = {"FENCEPOST_REGISTRY__SERVES": "api"} if hooks else {}
        self.registry = self._process("registry", f"{self.registry_url}/readyz", variables=serves)
        self.hooks = self._hooks() if hooks else None
        self.frontend = self._process("frontend", f"{self.frontend_url}/healthz") if frontend else None
        self.auditor = self._with_status("auditor", "AUDITOR") if auditor else None
        self.notifier = self._with_status("notifier", "NOTIFIER") if notifier else None
        self.senders: list[Process] = []
        for _ in range(senders):
            self._add_sender({})

    @property
    def processes(self) -> list[Process]:
        """All of them, in the order in which they are started."""
        last = [process for process in (self.hooks, self.auditor, self.notifier, self.frontend) if process]
        return [self.simulator, self.registry, *self.senders, *last]

    @property
    def logs(self) -> str:
        """The end of each log, for a person who has to find out what went wrong."""
        return "\n".join(filter(None, (process.tail(50) for process in self.processes)))

    def start(self) -> "Stack":
        """Start all and return when each is ready. Raises DidNotStart."""
        # The registry brings the store up to date; senders that come before it would only wait for that.
        self._temporary.mkdir(parents=True, exist_ok=True)
        for process in (self.simulator, self.registry):
            process.start()
        self.registry.wait_ready()
        for process in self.processes[2:]:
            process.start()
        for process in self.processes:
            process.wait_ready()
        return self

    def start_sender(self, variables: Mapping[str, str] | None = None) -> Process:
        """One more sender, ready; `variables` are its own settings on top of those of all."""
        return self._add_sender(variables or {}).start().wait_ready()

    def stop(self, seconds: float = 30) -> None:
        """End all: those that take mail first, then those that send it, all senders at once. None is left."""
        for group in (
            [self.frontend, self.registry, self.hooks],
            self.senders,
            [self.auditor, self.notifier, self.simulator],
        ):
            running = [process for process in group if process and process.alive]
            for process in running:
                process.terminate()
            for process in running:
                process.stop(seconds)

    def kill(self) -> None:
        """End all at once, without a word to any."""
        for process in self.processes:
            process.kill()

    def _own_settings(self, ports: Ports) -> dict[str, str]:
        keys = HookKeys.fresh(self.simulator_url)
        return {
            "FENCEPOST_PUBLIC_URL": self.registry_url,
            "FENCEPOST_REGISTRY__PORT": str(ports.registry),
            "FENCEPOST_FRONTEND__PORT": str(ports.frontend),
            "FENCEPOST_FRONTEND__REGISTRY_URL": self.registry_url,
            "FENCEPOST_FRONTEND__SIMULATOR_URL": self.simulator_url,
            "FENCEPOST_SIMULATOR__PORT": str(ports.simulator),
            "FENCEPOST_SIMULATOR__HOOKS_URL": f"{self.hooks_url}/hooks",
            **keys.simulator,
            **keys.registry,
            # All of them: whichever is chosen, no mail leaves this machine.
            **{
                f"FENCEPOST_PROVIDERS__{name.upper()}__BASE_URL": self.simulator_url
                for name in Providers.model_fields
                if name != "order"
            },
            "FENCEPOST_NOTIFIER__ALLOW_LOOPBACK": "true",
            "FENCEPOST_SIMULATOR__SMTP_PORT": str(self._smtp_port),
            "FENCEPOST_PROVIDERS__SMTP__BASE_URL": f"smtp://127.0.0.1:{self._smtp_port}",
            "FENCEPOST_PROVIDERS__SMTP__STARTTLS": "none",
        }

    def _hooks(self) -> Process:
        own = {"FENCEPOST_REGISTRY__SERVES": "hooks", "FENCEPOST_REGISTRY__PORT": self.hooks_url.rpartition(":")[2]}
        return self._process("hooks", f"{self.hooks_url}/readyz", module="registry", variables=own)

    def _add_sender(self, variables: Mapping[str, str]) -> Process:
        self.senders.append(self._with_status(f"sender-{len(self.senders) + 1}", "SENDER", variables, module="sender"))
        return self.senders[-1]

    def _with_status(
        self, name: str, section: str, variables: Mapping[str, str] | None = None, *, module: str | None = None
    ) -> Process:
        """A process that serves nothing but its status."""
        port = free_port()
        own = {f"FENCEPOST_{section}__METRICS_PORT": str(port), **(variables or {})}
        return self._process(name, f"http://127.0.0.1:{port}/readyz", module=module, variables=own)

    def _process(
        self, name: str, ready_url: str, *, module: str | None = None, variables: Mapping[str, str] | None = None
    ) -> Process:
        # Settings come from `variables` alone: what else stands in the caller's environment is for other processes.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(_SETTINGS)}
        settings = {**self.variables, **(variables or {})}
        if name in (
            "frontend",
            "simulator",
            "auditor",
            "notifier",
        ):  # none talks to a provider, so none gets to know its keys
            settings = {key: value for key, value in settings.items() if not key.startswith(_PROVIDERS)}
        return Process(
            name,
            [sys.executable, "-m", module or name],
            url=ready_url.rsplit("/", 1)[0],
            log=self.folder / f"{name}.log",
            ready=partial(probes.http_is_ready, ready_url),
            environment={**inherited, "PYTHONPATH": str(ROOT), "TMPDIR": str(self._temporary), **settings},
        )
