"""Between the claim and the fence: mail to who wants none, or can't get any, ends `suppressed`, and nobody is called for it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from fencepost.deliveries import Attempt, State
from fencepost.settlements import Settlement
from fencepost.suppression import kept_back
from sender.effects import Decisions, ReadSuppressed, SettleAll
from sender.passes import Claimed

_REASONS = (
    "The recipient is suppressed: they unsubscribed or complained, or their mailbox does not exist. Nothing was called."
)


def claim_but_suppressed(decisions: Decisions[list[Claimed]], now: datetime) -> Decisions[list[Claimed]]:
    """What these decisions claim, without what is suppressed, which is settled as such. Of a mail that goes to several together
    only those are left out who may not get it."""
    items = yield from decisions
    if not items:
        return items
    to_ask = {(item.row["owner_id"], email.lower()) for item in items for email in _addresses(item)}
    suppressed: set[tuple[str, str, str]] = yield ReadSuppressed(to_ask)
    if not suppressed:
        return items
    left, ended = _sorted(items, suppressed, now)
    if ended:
        yield SettleAll(ended)
    return left


def _sorted(
    items: Sequence[Claimed], suppressed: set[tuple[str, str, str]], now: datetime
) -> tuple[list[Claimed], list[Settlement]]:
    left, ended = list[Claimed](), list[Settlement]()
    for item in items:
        without = kept_back(item.row, _addresses(item), suppressed)
        if all(address["email"] in without for address in item.row["to"]):
            gained = Attempt(ended_at=now, outcome="suppressed", detail=_REASONS)
            ended.append(Settlement(item.row["_id"], item.attempt["id"], State.SUPPRESSED, gained, reason=_REASONS))
        else:
            left.append(replace(item, without=without) if without else item)
    return left, ended


def _addresses(item: Claimed) -> list[str]:
    try:
        return item.renderer.addresses(item.row["recipient"])
    except Exception:  # noqa: BLE001 whatever a text does, it fails its own mail alone, and later
        return [address["email"] for address in item.row["to"]]
