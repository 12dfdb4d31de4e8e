"""/webhooks: who is told of what becomes of mail, and the log of what they were told."""

import secrets
from datetime import timedelta
from typing import Annotated

from flask import Response
from pydantic import AfterValidator, BaseModel, Field, StrictBool, StrictInt, WithJsonSchema

from fencepost import egress, ids, webhooks
from fencepost.api_keys import Scope
from fencepost.definitions import Shape
from fencepost.errors import Conflict, Invalid, Problem
from fencepost.fields import OneLine, wrong
from fencepost.logs import get_logger
from fencepost.schedules import milliseconds
from fencepost.store.pages import Cursor
from fencepost.webhooks import Endpoint, MessageState, News, Secret
from registry.access import needs
from registry.answers.webhooks import (
    MessageAnswer,
    MessageList,
    WebhookAnswer,
    WebhookList,
    WebhookMade,
    message_answer,
    webhook_answer,
    webhook_made,
)
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint, problems, takes
from registry.incoming import read
from registry.inputs import PageQuery
from registry.parts import Parts, parts
from registry.replies import Reply, list_reply

log = get_logger(__name__)
bp = blueprint("webhooks", __name__, TAGS["webhooks"])
MAX_OF_OWNER = 20


def _known(kind: str) -> str:
    if kind not in webhooks.TYPES:
        raise wrong(f"is not a type of event; there are {', '.join(webhooks.TYPES)}")
    return kind


Type = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(webhooks.TYPES)})]
Url = Annotated[OneLine, Field(max_length=egress.MAX_URL, description="https, at a public address; port 443 or 8443.")]
Types = Annotated[list[Type], Field(max_length=len(webhooks.TYPES), description="Of which events; empty: of all.")]
Description = Annotated[OneLine, Field(max_length=200)]


class WebhookInput(Shape):
    """An endpoint that wants to be told."""

    url: Url
    types: Types = Field(default_factory=list)
    description: Description = ""
    enabled: StrictBool = True


class WebhookChanges(Shape):
    """What is to be another; the rest stays."""

    url: Url | None = None
    types: Types | None = None
    description: Description | None = None
    enabled: StrictBool | None = None


class RotateInput(Shape):
    """For how long the secret that is replaced goes on signing beside the new one."""

    overlap_hours: StrictInt = Field(24, ge=0, le=720)


class WebhookId(BaseModel):
    """A webhook's id in a path."""

    webhook_id: str = Field(pattern="^whk_[0-9A-HJKMNP-TV-Z]{26}$")


class WebhookMessageId(WebhookId):
    """A message's id in a path, behind its webhook's."""

    message_id: str = Field(pattern="^whm_[0-9A-HJKMNP-TV-Z]{26}$")


class MessageQuery(PageQuery):
    """Which messages."""

    state: MessageState | None = None


INPUTS: list[type[BaseModel]] = [WebhookInput, WebhookChanges, RotateInput]
EXAMPLE = {"url": "https://example.com/fencepost", "types": ["email.bounced", "email.complained"]}


@bp.post(
    "/webhooks",
    request_body=takes(WebhookInput, EXAMPLE),
    responses={
        201: answers(WebhookMade, "The webhook with its secret, which is not shown again.", "Location"),
        409: problems(f"There are {MAX_OF_OWNER} already."),
    },
)
@needs(Scope.WEBHOOKS_WRITE)
def create_webhook() -> Response:
    """Have an endpoint told of events

    Within seconds of each, signed as Standard Webhooks says, and again for three days until it takes it: at least once.
    """
    p, given = parts(), read(WebhookInput)
    _refuse_elsewhere(p, given.url)
    if p.store.webhooks.count_of(owner()) >= MAX_OF_OWNER:
        raise Conflict(f"there are {MAX_OF_OWNER} webhooks already, which is the most: delete one")
    now = milliseconds(p.clock.now())
    endpoint = Endpoint(
        id=ids.new_id(ids.WEBHOOK),
        owner_id=owner(),
        url=given.url,
        types=_names(given.types),
        description=given.description,
        secrets=(Secret(_new_secret()),),
        enabled=given.enabled,
        disabled_reason=None,
        failing_since=None,
        created_at=now,
        updated_at=now,
    )
    p.store.webhooks.create(endpoint)
    log.info("A webhook was written.", action="webhook.created", webhook=endpoint.id)
    return Reply(webhook_made(endpoint), 201, {"Location": f"/webhooks/{endpoint.id}"}).response()


@bp.get("/webhooks", responses={200: answers(WebhookList, "One page of webhooks.", "Link")})
@needs(Scope.WEBHOOKS_READ)
def list_webhooks(query: PageQuery) -> Response:
    """List webhooks

    The newest first.
    """
    page = parts().store.webhooks.page_of(owner(), query.limit, Cursor.parse(query.cursor) if query.cursor else None)
    return list_reply([webhook_answer(endpoint) for endpoint in page.items], page.next_cursor).response()


@bp.get("/webhooks/<webhook:webhook_id>", responses={200: answers(WebhookAnswer, "The webhook.")})
@needs(Scope.WEBHOOKS_READ)
def get_webhook(path: WebhookId) -> Response:
    """Read a webhook"""
    return Reply(webhook_answer(parts().store.webhooks.get(owner(), path.webhook_id))).response()


