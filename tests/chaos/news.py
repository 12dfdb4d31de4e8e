"""The verdict on outgoing webhooks: whoever listens hears in the end what became of each mail, under one id for each fact, and
nothing that is not so. It imports nothing of Fencepost."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
ONCE = ("email.accepted", "email.delivered", "email.failed", "email.cancelled")
"""What happens to a mail once; the rest may come again."""


def unheard(rows: Sequence[Row], told: Sequence[Row]) -> list[str]:
    """The ids of mails of which nobody heard that they came into the state in which they are."""
    heard = {(event["email_id"], event["type"]) for event in told}
    return [row["id"] for row in rows if not {(row["id"], f"email.{state}") for state in _to_be_told(row)} <= heard]


def _to_be_told(row: Row) -> set[str]:
    """What was delivered was accepted before, though that may have come on record later."""
    return {row["state"], "accepted"} if row["state"] == "delivered" else {row["state"]}


def rules(rows: Sequence[Row], told: Sequence[Row], accepted: Mapping[str, Sequence[Row]]) -> Iterator[Iterator[str]]:
    """What is wrong with `told`: {"id", "type", "email_id", "body", "verified"}, each as it came."""
    yield _all_is_heard(rows, told)
    yield _one_fact_one_id(told)
    yield _what_is_told_is_so({row["id"] for row in rows}, told, accepted)


def _all_is_heard(rows: Sequence[Row], told: Sequence[Row]) -> Iterator[str]:
    missing = set(unheard(rows, told))
    for row in rows:
        if row["id"] in missing:
            yield f"not told: {row['id']} is {row['state']}, and no endpoint has heard of it"


def _one_fact_one_id(told: Sequence[Row]) -> Iterator[str]:
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    bodies: dict[str, set[str]] = defaultdict(set)
    for event in told:
        ids[event["email_id"], event["type"]].add(event["id"])
        bodies[event["id"]].add(event["body"])
    for (email_id, kind), those in ids.items():
        if kind in ONCE and len(those) > 1:
            yield f"told twice: {kind} of {email_id} has {len(those)} ids"
    for event_id, those in bodies.items():
        if len(those) > 1:
            yield f"told otherwise: {event_id} came with {len(those)} bodies"


def _what_is_told_is_so(known: set[str], told: Sequence[Row], accepted: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    for event in told:
        if not event["verified"]:
            yield f"not signed: {event['type']} of {event['email_id']}"
        if event["email_id"] not in known:
            yield f"invented: {event['type']} of {event['email_id']}, which is on no record"
        if event["type"] in ("email.accepted", "email.delivered") and event["email_id"] not in accepted:
            yield f"a lie: {event['type']} of {event['email_id']}, and the provider has none"
