"""/providers: how they stand, and what people choose for them, on record."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fencepost.caps import Cap, day_after
from fencepost.clock import iso
from fencepost.coordination.breakers import Breaker
from fencepost.errors import Unreachable
from fencepost.failover import BreakerState
from fencepost.settings import Providers
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import Api, MovableClock

NAMES = ("mailgun", "ses", "smtp")


@pytest.fixture
def three(parts: Parts) -> Parts:
    providers = parts.settings.providers.model_copy(update={"order": NAMES})
    settings = parts.settings.model_copy(update={"providers": providers})
    stands = {name: Breaker() for name in NAMES}
    stands["mailgun"] = Breaker(BreakerState.OPEN, 3.0, 5.0, share=0.0, reason="connection refused")
    return replace(parts, settings=settings, read_breakers=lambda: stands)


@pytest.fixture
def api(three: Parts) -> Api:
    return Api(create_app(three).test_client())


def stand(api: Api) -> dict[str, Any]:
    return {one["name"]: one for one in api.call("GET", "/providers").get_json()["data"]}


def test_each_is_listed_in_order_with_how_it_stands(api: Api) -> None:
    found = stand(api)
    assert tuple(found) == NAMES
    assert [one["weight_in_effect"] for one in found.values()] == [1.0, 0.0, 0.0]
    breaker = found["mailgun"]["breaker"]
    assert (breaker["state"], breaker["share"], breaker["reason"]) == ("open", 0.0, "connection refused")
    assert found["ses"]["breaker"]["state"] == "closed"


def test_a_cap_is_shown_with_what_is_used_of_it_today(three: Parts) -> None:
    given = {"mailgun": {"max_per_day": 2000}, "ses": {"warm_up_since": "2026-03-01", "warm_up_first_day": 50}}
    providers = Providers.model_validate({"order": NAMES, **given})
    clock = MovableClock(datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
    capped = replace(
        three,
        clock=clock,
        settings=three.settings.model_copy(update={"providers": providers}),
        read_caps=lambda _now: {"mailgun": Cap(2000, 1204), "ses": Cap(75, 75)},
    )
    tomorrow = {"until": iso(day_after(clock.now()))}
    found = stand(Api(create_app(capped).test_client()))
    assert found["mailgun"]["cap"] == {"most": 2000, "used": 1204, "max_per_day": 2000, "warm_up_day": None, **tomorrow}
    assert found["ses"]["cap"] == {"most": 75, "used": 75, "max_per_day": None, "warm_up_day": 2, **tomorrow}
    assert found["smtp"]["cap"] is None

    def away(_now: datetime) -> dict[str, Cap]:
        raise Unreachable("redis", "no answer")

    found = stand(Api(create_app(replace(capped, read_caps=away)).test_client()))
    assert (found["mailgun"]["cap"]["most"], found["mailgun"]["cap"]["used"]) == (2000, None)


def test_what_is_chosen_stands_and_is_on_record(api: Api) -> None:
    api.call("PATCH", "/providers/mailgun", {"weight": 80, "reason": "try SES", "by": "Ann"})
    api.call("PATCH", "/providers/ses", {"weight": 20, "by": "Ann"})
    changed = api.call(
        "PATCH", "/providers/mailgun", {"enabled": False, "reason": "maintenance", "by": "Bob"}
    ).get_json()
    assert (changed["enabled"], changed["weight"], changed["weight_in_effect"]) == (False, 80, 0.0)
    told = [(one["kind"], one["was"], one["became"], one["reason"], one["by"]) for one in changed["changes"]]
    assert told == [
        ("enabled", "true", "false", "maintenance", "Bob"),
        ("weight", "", "80.0", "try SES", "Ann"),
    ]
    assert stand(api)["ses"]["weight_in_effect"] == 20
    again = api.call("PATCH", "/providers/mailgun", {"enabled": False, "by": "Bob"}).get_json()
    assert again["changes"] == changed["changes"], "nothing changed, so nothing is told"


def test_a_redis_that_is_away_leaves_the_rest(three: Parts) -> None:
    def away() -> dict[str, Breaker]:
        raise Unreachable("redis", "no answer")

    api = Api(create_app(replace(three, read_breakers=away)).test_client())
    assert {one["breaker"] for one in stand(api).values()} == {None}


@pytest.mark.parametrize("body", [{}, {"weight": -1}, {"enabled": 1}, {"weights": 3}, {"by": "Ann"}])
def test_what_says_nothing_or_wrong_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert api.call("PATCH", "/providers/ses", body).status_code == 422


def test_a_provider_that_is_not_set_up_is_404(api: Api) -> None:
    assert api.call("GET", "/providers/sendgrid").status_code == 404
    assert api.call("PATCH", "/providers/pigeon", {"enabled": False}).status_code == 404
