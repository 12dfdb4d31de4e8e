"""Identifiers: a prefix and 26 characters of Crockford's base 32, which sort by time.

The 26 characters hold 48 bits of milliseconds and 80 bits of entropy (the ULID layout). An id that names something which
must exist once (an occurrence, a delivery) takes those 80 bits from a hash of its name, so that every sender derives
the same id and the database's unique index decides who was first.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from ulid import ULID

SCHEDULE, REVISION, OCCURRENCE, DELIVERY, ATTEMPT, CLAIM, BACKFILL = "sch", "rev", "occ", "eml", "att", "clm", "bkf"
BATCH, MESSAGE, SUPPRESSION, CHANGE, API_KEY = "bat", "msg", "sup", "pch", "key"
WEBHOOK, WEBHOOK_MESSAGE = "whk", "whm"
"""Prefixes of ids. A delivery is shown by the API as an email, hence `eml`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id(prefix: str, at: datetime | None = None) -> str:
    """A fresh id such as `sch_01JD…`: that instant, by default now, and 80 random bits."""
    if at is None:
        return f"{prefix}_{ULID()}"
    return f"{prefix}_{ULID(round(at.timestamp() * 1000).to_bytes(6) + secrets.token_bytes(10))}"


def occurrence_id(schedule_id: str, instant: datetime) -> str:
    """The one id of a schedule's occurrence at an instant; no edit of the schedule changes it."""
    return _derived(OCCURRENCE, instant, schedule_id)


def triggered_occurrence_id(schedule_id: str, instant: datetime, key: str) -> str:
    """The id of an occurrence that a person triggered: `key` (their Idempotency-Key) tells repetitions from new ones."""
    return _derived(OCCURRENCE, instant, schedule_id, "trigger", key)


def backfilled_occurrence_id(schedule_id: str, instant: datetime) -> str:
    """The one id of a schedule's occurrence that was made up for at an instant, however often that is asked for."""
    return _derived(OCCURRENCE, instant, schedule_id, "backfill")


def provider_change_id(provider: str, instant: datetime, number: int) -> str:
    """The one id of a change of a provider's breaker, whoever puts it on record."""
    return _derived(CHANGE, instant, provider, str(number))


def delivery_id(source: str, instant: datetime, recipient: str) -> str:
    """The one id of the mail of an occurrence, or of a message, to a recipient (a lower-case address, or `together` for a joint mail)."""
    return _derived(DELIVERY, instant, source, recipient)


def message_id(batch: str, index: int) -> str:
    """The one id of a batch's message of this index."""
    return _derived(MESSAGE, instant_of(batch), batch, str(index))


def suppression_id(owner: str, email: str, scope: str) -> str:
    """The one id of the suppression of an owner's mail to an address in a scope."""
    return _derived(SUPPRESSION, _EPOCH, owner, email, scope)


def derived_id(prefix: str, instant: datetime, *name: str) -> str:
    """The one id of what happened at an instant, under a name of several words."""
    return _derived(prefix, instant, *name)


def first_id(prefix: str, instant: datetime) -> str:
    """The lowest id of this kind for an instant: ids from then on sort at or after it."""
    return f"{prefix}_{ULID(round(instant.timestamp() * 1000).to_bytes(6) + bytes(10))}"


def instant_of(identifier: str) -> datetime:
    """The instant that an id begins with, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=ULID.from_str(identifier.partition("_")[2]).milliseconds)


def shard_of(identifier: str, shards: int) -> int:
    """The shard, 0 to `shards` - 1, that an id falls into."""
    return int.from_bytes(hashlib.sha256(identifier.encode()).digest()[:8]) % shards


def _derived(prefix: str, instant: datetime, *name: str) -> str:
    digest = hashlib.sha256("\0".join(name).encode()).digest()
    milliseconds = round(instant.timestamp() * 1000)
    return f"{prefix}_{ULID(milliseconds.to_bytes(6) + digest[:10])}"
