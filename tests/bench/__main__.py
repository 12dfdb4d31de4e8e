"""`make bench`: sends a second, CPU a send and lateness, beside a bare loop of `requests` in the same run.

All servers, two senders and the provider's stub share this machine's cores, so only ratios taken in one run mean much.

    python -m tests.bench [ceiling drain ontime transactional ballast lists reports] [--mails 10000] [--ballast 1000000]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from devstack.processes import Process
from devstack.servers import Servers
from tests.bench import lists, reports, stub, transactional
from tests.bench.world import World, local_servers, provider
from tests.support.territory import Territory

LEAD_SECONDS = 3


def say(text: str = "") -> None:
    print(text, flush=True)


def ceiling() -> None:
    """What the stub itself can answer."""
    say("## The stub's own ceiling")
    for latency_ms, in_flight in ((0, 128), (50, 1000)):
        say(stub.measure(latency_ms, in_flight, 20_000))


def bare(latency_ms: float, mails: int) -> float:
    """The bare loop: two processes of 32 threads; its rate."""
    with provider(latency_ms) as (url, _):
        command = [sys.executable, "-m", "tests.bench.bare", url, "--requests", str(mails // 2), "--threads", "32"]
        loops = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        cpu = sum(float(loop.communicate()[0]) for loop in loops)
        seen = stub.counts(url)
    requests, seconds = int(str(seen["requests"])), float(str(seen["last_at"])) - float(str(seen["first_at"]))
    say(
        f"bare loop of requests, 2 x 32 threads, {latency_ms:2.0f} ms: {requests / seconds:7,.0f}/s, CPU {cpu / requests * 1000:.2f} ms a send"
    )
    return requests / seconds


def in_world(run: Callable[[World], float], servers: Servers, processes: list[Process], latency_ms: float = 0) -> float:
    """Run it in a world of its own."""
    with tempfile.TemporaryDirectory(prefix="fencepost-bench-") as folder, provider(latency_ms) as (url, pid):
        territory = Territory.fresh(servers)
        try:
            return run(World(servers, processes, territory, Path(folder), url, pid))
        finally:
            territory.clear()


def drained(world: World, mails: int, label: str) -> float:
    """So many mails due at one instant: from that instant to the last call; the rate."""
    seeding = timedelta(seconds=LEAD_SECONDS + mails / 1500)
    due = (datetime.now(UTC) + seeding).replace(microsecond=0)
    world.seed([due] * mails)
    stub.counts(world.stub_url, "DELETE")
    if (wait := (due - datetime.now(UTC)).total_seconds()) < 0:
        raise TimeoutError("seeding took too long; the instant has passed")
    time.sleep(wait)
    before = world.cpu()
    seen = world.wait_for(mails)
    time.sleep(0.5)
    after = world.cpu()
    seconds = float(str(seen["last_at"])) - due.timestamp()
    each = ", ".join(f"{name} {(after[name] - before[name]) / mails * 1000:.2f}" for name in sorted(after))
    say(
        f"{label}: {mails / seconds:7,.0f}/s, CPU ms a send: {each}; twice {seen['duplicates']}, accepted {world.accepted()}"
    )
    return mails / seconds


def drain(servers: Servers, processes: list[Process], mails: int) -> None:
    """Everything due at once, with a provider that answers at once, and one that takes 50 ms."""
    say("## Drain")
    for latency_ms in (0, 50):
        loop = bare(latency_ms, mails)

        def run(world: World, label: str = f"Fencepost, two senders, {latency_ms:2} ms") -> float:
            with world.senders():
                return drained(world, mails, label)

        say(f"ratio to the bare loop at {latency_ms} ms: {in_world(run, servers, processes, latency_ms) / loop:.2f}")


def on_time(servers: Servers, processes: list[Process], rate: int = 200, seconds: int = 60) -> None:
    """So many due each second."""
    say("## On time")

    def run(world: World) -> float:
        with world.senders():
            first = (datetime.now(UTC) + timedelta(seconds=LEAD_SECONDS + rate * seconds / 1500)).replace(microsecond=0)
            world.seed([first + timedelta(seconds=second) for second in range(seconds) for _ in range(rate)])
            if datetime.now(UTC) > first:
                raise TimeoutError("seeding took too long; the first instant has passed")
            seen = world.wait_for(rate * seconds)
        late = seen["lateness_seconds"]
        values = ", ".join(f"{share} {value * 1000:.0f} ms" for share, value in late.items())
        say(f"{rate} due a second for {seconds} s: lateness {values}; twice {seen['duplicates']}")
        return float(late["p99"])

    in_world(run, servers, processes)


def ballast(servers: Servers, processes: list[Process], count: int, mails: int = 5000, runs: int = 5) -> None:
    """The same drain with and without schedules that are not due, alternating."""
    say("## Ballast")

    def run(heavy: World) -> float:
        began = time.monotonic()
        heavy.add_ballast(count)
        say(f"{count:,} schedules that are not due, written in {time.monotonic() - began:.0f} s")
        times = [_timed(heavy) for _ in range(100)]
        say(f"due query among them: p95 {sorted(times)[94] * 1000:.1f} ms")
        rates: dict[str, list[float]] = {"with": [], "without": []}

        def light(world: World) -> float:
            for index in range(1, runs + 1):
                for name, one in (("with", heavy), ("without", world)):
                    with one.senders():
                        rates[name].append(drained(one, mails, f"run {index}, {name:7} ballast"))
            return 0.0

        in_world(light, servers, processes)
        ratio = median(rates["without"]) / median(rates["with"])
        say(f"median time with ballast / without: {ratio:.2f}")
        return ratio

    in_world(run, servers, processes)


def _timed(world: World) -> float:
    began = time.perf_counter()
    world.store.schedules.due(range(16), datetime.now(UTC), 500)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("ceiling", "drain", "ontime", "transactional", "ballast", "lists", "reports")
    parser.add_argument("parts", nargs="*", default=parts, help=f"which: {', '.join(parts)}; all")
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--ballast", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(parts):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if "ceiling" in arguments.parts:
        ceiling()
    with local_servers() as (servers, processes):
        if "drain" in arguments.parts:
            drain(servers, processes, arguments.mails)
        if "ontime" in arguments.parts:
            on_time(servers, processes)
        if "transactional" in arguments.parts:
            say("## Transactional")
            in_world(lambda world: transactional.measure(world, 100, 30, say), servers, processes)
        if "ballast" in arguments.parts:
            ballast(servers, processes, arguments.ballast)
        if "lists" in arguments.parts:
            say("## Lists")
            in_world(lambda world: lists.measure(world, arguments.ballast, say), servers, processes)
        if "reports" in arguments.parts:
            say("## Reports")
            in_world(lambda world: reports.measure(world, arguments.ballast, say), servers, processes)


if __name__ == "__main__":
    main()
