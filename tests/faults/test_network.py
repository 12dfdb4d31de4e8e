"""The network between senders and each server: connections cut, replies lost, late, dripping byte by byte, and a cable that is
pulled. Mail waits at most; none is lost and none goes twice."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.support.proxy import Proxy
from tests.support.weather import SEATS, all_is_well, lateness, mail_flows, wait_until
from tests.support.world import World

pytestmark = pytest.mark.timeout(180)

MODES: dict[str, Callable[[Proxy], None]] = {
    "cut": lambda proxy: proxy.cut(),
    "replies lost": lambda proxy: proxy.lose_replies(15),
    "late": lambda proxy: proxy.delay_replies(0.2),
    "dripping": lambda proxy: proxy.drip_replies(0.002),
    "a pulled cable": lambda proxy: proxy.swallow_requests(),
}
MODE_SECONDS = 2
PATIENCE = {
    "FENCEPOST_MONGODB__TIMEOUT_SECONDS": "1.5",
    "FENCEPOST_ETCD__TIMEOUT_SECONDS": "0.7",
    "FENCEPOST_REDIS__TIMEOUT_SECONDS": "0.5",
}


def address(world: World, name: str) -> str:
    match name:
        case "mongodb":
            return world.settings.mongodb.url
        case "etcd":
            return world.settings.etcd.endpoints[0]
        case "redis":
            return world.settings.redis.url.get_secret_value()
    return world.provider.url


def by_way_of(proxy: Proxy, name: str, direct: str) -> dict[str, str]:
    """The setting that leads senders, and nobody else, to that server through the proxy."""
    match name:
        case "mongodb":
            # By this address alone: else the driver goes past the proxy, to the address that the set names.
            return {"FENCEPOST_MONGODB__URL": f"mongodb://{proxy.address}/?directConnection=true"}
        case "etcd":
            return {"FENCEPOST_ETCD__ENDPOINTS": proxy.url(direct)}
        case "redis":
            return {"FENCEPOST_REDIS__URL": proxy.url(direct)}
    return {"FENCEPOST_PROVIDERS__MAILGUN__BASE_URL": proxy.url(direct)}


@pytest.mark.parametrize("name", ["mongodb", "etcd", "redis", "mailgun"])
def test_every_way_in_which_a_connection_fails(world: World, name: str) -> None:
    direct = address(world, name)
    with Proxy.before(direct) as proxy:
        world.variables = {**world.variables, **PATIENCE, **by_way_of(proxy, name, direct)}
        senders = world.start(2, SEATS=str(SEATS))
        world.balanced(*senders)
        world.provider.dials(latency_ms=20)
        with mail_flows(world, seconds=MODE_SECONDS * len(MODES) + 1) as begins:
            for number, fails in enumerate(MODES.values(), start=1):
                fails(proxy)
                wait_until(world, begins + timedelta(seconds=MODE_SECONDS * number))
                proxy.heal()
        # Only a lost word of the provider's leaves anybody in doubt, and never more than had a seat.
        in_doubt = len(MODES) * len(senders) * (SEATS // 2) if name == "mailgun" else 0
        rows = all_is_well(world, unknown_at_most=in_doubt)
        print(f"{name}: {len(rows)} mails, the latest {lateness(rows):.1f} s after its instant")
        for sender in senders:
            sender.kill()