@bp.patch(
    "/webhooks/<webhook:webhook_id>",
    request_body=takes(WebhookChanges, {"enabled": True}),
    responses={200: answers(WebhookAnswer, "The webhook as it now is.")},
)
@needs(Scope.WEBHOOKS_WRITE)
def change_webhook(path: WebhookId) -> Response:
    """Change a webhook

    Turned on again, one that was turned off for taking nothing has three days anew.
    """
    p, given = parts(), read(WebhookChanges)
    values = {name: value for name in given.model_fields_set if (value := getattr(given, name)) is not None}
    if given.url is not None:
        _refuse_elsewhere(p, given.url)
    if given.types is not None:
        values["types"] = list(_names(given.types))
    if given.enabled:
        values |= {"disabled_reason": None, "failing_since": None}
    endpoint = p.store.webhooks.change(owner(), path.webhook_id, values)
    if given.enabled:
        p.store.cluster.clear_alarm(webhooks.disabled_alarm(endpoint.id))
    return Reply(webhook_answer(endpoint)).response()


@bp.delete("/webhooks/<webhook:webhook_id>", responses={204: {"description": "It is gone, and its log with it."}})
@needs(Scope.WEBHOOKS_WRITE)
def delete_webhook(path: WebhookId) -> Response:
    """Delete a webhook"""
    p = parts()
    p.store.webhooks.delete(owner(), path.webhook_id)
    p.store.cluster.clear_alarm(webhooks.disabled_alarm(path.webhook_id))
    log.info("A webhook was deleted.", action="webhook.deleted", webhook=path.webhook_id)
    return Response(status=204)


@bp.post(
    "/webhooks/<webhook:webhook_id>/rotate",
    request_body=takes(RotateInput, {"overlap_hours": 24}, required=False),
    responses={
        200: answers(WebhookMade, "The webhook with its new secret, which is not shown again."),
        409: problems("Somebody else has just rotated it."),
    },
)
@needs(Scope.WEBHOOKS_WRITE)
def rotate_webhook(path: WebhookId) -> Response:
    """Give a webhook a new secret

    Until the overlap is over every message carries a signature of each, so that the endpoint may change over at its leisure.
    """
    p, given = parts(), read(RotateInput, optional=True)
    before = p.store.webhooks.get(owner(), path.webhook_id)
    until = milliseconds(p.clock.now()) + timedelta(hours=given.overlap_hours)
    endpoint = p.store.webhooks.replace_secrets(before, webhooks.rotated(before.secrets, _new_secret(), until))
    if endpoint is None:
        raise Conflict(f"webhook {path.webhook_id} has just been given another secret")
    log.info("A webhook's secret was rotated.", action="webhook.rotated", webhook=endpoint.id)
    return Reply(webhook_made(endpoint)).response()


@bp.post(
    "/webhooks/<webhook:webhook_id>/test",
    responses={
        202: answers(MessageAnswer, "The message; the log shows what comes of it."),
        409: problems("It is off."),
    },
)
@needs(Scope.WEBHOOKS_WRITE)
def test_webhook(path: WebhookId) -> Response:
    """Send a test event

    Of type webhook.test, as soon as any other.
    """
    p = parts()
    endpoint = p.store.webhooks.get(owner(), path.webhook_id)
    _refuse_off(endpoint)
    now = milliseconds(p.clock.now())
    data = {"webhook_id": endpoint.id, "text": "This is a test: nothing happened to any mail."}
    made = webhooks.message(endpoint, News(owner(), webhooks.TEST, now, "", secrets.token_hex(8), data))
    p.store.webhook_messages.insert([made])
    return Reply(message_answer(made), 202).response()


@bp.get(
    "/webhooks/<webhook:webhook_id>/messages", responses={200: answers(MessageList, "One page of messages.", "Link")}
)
@needs(Scope.WEBHOOKS_READ)
def list_webhook_messages(path: WebhookId, query: MessageQuery) -> Response:
    """Read what a webhook was told

    The newest event first, for thirty days.
    """
    store = parts().store
    endpoint = store.webhooks.get(owner(), path.webhook_id)
    cursor = Cursor.parse(query.cursor) if query.cursor else None
    page = store.webhook_messages.page_of(endpoint.id, query.limit, cursor, query.state)
    return list_reply([message_answer(message) for message in page.items], page.next_cursor).response()


@bp.post(
    "/webhooks/<webhook:webhook_id>/messages/<webhook_message:message_id>/replay",
    responses={202: answers(MessageAnswer, "The message, which is sent again now."), 409: problems("It is off.")},
)
@needs(Scope.WEBHOOKS_WRITE)
def replay_webhook_message(path: WebhookMessageId) -> Response:
    """Send a message again

    Under its old id, whatever became of it before.
    """
    p = parts()
    endpoint = p.store.webhooks.get(owner(), path.webhook_id)
    _refuse_off(endpoint)
    replayed = p.store.webhook_messages.replay(endpoint.id, path.message_id, milliseconds(p.clock.now()))
    return Reply(message_answer(replayed), 202).response()


def _refuse_elsewhere(p: Parts, url: str) -> None:
    """Raise Invalid for an address that no call may go to. It is looked at again at each call."""
    try:
        egress.target(url, p.resolve, loopback=p.settings.notifier.allow_loopback)
    except egress.Forbidden as forbidden:
        raise Invalid(Problem("/url", str(forbidden))) from None
    except OSError:
        raise Invalid(Problem("/url", "its name can't be looked up: check the spelling")) from None


def _refuse_off(endpoint: Endpoint) -> None:
    if not endpoint.enabled:
        raise Conflict(f"webhook {endpoint.id} is off: turn it on first")


def _names(types: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(types))


def _new_secret() -> str:
    return webhooks.new_secret(secrets.token_bytes(webhooks.SECRET_BYTES))
