"""What the registry answers on the pages of operating: providers, webhooks, suppressions."""

from typing import Literal, NotRequired, TypedDict


class Breaker(TypedDict):
    state: Literal["closed", "open", "half_open", "recovering"]
    for_seconds: float
    retry_seconds: float
    wait_seconds: float
    share: float
    reason: str | None


class ProviderWebhook(TypedDict):
    url: str
    obstacle: str | None
    registered_at: str | None


class Cap(TypedDict):
    """Calls of one day; `used` is None while Redis does not answer, `warm_up_day` where no warm-up makes the cap."""

    most: int
    used: int | None
    until: str
    max_per_day: int | None
    warm_up_day: int | None


class Change(TypedDict):
    id: str
    at: str
    kind: Literal["breaker", "weight", "enabled", "webhook"]
    was: str
    became: str
    reason: str
    by: str


class Provider(TypedDict):
    """`breaker` is None while Redis does not answer, `webhook` where the provider has none."""

    name: str
    enabled: bool
    weight: float | None
    weight_in_effect: float
    max_per_second: float | None
    cap: Cap | None
    settling_seconds: float
    breaker: Breaker | None
    webhook: ProviderWebhook | None
    changes: list[Change]


class Registration(TypedDict):
    provider: str
    url: str
    kinds: dict[str, Literal["registered", "known", "taken"]]
    to_do: list[str]


class Webhook(TypedDict):
    """`secret` only in the answers that made it."""

    id: str
    url: str
    types: list[str]
    description: str
    enabled: bool
    disabled_reason: str | None
    failing_since: str | None
    created_at: str
    updated_at: str
    secret: NotRequired[str]


class Try(TypedDict):
    """One call. `status` None: there was no answer."""

    at: str
    status: int | None
    duration_ms: int
    answer: str


class WebhookMessage(TypedDict):
    id: str
    type: str
    email_id: str | None
    state: Literal["pending", "delivered", "failed"]
    attempts: list[Try]
    next_attempt_at: str | None
    created_at: str
    payload: str


class Suppression(TypedDict):
    id: str
    email: str
    scope: Literal["all", "bulk"]
    reason: Literal["bounce", "complaint", "unsubscribe", "manual"]
    detail: str
    created_at: str
