"""Mail by API at a steady rate: how long a POST takes, and how long after it came the mail is at the provider."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import local

import requests

from tests.bench import stub
from tests.bench.world import World

MAIL = {
    "from": "Shop <shop@example.com>",
    "to": ["ann@example.com"],
    "subject": "Your order is on its way",
    "text": "Hello Ann, it left us today.",
    "html": "<p>Hello Ann, it left us today.</p>" * 40,
}


def measure(world: World, rate: int, seconds: int, say: Callable[[str], None]) -> float:
    """Post so many mails a second, evenly spread; the share p99 of their lateness at the provider, in seconds."""
    with world.senders(), world.registry() as url:
        sessions = local()

        def post(_: int) -> float:
            if not hasattr(sessions, "session"):
                sessions.session = requests.Session()
            began = time.perf_counter()
            sessions.session.post(f"{url}/emails", json=MAIL, timeout=30).raise_for_status()
            return time.perf_counter() - began

        with ThreadPoolExecutor(64) as pool:
            list(pool.map(post, range(64)))  # connections, imports, first look-ups
            world.wait_for(64)
            stub.counts(world.stub_url, "DELETE")
            started, calls = time.monotonic(), []
            for number in range(rate * seconds):
                if (wait := started + number / rate - time.monotonic()) > 0:
                    time.sleep(wait)
                calls.append(pool.submit(post, number))
            taken = sorted(call.result() for call in calls)
            seen = world.wait_for(rate * seconds)
    share = {name: taken[round((len(taken) - 1) * part)] for name, part in (("p50", 0.5), ("p99", 0.99))}
    say(
        f"{rate} mails/s by POST /emails for {seconds} s: the answer after "
        + ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in share.items())
        + "; at the provider after "
        + ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in seen["lateness_seconds"].items())
        + f"; twice {seen['duplicates']}"
    )
    return float(seen["lateness_seconds"]["p99"])
