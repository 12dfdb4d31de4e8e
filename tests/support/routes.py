"""Routers for those who do not care which provider it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fencepost.deliveries import Delivery


@dataclass(frozen=True)
class Always:
    """All mail goes to this provider."""

    name: str = "mailgun"

    def provider(self, row: Delivery, definition: Mapping[str, Any]) -> str | timedelta:
        return self.name
