"""What Amazon SES tells of a mail, through SNS. Pure.

`eventType` names what happened (identity notifications say `notificationType`), `mail` is the mail with its tags, ours among
them, and a part of the kind's own name says more. One may be about several recipients: each makes an event of its own.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fencepost.events import Event, EventKind
from fencepost.machines import is_machine
from fencepost.providers import answers, hooks
from fencepost.providers.ses import ATTEMPT_TAG, DELIVERY_TAG

_KINDS = {
    "Send": EventKind.ACCEPTED,
    "Delivery": EventKind.DELIVERED,
    "DeliveryDelay": EventKind.DEFERRED,
    "Bounce": EventKind.BOUNCED,
    "Reject": EventKind.REJECTED,
    "Rendering Failure": EventKind.REJECTED,
    "Complaint": EventKind.COMPLAINED,
    "Open": EventKind.OPENED,
    "Click": EventKind.CLICKED,
    "Subscription": EventKind.UNSUBSCRIBED,
}
_PARTS = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}
"""Where more is said of a kind, if not under its name in lower case."""
_RECIPIENTS = ("bouncedRecipients", "complainedRecipients", "delayedRecipients", "recipients")


def read_events(document: object, name: str) -> list[Event]:
    """The events in a notification of that name, one for each recipient that it names; none if it is not about a delivery of
    ours, or of a kind that we do not know."""
    kind_there = str(answers.at(document, "eventType") or answers.at(document, "notificationType"))
    mail = answers.at(document, "mail")
    delivery_id = hooks.name_of(_tag(mail, DELIVERY_TAG))
    part = answers.at(document, _PARTS.get(kind_there, kind_there.lower())) or {}
    sent_at = hooks.instant(answers.at(mail, "timestamp"))
    at, kind = hooks.instant(answers.at(part, "timestamp")) or sent_at, _KINDS.get(kind_there)
    if kind is EventKind.UNSUBSCRIBED and answers.at(part, "newTopicPreferences", "unsubscribeAll") is not True:
        kind = None  # of one topic, or subscribed again
    if not delivery_id or at is None or kind is None:
        return []
    people = _people(part)
    return [
        _event(
            kind,
            at,
            mail,
            part,
            person,
            name=name if len(people) == 1 else f"{name}/{index}",
            delivery_id=delivery_id,
            sent_at=sent_at,
        )
        for index, person in enumerate(people)
    ]


def _event(
    kind: EventKind,
    at: datetime,
    mail: object,
    part: Mapping[str, Any],
    person: object,
    *,
    name: str,
    delivery_id: str,
    sent_at: datetime | None,
) -> Event:
    agent = hooks.short(answers.at(part, "userAgent"))
    only = answers.at(mail, "destination")
    # Openings and clicks do not say whose they are; with one recipient there is no doubt.
    alone = only[0] if isinstance(only, list) and len(only) == 1 else None
    return Event(
        id=name,
        provider="ses",
        kind=kind,
        at=at,
        delivery_id=delivery_id,
        attempt_no=hooks.number(_tag(mail, ATTEMPT_TAG)),
        receipt=answers.receipt(answers.at(mail, "messageId")),
        message_id=answers.receipt(answers.at(mail, "commonHeaders", "messageId")),
        recipient=hooks.short(answers.at(person, "emailAddress"), person, alone),
        by_machine=kind is EventKind.OPENED and is_machine(agent, at, sent_at),
        is_hard=kind is EventKind.BOUNCED and answers.at(part, "bounceType") == "Permanent",
        detail=hooks.short(
            answers.at(part, "link"),
            answers.at(person, "diagnosticCode"),
            answers.at(part, "smtpResponse"),
            answers.at(part, "complaintFeedbackType"),
            answers.at(part, "reason"),
            answers.at(part, "errorMessage"),
            agent,
        ),
    )


def _people(part: Mapping[str, Any]) -> list[object]:
    """Those of whom it speaks; one that is nobody in particular where it names none."""
    for name in _RECIPIENTS:
        found = answers.at(part, name)
        if isinstance(found, list) and found:
            return found
    return [None]


def _tag(mail: object, name: str) -> object:
    return answers.at(mail, "tags", name, 0)
