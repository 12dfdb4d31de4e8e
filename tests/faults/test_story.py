"""Several faults one after the other, and what an operator reads of them afterwards."""

from datetime import timedelta

import pytest

from devstack.processes import Process
from tests.conftest import StartsServer
from tests.support import story
from tests.support.weather import SEATS, all_is_well, mail_flows, wait_until
from tests.support.worlds import MakesWorld

pytestmark = pytest.mark.timeout(180)


def test_the_logs_of_a_bad_day_read_as_a_story(
    private_mongodb: StartsServer, private_etcd: StartsServer, private_redis: StartsServer, make_world: MakesWorld
) -> None:
    servers: dict[str, Process] = {"mongodb": private_mongodb(), "etcd": private_etcd(), "redis": private_redis()}
    world = make_world(
        {
            "FENCEPOST_MONGODB__URL": servers["mongodb"].url,
            "FENCEPOST_ETCD__ENDPOINTS": servers["etcd"].url,
            "FENCEPOST_REDIS__URL": servers["redis"].url,
            "FENCEPOST_MONGODB__TIMEOUT_SECONDS": "1.5",
        }
    )
    senders = world.start(2, SEATS=str(SEATS))
    world.balanced(*senders)
    with mail_flows(world, seconds=16) as begins:
        for number, (name, server) in enumerate(servers.items()):
            server.kill()
            wait_until(world, begins + timedelta(seconds=5 * number + 3))
            server.start().wait_ready()
            wait_until(world, begins + timedelta(seconds=5 * number + 5))
            assert server.alive, name
    with mail_flows(world, seconds=2):
        pass
    all_is_well(world)
    for sender in senders:
        told = story.outages(sender.lines())
        assert set(told) == set(servers), told
        assert max(told.values()) <= 2, told  # on a busy machine a server may be missed once more
        sender.terminate()
    for sender in senders:
        assert sender.wait(30) == 0
        assert not story.problems(sender.lines())
