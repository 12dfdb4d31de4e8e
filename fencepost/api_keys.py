"""API keys: what one may do, how its secret is written, and how it is recognised without being stored."""

import hashlib
import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_WRITTEN = re.compile(r"fp_(?:live|test)_([0-9A-HJKMNP-TV-Z]{26})_[0-9a-f]{64}")
_KEYED, _PLAIN = "hmac-sha256", "sha256"
RANDOM_BYTES = 32
"""256 bits: nobody guesses one, so a fast hash is enough to store."""


class Scope(StrEnum):
    """What a key may do. Each stands alone: to write is not to read."""

    SCHEDULES_READ = "schedules:read"
    SCHEDULES_WRITE = "schedules:write"
    EMAILS_READ = "emails:read"
    EMAILS_SEND = "emails:send"
    REPORTS_READ = "reports:read"
    PROVIDERS_READ = "providers:read"
    PROVIDERS_WRITE = "providers:write"
    SUPPRESSIONS_READ = "suppressions:read"
    SUPPRESSIONS_WRITE = "suppressions:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    KEYS_MANAGE = "keys:manage"
    CLUSTER_READ = "cluster:read"
    ADMIN = "admin"
    """All of them, and the keys of every owner."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is on record. `digest` recognises its secret; nothing gives that back."""

    id: str
    owner_id: str
    name: str
    scopes: frozenset[Scope]
    test: bool
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def why_refused(self, now: datetime) -> str | None:
        """Why it opens nothing any more; None while it does."""
        if self.revoked_at is not None:
            return "this key was revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "this key has expired"
        return None


def allows(scopes: Collection[Scope], needed: Scope) -> bool:
    """Whether these scopes cover this one."""
    return needed in scopes or Scope.ADMIN in scopes


def secret_of(key_id: str, randomness: bytes, *, test: bool) -> str:
    """What the holder of the key writes: `fp_live_<its id>_<64 hex digits>`. `randomness`: RANDOM_BYTES of the system's own."""
    return f"fp_{'test' if test else 'live'}_{key_id.partition('_')[2]}_{randomness.hex()}"


def id_in(secret: str, prefix: str) -> str | None:
    """The id of the key that this claims to be; None for what can't be a key."""
    written = _WRITTEN.fullmatch(secret)
    return f"{prefix}_{written[1]}" if written else None


def digest_of(secret: str, pepper: str | None) -> str:
    """What is stored of a secret: HMAC-SHA256 under the server's pepper; without one, SHA-256."""
    if pepper is None:
        return f"{_PLAIN}:{hashlib.sha256(secret.encode()).hexdigest()}"
    return f"{_KEYED}:{hmac.new(pepper.encode(), secret.encode(), hashlib.sha256).hexdigest()}"


def is_secret_of(secret: str, digest: str, pepper: str | None) -> bool:
    """Whether this is the secret of that digest, in a time that tells nothing. A digest from before there was a pepper counts."""
    made = digest_of(secret, None if digest.startswith(f"{_PLAIN}:") else pepper)
    return hmac.compare_digest(made.encode(), digest.encode())
