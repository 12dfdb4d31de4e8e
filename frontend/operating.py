"""The registry as the pages of operating use it: one method for each thing that they ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from frontend.operating_shapes import Provider, Registration, Suppression, Webhook, WebhookMessage
from frontend.registry_client import Page, Registry
from frontend.views import registry


@dataclass(frozen=True, slots=True)
class Operating:
    """Every method raises RegistryDown, and Refused with the registry's own words."""

    registry: Registry

    # -- providers

    def providers(self) -> Sequence[Provider]:
        """In their order, each with the last few changes."""
        return cast(Sequence[Provider], self.registry.ask("GET", "/providers")["data"])

    def provider(self, name: str) -> Provider:
        return cast(Provider, self.registry.ask("GET", f"/providers/{name}"))

    def change_provider(self, name: str, change: Mapping[str, Any]) -> Provider:
        """`weight` and `enabled`, with `reason` and `by`."""
        return cast(Provider, self.registry.ask("PATCH", f"/providers/{name}", change))

    def register_webhook(self, name: str, *, by: str) -> Registration:
        """Raises Refused with status 409 for what a person has to see to, 503 where the provider does not answer."""
        return cast(Registration, self.registry.ask("POST", f"/providers/{name}/register-webhook", {"by": by}))

    def send(self, mail: Mapping[str, Any], *, key: str) -> str:
        """The id of the one mail that was made; with the same key it is the same one."""
        made = self.registry.ask("POST", "/emails", mail, key=key)
        return str(made["emails"][0]["id"])

    # -- webhooks

    def webhooks(self, **filters: str | int | None) -> Page[Webhook]:
        """`limit`, `cursor`; the newest first."""
        return self.registry.page("/webhooks", **filters)

    def webhook(self, webhook_id: str) -> Webhook:
        return cast(Webhook, self.registry.ask("GET", f"/webhooks/{webhook_id}"))

    def create_webhook(self, body: Mapping[str, Any]) -> Webhook:
        """With its `secret`, which nobody is told again."""
        return cast(Webhook, self.registry.ask("POST", "/webhooks", body))

    def change_webhook(self, webhook_id: str, change: Mapping[str, Any]) -> Webhook:
        return cast(Webhook, self.registry.ask("PATCH", f"/webhooks/{webhook_id}", change))

    def delete_webhook(self, webhook_id: str) -> None:
        self.registry.ask("DELETE", f"/webhooks/{webhook_id}")

    def rotate_webhook(self, webhook_id: str, overlap_hours: int) -> Webhook:
        """With its new `secret`."""
        return cast(
            Webhook, self.registry.ask("POST", f"/webhooks/{webhook_id}/rotate", {"overlap_hours": overlap_hours})
        )

    def test_webhook(self, webhook_id: str) -> None:
        """Raises Refused with status 409 where it is off."""
        self.registry.ask("POST", f"/webhooks/{webhook_id}/test")

    def messages(self, webhook_id: str, **filters: str | int | None) -> Page[WebhookMessage]:
        """`state`, `limit`, `cursor`; the newest event first."""
        return self.registry.page(f"/webhooks/{webhook_id}/messages", **filters)

    def replay(self, webhook_id: str, message_id: str) -> None:
        """Raises Refused with status 409 where the webhook is off."""
        self.registry.ask("POST", f"/webhooks/{webhook_id}/messages/{message_id}/replay")

    # -- suppressions

    def suppressions(self, **filters: str | int | None) -> Page[Suppression]:
        """`q`, `reason`, `scope`, `since`, `limit`, `cursor`; the newest first."""
        return self.registry.page("/suppressions", **filters)

    def suppression(self, suppression_id: str) -> Suppression:
        return cast(Suppression, self.registry.ask("GET", f"/suppressions/{suppression_id}"))

    def suppress(self, body: Mapping[str, Any]) -> Suppression:
        """The one that stands: what was on record before stays as it was."""
        return cast(Suppression, self.registry.ask("POST", "/suppressions", body))

    def lift(self, suppression_id: str) -> Suppression:
        return cast(Suppression, self.registry.ask("DELETE", f"/suppressions/{suppression_id}"))


def operating() -> Operating:
    """The registry of this app, for these pages."""
    return Operating(registry())
