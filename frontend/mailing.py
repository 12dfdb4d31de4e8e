"""The registry as the pages of mail use it: sending it, changing it, explaining it. One method for each thing that they ask."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from frontend.mail_shapes import Batch, BatchMade, Email, Explanation
from frontend.registry_client import Refused, Registry
from frontend.views import registry


@dataclass(frozen=True, slots=True)
class Mailing:
    """Every method raises RegistryDown, and Refused with the registry's own words."""

    registry: Registry

    def send(self, body: Mapping[str, Any], *, key: str) -> BatchMade:
        """The mails that were made; with the same key they are the same ones."""
        return cast(BatchMade, self.registry.ask("POST", "/emails", body, key=key))

    def cancel(self, email_id: str, reason: str) -> Email:
        """Raises Refused with status 409 where a sender was faster, or it has ended."""
        return cast(Email, self.registry.ask("POST", f"/emails/{email_id}/cancel", {"reason": reason}))

    def reschedule(self, email_id: str, at: str) -> Email:
        """To an instant in UTC. Raises Refused with status 409 as cancel() does."""
        return cast(Email, self.registry.ask("POST", f"/emails/{email_id}/reschedule", {"scheduled_at": at}))

    def replay(self, email_id: str, reason: str, by: str) -> Email:
        """Raises Refused with status 409 where it neither failed nor expired (any more)."""
        return cast(Email, self.registry.ask("POST", f"/emails/{email_id}/replay", {"reason": reason, "by": by}))

    def batch(self, batch_id: str) -> Batch:
        return cast(Batch, self.registry.ask("GET", f"/batches/{batch_id}"))

    def replay_batch(self, batch_id: str, reason: str, by: str) -> int:
        """How many are pending again. Raises Refused with status 409 where none had failed or expired."""
        answer = self.registry.ask("POST", f"/batches/{batch_id}/replay", {"reason": reason, "by": by})
        return int(answer["replayed"])

    def explain(self, email_id: str) -> Explanation:
        return cast(Explanation, self.registry.ask("GET", f"/emails/{email_id}/explain"))

    def explain_instant(self, schedule_id: str, at: str) -> Explanation:
        """`at` empty: its next run. Raises Refused with status 422 where `at` is no instant."""
        query = f"?at={quote(at, safe='')}" if at else ""
        return cast(Explanation, self.registry.ask("GET", f"/schedules/{schedule_id}/explain{query}"))

    def providers(self) -> list[str]:
        """The names of those that are set up, in their order; none for whoever may not read them."""
        try:
            return [str(provider["name"]) for provider in self.registry.ask("GET", "/providers")["data"]]
        except Refused as refusal:
            if refusal.status != 403:
                raise
            return []


def mailing() -> Mailing:
    """For the request that is answered now."""
    return Mailing(registry())
