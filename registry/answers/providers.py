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
class ProviderChangeAnswer(TypedDict):
    """Something that became of a provider."""

    id: str
    at: Instant
    kind: Literal["breaker", "weight", "enabled"]
    was: str
    became: str
    reason: str
    by: str
    """The sender that saw it, or the person who decided."""


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
    settling_seconds: float
    """How long a missing trace in its records proves nothing."""
    breaker: BreakerAnswer | None
    """Null while Redis does not answer."""
    changes: list[ProviderChangeAnswer]
    """The newest first."""


@with_config(EXACT)
class ProviderList(TypedDict):
    """The providers that are set up, in their order."""

    data: list[ProviderAnswer]


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
