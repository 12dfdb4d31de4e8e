"""Where the mails of one pass go, by how the providers stand."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from fencepost.deliveries import Delivery
from fencepost.failover import BreakerState, Standing
from fencepost.settings import load
from sender.health import Health
from sender.routes import Lane, Lanes, Routes

TEXT = {"message": {"from": "shop@example.com"}}
SECOND = timedelta(seconds=1)


class Standings:
    """Providers that stand as a test says."""

    def __init__(self, standings: Mapping[str, Standing]) -> None:
        self._standings = standings

    def standings(self) -> dict[str, Standing]:
        return dict(self._standings)

    def state(self, _name: str) -> BreakerState:
        return BreakerState.CLOSED

    def reserve(self, _name: str) -> bool:
        return False


def routes(waiting: Counter[Lane] | None = None, **standings: Standing) -> Routes:
    return Routes(cast(Health, Standings(standings)), Lanes(load({})), lambda: waiting or Counter())


def mail(number: int, *route: str) -> Delivery:
    row: Any = {"_id": f"eml_{number}", "attempts": [], "route": list(route)}
    return cast(Delivery, row)


def test_no_more_goes_to_a_provider_than_its_day_has_left() -> None:
    found = routes(mailgun=Standing(1, left=3), mailjet=Standing(0))
    names = [found.provider(mail(number), TEXT) for number in range(5)]
    assert names == ["mailgun"] * 3 + ["mailjet"] * 2


def test_what_is_claimed_and_waits_is_taken_for_used() -> None:
    found = routes(Counter({("mailgun", ""): 2}), mailgun=Standing(1, left=3))
    assert found.room(10) == 10
    assert found.provider(mail(1), TEXT) == "mailgun"
    assert isinstance(found.provider(mail(2), TEXT), timedelta)
    assert found.room(10) == 0


def test_what_waits_for_the_next_day_is_looked_at_seldom() -> None:
    found = routes(mailgun=Standing(1, share=0, left=0), mailjet=Standing(0))
    assert found.provider(mail(1, "mailgun"), TEXT) == 30 * SECOND


def test_the_longer_a_backlog_that_no_provider_takes_the_later_it_is_looked_at_again() -> None:
    found = routes(mailgun=Standing(1, share=0), mailjet=Standing(0))
    waits = [found.provider(mail(number, "mailgun"), TEXT) for number in range(1000)]
    assert waits[0] == SECOND, "a few are looked at every second"
    assert waits[500] == 26 * SECOND
    assert waits[-1] == 30 * SECOND
    found.begin()
    assert found.provider(mail(1, "mailgun"), TEXT) == SECOND
