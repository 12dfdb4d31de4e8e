"""From what changed on record to what endpoints are told of it. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from fencepost.clock import iso
from fencepost.schedules import milliseconds
from fencepost.store.changes import Change
from fencepost.webhooks import Endpoint, Message, News, message

_OF_MAIL = ("batch_id", "schedule_id", "occurrence_id")
_OF_EVENT = {"recipient": "recipient", "detail": "detail", "by_machine": "machine", "is_test": "test"}
"""What an event may say beside its kind, and what it is called there; providers differ."""


def news_of(change: Change) -> News:
    """What happened. Read again from the record, the same change gives the same key."""
    row, at = change.row, milliseconds(change.at)
    if change.collection == "events":
        # Not after it came, however fast its provider's clock is: a message is due from when it happened.
        at = min(at, milliseconds(row["created_at"]))
        details = {name: row[field] for field, name in _OF_EVENT.items() if row.get(field) is not None}
        data = {"email_id": row["delivery_id"], "provider": row["provider"], **details}
        return News(row["owner_id"], f"email.{change.state}", at, row["delivery_id"], str(row["_id"]), data)
    data = {
        "email_id": row["_id"],
        "state": change.state,
        "to": [each["email"] for each in row["to"]],
        **{name: row.get(name) for name in _OF_MAIL},
        "tags": row.get("tags", []),
        "provider": row["provider"],
        "attempts": row["attempt_no"],
        "reason": row["reason"],
        "test": row.get("test", False),
    }
    return News(row["owner_id"], f"email.{change.state}", at, row["_id"], iso(at), data)


def messages(news: Iterable[News], endpoints: Mapping[str, Endpoint]) -> Iterator[Message]:
    """One for each endpoint of the same owner that wants it."""
    for each in news:
        for endpoint in endpoints.values():
            if endpoint.owner_id == each.owner_id and endpoint.wants(each.kind):
                yield message(endpoint, each)
