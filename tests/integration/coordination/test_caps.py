"""Daily caps: exact for five who take at once, and each day has its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from fencepost.caps import Cap
from fencepost.coordination.caps import Caps
from fencepost.errors import Unreachable
from fencepost.settings import Providers, Settings, load

SENDERS, CAP = 5, 1000
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PROVIDERS = Providers.model_validate(
    {"order": ("mailgun", "ses", "smtp"), "mailgun": {"max_per_day": CAP}, "ses": {"max_per_day": 3}}
)


@pytest.fixture
def all_caps(settings: Settings) -> Iterator[list[Caps]]:
    made = [Caps(settings.redis, PROVIDERS) for _ in range(SENDERS)]
    yield made
    for caps in made:
        caps.close()


@pytest.fixture
def caps(all_caps: list[Caps]) -> Caps:
    return all_caps[0]


def test_five_who_take_at_once_get_the_cap_and_no_call_more(all_caps: list[Caps]) -> None:
    def take_until_it_is_spent(caps: Caps) -> int:
        total = 0
        while granted := caps.take({"mailgun": 7}, NOW)["mailgun"][0]:
            total += granted
        return total

    with ThreadPoolExecutor(SENDERS) as pool:
        taken = list(pool.map(take_until_it_is_spent, all_caps))
    assert sum(taken) == CAP
    assert all_caps[1].read(NOW) == {"mailgun": Cap(CAP, CAP), "ses": Cap(3, 0)}


def test_what_was_not_used_is_there_for_others_and_no_more_than_was_taken(all_caps: list[Caps]) -> None:
    one, other = all_caps[:2]
    assert one.take({"ses": 5}, NOW) == {"ses": (3, Cap(3, 3))}
    assert other.take({"ses": 1}, NOW) == {"ses": (0, Cap(3, 3))}
    assert one.take({"ses": -2}, NOW) == {"ses": (-2, Cap(3, 1))}
    assert other.take({"ses": 5}, NOW) == {"ses": (2, Cap(3, 3))}
    assert one.take({"ses": -9}, NOW) == {"ses": (-3, Cap(3, 0))}


def test_each_day_has_its_own_calls(caps: Caps) -> None:
    midnight = NOW + timedelta(hours=12)
    assert caps.take({"ses": 3}, midnight - timedelta(seconds=1))["ses"][0] == 3
    assert caps.take({"ses": 3}, midnight)["ses"][0] == 3
    # Whose clock is a little behind counts for its own day.
    assert caps.take({"ses": 1}, midnight - timedelta(seconds=1))["ses"][0] == 0


def test_a_cap_that_was_lowered_stops_at_once(caps: Caps, settings: Settings) -> None:
    caps.take({"mailgun": 500}, NOW)
    lowered = Caps(settings.redis, Providers.model_validate({"mailgun": {"max_per_day": 100}}))
    assert lowered.take({"mailgun": 1}, NOW) == {"mailgun": (0, Cap(100, 500))}
    lowered.close()


def test_who_has_no_cap_is_not_counted(caps: Caps) -> None:
    assert caps.take({"smtp": 100}, NOW) == {}
    assert [caps.limits(name) for name in PROVIDERS.order] == [True, True, False]


def test_a_server_that_is_away_is_said() -> None:
    caps = Caps(load({"FENCEPOST_REDIS__URL": "redis://127.0.0.1:9"}).redis, PROVIDERS)
    with pytest.raises(Unreachable):
        caps.read(NOW)
    caps.close()
