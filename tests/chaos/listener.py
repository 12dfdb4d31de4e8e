"""An endpoint of webhooks: what it was told, and whether it was signed. It refuses some of it the first time."""

import hashlib
import json
from typing import Any

import requests
from standardwebhooks.webhooks import WebhookVerificationError

from tests.support.endpoint import Consumer, Told

_REFUSES_ONE_IN = 16


class Listener:
    """Listens from the start; is told of everything once `subscribe` returned."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        """All that came, in that order."""
        self._seen: set[str] = set()
        self._secret = ""
        self._consumer = Consumer(self._hear)

    def subscribe(self, registry_url: str) -> None:
        made = requests.post(f"{registry_url}/webhooks", json={"url": self._consumer.url}, timeout=10)
        made.raise_for_status()
        self._secret = made.json()["secret"]

    def close(self) -> None:
        self._consumer.stop()

    def _hear(self, told: Told) -> int:
        try:
            told.verified(self._secret)
            verified = True
        except WebhookVerificationError:
            verified = False
        event, body = json.loads(told.body), told.body.decode()
        kind, email_id = event["type"], event["data"].get("email_id")
        self.told.append({"id": told.id, "type": kind, "email_id": email_id, "body": body, "verified": verified})
        first = told.id not in self._seen
        self._seen.add(told.id)
        unlucky = hashlib.sha256(told.id.encode()).digest()[0] % _REFUSES_ONE_IN == 0
        return 500 if first and unlucky else 204
