"""Three members of MongoDB and three of etcd, one of each dead: what senders promise holds for one that is killed and one that is
frozen past its lease. (The same in containers: tests/compose/test_replicas.py.)"""

from collections import Counter
from pathlib import Path

import pytest

from devstack.servers import start_etcd_cluster, start_mongodb_cluster
from tests.support.eventually import eventually
from tests.support.weather import SEATS
from tests.support.worlds import MakesWorld

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]
MAILS = 500


def test_with_one_of_each_dead_a_killed_and_a_frozen_sender_cost_no_mail(
    make_world: MakesWorld, tmp_path: Path
) -> None:
    mongodb = start_mongodb_cluster(tmp_path / "mongodb", members=3)
    etcd = start_etcd_cluster(tmp_path / "etcd", members=3)
    try:
        world = make_world(
            {
                "FENCEPOST_MONGODB__URL": mongodb[0].url,
                "FENCEPOST_ETCD__ENDPOINTS": ",".join(member.url for member in etcd),
            }
        )
        mongodb[0].kill()
        etcd[0].kill()
        senders = world.start(3, SEATS=str(SEATS))
        world.balanced(*senders)
        world.once(MAILS // 2, world.soon(0))
        world.once(1, world.soon(0), to=MAILS // 2)
        rows = world.settled(seconds=60)
        world.judge()
        shares = Counter(row["attempts"][-1]["sender"] for row in rows)
        assert len(shares) == 3
        assert min(shares.values()) > 0.2 * MAILS, shares

        killed, frozen, _ = senders
        world.provider.dials(latency_ms=200)
        before = world.provider.accepted()
        world.once(MAILS, world.soon(0))
        eventually(lambda: world.provider.accepted() > before + 2 * SEATS, seconds=30, every=0.02)
        killed.kill()
        frozen.pause()
        world.settled(seconds=60)
        frozen.resume()
        eventually(lambda: world.shards_of(frozen), seconds=60)
        # What it had not called yet it hands back, and that is sent now.
        world.settled(seconds=60)
        world.judge(unknown_at_most=2 * SEATS)
        print(f"{world.counts()}")
        for sender in world.senders:
            if sender.alive:
                sender.kill()
    finally:
        for process in (*mongodb, *etcd):
            process.kill()
