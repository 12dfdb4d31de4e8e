"""/events: what providers told of emails, found by whatever name one has."""

from typing import Annotated

from flask import Response
from pydantic import AfterValidator, Field

from fencepost.api_keys import Scope
from fencepost.errors import Invalid, Problem
from fencepost.events import Event
from fencepost.fields import OneLine, not_empty
from registry.access import needs
from registry.answers.events import EventList, event_answer
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint
from registry.inputs import Parameters
from registry.parts import Parts, parts
from registry.replies import Reply

bp = blueprint("events", __name__, TAGS["emails"])


def _bare(message_id: str) -> str:
    return message_id.strip("<>")


Receipt = Annotated[OneLine, AfterValidator(not_empty)]
MessageId = Annotated[OneLine, AfterValidator(_bare), AfterValidator(not_empty)]


class EventQuery(Parameters):
    """Of which mail: one of these."""

    receipt: Receipt | None = Field(None, min_length=1, max_length=256, description="What its provider calls it.")
    message_id: MessageId | None = Field(
        None, min_length=1, max_length=998, description="Its Message-ID, with or without angle brackets."
    )
    email_id: OneLine | None = Field(None, pattern="^eml_[0-9A-HJKMNP-TV-Z]{26}$", description="Our id of it.")


@bp.get("/events", responses={200: answers(EventList, "The events.")})
@needs(Scope.EMAILS_READ)
def list_events(query: EventQuery) -> Response:
    """List what providers told of an email

    Found by our id of it, the provider's id or its Message-ID; exactly one of them.
    """
    if len(query.model_dump(exclude_none=True)) != 1:
        raise Invalid(Problem("", "needs exactly one of receipt, message_id and email_id"))
    return Reply({"data": [event_answer(event) for event in _found(parts(), query)]}).response()


def _found(p: Parts, query: EventQuery) -> list[Event]:
    if query.email_id:
        return p.store.events.latest_of(p.store.deliveries.get(owner(), query.email_id)["_id"])
    if query.receipt:
        return p.store.events.look_up(owner(), "receipt", query.receipt)
    return p.store.events.look_up(owner(), "message_id", query.message_id or "")
