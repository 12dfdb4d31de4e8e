"""Providers as JSON."""

from typing import Literal

from pydantic import with_config
from typing_extensions import TypedDict

from fencepost.clock import iso
from fencepost.store.providers import ProviderChange
from registry.answers.common import EXACT, Instant


@with_config(EXACT)
class BreakerAnswer(TypedDict):
    """Whether mail goes to a provider."""

    state: Literal["closed", "open", "half_open", "recovering"]
    """`open`: it gets none for a while; `half_open`: one mail at a time finds out whether it is well; `recovering`: its traffic
    comes back bit by bit."""
    for_seconds: float
    retry_seconds: float
    """Until one mail may find out; 0 where that is not waited for."""
    wait_seconds: float
    """It asked to be left alone for so long."""
    share: float
    """How much of its traffic goes to it at present: 0 to 1."""
    reason: str | None


@with_config(EXACT)
class CapAnswer(TypedDict):
    """A provider's calls of today, a day of UTC."""

    most: int
    used: int | None
    """Null while Redis does not answer."""
    until: Instant
    """When the next day begins."""
    max_per_day: int | None
    warm_up_day: int | None
    """The day of its warm-up, from 1, where that is what makes today's cap."""


@with_config(EXACT)
class ProviderChangeAnswer(TypedDict):
    """Something that became of a provider."""

    id: str
    at: Instant
    kind: Literal["breaker", "weight", "enabled", "webhook"]
    """`webhook`: the address of our webhooks was registered there."""
    was: str
    became: str
    reason: str
    by: str
    """The sender that saw it, or the person who decided."""


@with_config(EXACT)
class ProviderWebhookAnswer(TypedDict):
    """Where a provider is to tell what becomes of mail."""

    url: str
    obstacle: str | None
    """Why it can't be registered there as things are set, and what would help."""
    registered_at: Instant | None
    """When this very address was last registered through us; null: it was not, or longer ago than is on record."""


@with_config(EXACT)
class ProviderAnswer(TypedDict):
    """One provider that is set up, and how it stands."""

    object: Literal["provider"]
    name: str
    enabled: bool
    weight: float | None
    """As it was chosen or set; null: neither, so it takes what is left."""
    weight_in_effect: float
    """Its part of the mail beside those of the others; 0: a fallback."""
    max_per_second: float | None
    cap: CapAnswer | None
    """Null where it may be called as often as there is mail."""
    settling_seconds: float
    """How long a missing trace in its records proves nothing."""
    breaker: BreakerAnswer | None
    """Null while Redis does not answer."""
    webhook: ProviderWebhookAnswer | None
    """Null for SMTP, which has none."""
    changes: list[ProviderChangeAnswer]
    """The newest first."""


@with_config(EXACT)
class ProviderList(TypedDict):
    """The providers that are set up, in their order."""

    data: list[ProviderAnswer]


@with_config(EXACT)
class RegistrationAnswer(TypedDict):
    """What became of the address of our webhooks at a provider."""

    object: Literal["webhook_registration"]
    provider: str
    url: str
    kinds: dict[str, Literal["registered", "known", "taken"]]
    """By the provider's own names of its events. `known`: it was registered before; `taken`: there is no room for it beside
    somebody else's."""
    to_do: list[str]
    """What is left for a person to do."""


def change_answer(change: ProviderChange) -> ProviderChangeAnswer:
    return {
        "id": change.id,
        "at": iso(change.at),
        "kind": change.kind,  # type: ignore[typeddict-item]
        "was": change.was,
        "became": change.became,
        "reason": change.reason,
        "by": change.by,
    }
