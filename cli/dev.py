"""`fencepost dev`: a whole Fencepost on this machine, without an account or Docker."""

import os
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
import requests

from cli import demo
from cli.environment import KEPT, data_folder, own_variables
from cli.screen import Screen, without_password
from devstack.logfiles import LogFollower
from devstack.processes import Process, free_port
from devstack.servers import Servers, start_servers
from devstack.stack import Ports, Stack
from fencepost.settings import Settings, load

_PORTS = {
    "registry": "FENCEPOST_REGISTRY__PORT",
    "frontend": "FENCEPOST_FRONTEND__PORT",
    "simulator": "FENCEPOST_SIMULATOR__PORT",
}
_TICK_SECONDS = 0.25


@click.command(short_help="Start all of Fencepost on this machine.")
@click.option("--demo/--no-demo", "with_demo", help="Create schedules to look at; the first fires within ten seconds.")
@click.option("--keep", is_flag=True, help=f"Keep the data in {KEPT}/ and go on with it the next time.")
@click.option("--senders", default=3, show_default=True, type=click.IntRange(1, 20), help="How many senders to start.")
@click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read more variables from this file, such as config/secrets.env.",
)
def dev(with_demo: bool, keep: bool, senders: int, env_file: Path | None) -> None:
    """Start MongoDB, etcd, Redis, the provider's simulator, the registry, senders, auditor, notifier and pages; Ctrl-C stops all of them.

    A server whose address is in the environment (FENCEPOST_MONGODB__URL, FENCEPOST_ETCD__ENDPOINTS,
    FENCEPOST_REDIS__URL) is used as it is. Other FENCEPOST_ variables reach every process.
    """
    variables = own_variables(os.environ, env_file)
    load(variables)  # before anything is started: every problem at once
    screen = Screen()
    _end_on_signals()
    with data_folder(keep) as folder, ExitStack() as endings:
        try:
            screen.say(
                "Starting MongoDB, etcd, Redis, the simulator, the registry, the senders, the auditor, the notifier and the pages…"
            )
            servers = _start_servers(folder, variables, keep, endings)
            stack = _start_stack(folder, {**variables, **servers.variables}, senders, screen, endings)
            _introduce(screen, load(stack.variables), stack, folder, keep)
            if with_demo:
                _add_demo(screen, stack)
            screen.say("Ctrl-C stops all that was started.")
            _watch(screen, [*servers.processes, *stack.processes], folder / "all.log")
        except KeyboardInterrupt:
            screen.say(
                "Stopping; calls that are under way are finished first. Ctrl-C once more ends everything at once."
            )
    screen.say("All that was started has ended.")


def _end_on_signals() -> None:
    """SIGTERM and SIGHUP end this as Ctrl-C does. Whoever ignores SIGHUP (nohup) goes on ignoring it."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


def _start_servers(folder: Path, variables: Mapping[str, str], keep: bool, endings: ExitStack) -> Servers:
    started: list[Process] = []

    def end() -> None:
        for process in started:
            if keep:
                process.stop()
            else:
                process.kill()

    endings.callback(end)
    return start_servers(folder, variables, started)


def _start_stack(folder: Path, variables: Mapping[str, str], senders: int, screen: Screen, endings: ExitStack) -> Stack:
    settings = load(variables)
    wanted = Ports(settings.registry.port, settings.frontend.port, settings.simulator.port)
    ports = Ports(free_port(wanted.registry), free_port(wanted.frontend), free_port(wanted.simulator))
    for part, variable in _PORTS.items():
        if getattr(ports, part) != getattr(wanted, part):
            taken, free = getattr(wanted, part), getattr(ports, part)
            screen.say(f"Port {taken} is taken, so the {part} listens on {free}; {variable} chooses another.")
    others = {name: value for name, value in variables.items() if name not in _PORTS.values()}
    others.setdefault("FENCEPOST_SIMULATOR__FOLDER", str(folder / "simulator"))
    if f"FENCEPOST_PROVIDERS__{settings.providers.order[0].upper()}__BASE_URL" in variables:
        others["FENCEPOST_FRONTEND__SIMULATOR_URL"] = ""
    stack = Stack(folder, others, ports=ports, senders=senders, auditor=True, notifier=True)

    def end() -> None:
        try:
            stack.stop()
        except KeyboardInterrupt:
            stack.kill()

    endings.callback(end)
    return stack.start()


def _introduce(screen: Screen, settings: Settings, stack: Stack, folder: Path, keep: bool) -> None:
    simulated = bool(settings.frontend.simulator_url)
    provider = settings.providers.order[0]
    address = getattr(getattr(settings.providers, provider, None), "base_url", None) or provider
    screen.addresses(
        [
            ("Pages", stack.frontend_url),
            ("API", f"{stack.registry_url}/schedules"),
            ("API docs", f"{stack.registry_url}/docs"),
            ("Inbox", stack.simulator_url if simulated else "the recipients' own"),
            (
                "Provider",
                f"{address}{' (the simulator: no mail leaves this machine)' if simulated else ''}",
            ),
            ("Senders", ", ".join(f"{sender.name} (pid {sender.pid})" for sender in stack.senders)),
            ("MongoDB", without_password(settings.mongodb.url)),
            ("etcd", ", ".join(settings.etcd.endpoints)),
            ("Redis", without_password(settings.redis.url.get_secret_value())),
            ("Data", f"{folder}{' (kept)' if keep else ' (removed at the end; --keep keeps it)'}"),
            ("Logs", str(folder / "all.log")),
        ]
    )


def _add_demo(screen: Screen, stack: Stack) -> None:
    domain = load(stack.variables).providers.mailgun.domain
    try:
        names = demo.create(stack.registry_url, now=datetime.now(UTC), sender_domain=domain)
    except requests.RequestException as error:
        screen.say(f"The demo's schedules could not be created: {error}")
        return
    screen.say(f"{len(names)} demo schedules are there; the first mail is sent within ten seconds.")


def _watch(screen: Screen, processes: list[Process], merged: Path) -> NoReturn:
    """Merge the logs and report complaints and deaths until a signal ends it."""
    follower, alive = LogFollower(processes, merged), list(processes)
    while True:
        for complaint in follower.poll():
            screen.complaint(complaint)
        for process in [each for each in alive if not each.alive]:
            screen.death(process)
            alive.remove(process)
        time.sleep(_TICK_SECONDS)
