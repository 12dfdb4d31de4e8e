"""/providers: how they stand, what became of them, and what people choose for them."""

from typing import Annotated

from flask import Response
from pydantic import BaseModel, Field, StrictBool

from fencepost.api_keys import Scope
from fencepost.caps import Cap, day_after, day_of, most_on
from fencepost.clock import iso
from fencepost.coordination.breakers import Breaker
from fencepost.definitions import Shape
from fencepost.errors import Invalid, NotFound, Problem
from fencepost.failover import weights
from fencepost.fields import OneLine
from fencepost.logs import get_logger
from fencepost.providers import registering
from fencepost.reconciliation import window_of
from fencepost.schedules import milliseconds
from fencepost.store.providers import Choice
from registry.access import needs
from registry.answers.common import maybe_iso
from registry.answers.providers import (
    BreakerAnswer,
    CapAnswer,
    ProviderAnswer,
    ProviderList,
    ProviderWebhookAnswer,
    change_answer,
)
from registry.documenting import TAGS, answers, blueprint, takes
from registry.incoming import read
from registry.inputs import Person
from registry.parts import Parts, if_it_answers, parts
from registry.replies import Reply

log = get_logger(__name__)
bp = blueprint("providers", __name__, TAGS["providers"])
_SHOWN_OF_ALL, _SHOWN_OF_ONE = 5, 100


class ProviderPath(BaseModel):
    """A provider's name in a path."""

    name: str = Field(max_length=64)


class ProviderInput(Shape):
    """What is chosen for a provider; what is left out stays as it is."""

    weight: float | None = Field(
        None,
        strict=True,
        ge=0,
        le=1000,
        description="Its part of the mail beside those of the others; 0 makes it a fallback, null takes what is set.",
    )
    enabled: StrictBool = Field(True, description="Whether it gets mail at all.")
    reason: Annotated[OneLine, Field(max_length=500)] = Field("", description="Why; it stays on record.")
    by: Person = Field("local", description="Who decides, in their own words; the log has the key beside it.")


@bp.get("/providers", responses={200: answers(ProviderList, "The providers.")})
@needs(Scope.PROVIDERS_READ)
def list_providers() -> Response:
    """List providers

    Those that are set up, in their order, each with how it stands and the last that became of it.
    """
    p = parts()
    return Reply({"data": _answers(p, p.settings.providers.order, _SHOWN_OF_ALL)}).response()


@bp.get("/providers/<string:name>", responses={200: answers(ProviderAnswer, "The provider.")})
@needs(Scope.PROVIDERS_READ)
def get_provider(path: ProviderPath) -> Response:
    """Read a provider

    With what became of it and why.
    """
    return _one(parts(), path.name)


@bp.patch(
    "/providers/<string:name>",
    request_body=takes(ProviderInput, {"enabled": False, "reason": "their maintenance", "by": "Ann"}),
    responses={200: answers(ProviderAnswer, "The provider as it now is.")},
)
@needs(Scope.PROVIDERS_WRITE)
def change_provider(path: ProviderPath) -> Response:
    """Change a provider

    Its weight, or whether it gets mail. Senders follow within two seconds; mail that is under way is finished.
    """
    p, given = parts(), read(ProviderInput)
    refuse_unknown(p, path.name)
    change = given.model_dump(include=given.model_fields_set & {"weight", "enabled"})
    if not change:
        raise Invalid(Problem("", "says nothing to change: give `weight`, `enabled` or both"))
    p.store.providers.choose(path.name, change, given.by, given.reason, milliseconds(p.clock.now()))
    log.info("What is chosen for a provider was changed.", action="provider.chosen", provider=path.name, by=given.by)
    return _one(p, path.name)


def _one(p: Parts, name: str) -> Response:
    refuse_unknown(p, name)
    [answer] = _answers(p, [name], _SHOWN_OF_ONE)
    return Reply(answer).response()


def refuse_unknown(p: Parts, name: str) -> None:
    """Raises NotFound for a provider that is not set up."""
    if name not in p.settings.providers.order:
        raise NotFound(f"no provider {name[:64]} is set up; there are {', '.join(p.settings.providers.order)}")


def _answers(p: Parts, names: tuple[str, ...] | list[str], most: int) -> list[ProviderAnswer]:
    choices, window = p.store.providers.choices(), window_of(p.settings)
    breakers, caps = if_it_answers(p.read_breakers), if_it_answers(lambda: p.read_caps(p.clock.now()))
    chosen = {name: _weight(p, name, choices) for name in p.settings.providers.order}
    in_effect = weights({name: weight for name, weight in chosen.items() if choices.get(name, Choice()).enabled})
    return [
        {
            "object": "provider",
            "name": name,
            "enabled": choices.get(name, Choice()).enabled,
            "weight": chosen[name],
            "weight_in_effect": in_effect.get(name, 0.0),
            "max_per_second": p.settings.providers.account(name).max_per_second,
            "cap": _cap(p, name, caps),
            "settling_seconds": window.of(name).settling.total_seconds(),
            "breaker": _breaker(breakers[name]) if breakers else None,
            "webhook": _webhook(p, name),
            "changes": [change_answer(change) for change in p.store.providers.changes(name, most)],
        }
        for name in names
    ]


def _webhook(p: Parts, name: str) -> ProviderWebhookAnswer | None:
    url = registering.address(name, p.settings.public_url)
    if url is None:
        return None
    return {
        "url": url,
        "obstacle": registering.obstacle(name, p.settings.providers, p.settings.public_url),
        "registered_at": maybe_iso(p.store.providers.registered_at(name, url)),
    }


def _weight(p: Parts, name: str, choices: dict[str, Choice]) -> float | None:
    chosen = choices.get(name, Choice()).weight
    return p.settings.providers.account(name).weight if chosen is None else chosen


def _cap(p: Parts, name: str, caps: dict[str, Cap] | None) -> CapAnswer | None:
    account, now = p.settings.providers.account(name), p.clock.now()
    most = most_on(account, day_of(now))
    if most is None:
        return None
    since = account.warm_up_since
    return {
        "most": most,
        "used": caps[name].used if caps and name in caps else None,
        "until": iso(day_after(now)),
        "max_per_day": account.max_per_day,
        "warm_up_day": max(1, (day_of(now) - since).days + 1) if since and most != account.max_per_day else None,
    }


def _breaker(breaker: Breaker) -> BreakerAnswer:
    return {
        "state": breaker.state.value,
        "for_seconds": breaker.for_seconds,
        "retry_seconds": max(0.0, breaker.retry_seconds),
        "wait_seconds": breaker.wait_seconds,
        "share": breaker.share,
        "reason": breaker.reason or None,
    }
