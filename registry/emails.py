"""/emails: every delivery, with what happened to it."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from fencepost import ids
from fencepost.api_keys import Scope
from fencepost.deliveries import Delivery
from fencepost.messages import CannotRender, Mail, Renderer
from fencepost.reconciliation import window_of
from fencepost.store.deliveries import OPEN
from fencepost.store.pages import Cursor
from registry.access import needs
from registry.answers.emails import EmailAnswer, EmailList, email_answer
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint
from registry.inputs import EmailId, EmailQuery
from registry.parts import Parts, parts
from registry.replies import Reply, list_reply

bp = blueprint("emails", __name__, TAGS["emails"])


@bp.get("/emails", responses={200: answers(EmailList, "One page of emails.", "Link")})
@needs(Scope.EMAILS_READ)
def list_emails(query: EmailQuery) -> Response:
    """List emails

    The latest due first, unless they are asked for the other way round.
    """
    p = parts()
    cursor = Cursor.parse(query.cursor) if query.cursor else None
    page = p.store.deliveries.page_of(owner(), filters(query), query.limit, cursor, oldest_first=query.sort == "due_at")
    names = p.store.schedules.names({row["schedule_id"] for row in page.items if row["schedule_id"]})
    renderers = p.texts.renderers(p.store, {row["revision_id"] for row in page.items})
    window = window_of(p.settings)
    data = [
        email_answer(row, names.get(row["schedule_id"] or ""), _mail(p, row, renderers), window) for row in page.items
    ]
    return list_reply(data, page.next_cursor).response()


@bp.get("/emails/<email:email_id>", responses={200: answers(EmailAnswer, "The email.")})
@needs(Scope.EMAILS_READ)
def get_email(path: EmailId) -> Response:
    """Read an email

    As it was or will be rendered, with its attempts and its time-line.
    """
    p = parts()
    return Reply(shown(p, p.store.deliveries.get(owner(), path.email_id))).response()


def shown(p: Parts, row: Delivery) -> EmailAnswer:
    """One email with all there is of it."""
    schedule_id = row["schedule_id"]
    name = p.store.schedules.names([schedule_id]).get(schedule_id) if schedule_id else None
    return email_answer(row, name, written(p, row), window_of(p.settings), bodies=True)


def written(p: Parts, row: Delivery) -> Mail | None:
    """The mail as it was or will be rendered; None where its text is not decided yet, or can't be filled in."""
    return _mail(p, row, p.texts.renderers(p.store, [row["revision_id"]]))


def filters(query: EmailQuery) -> dict[str, Any]:
    """The query of the store. Ids begin with the instant at which the email is due, so a time is a range of ids."""
    found: dict[str, Any] = {
        name: value
        for name in ("schedule_id", "occurrence_id", "batch_id", "state", "provider")
        if (value := getattr(query, name)) is not None
    }
    if query.to:
        local, _, domain = query.to.rpartition("@")
        found["to.email"] = {"$in": sorted({query.to, query.to.lower(), f"{local}@{domain.lower()}"})}
    if query.tag:
        found["tags"] = query.tag
    if query.state in OPEN:
        # Of every row; it lets the planner take the index of what is in this state, beside the one of all that an owner has.
        found["shard"] = {"$gte": 0}
    between = {}
    if query.from_:
        between["$gte"] = ids.first_id(ids.DELIVERY, query.from_)
    if query.until:
        between["$lt"] = ids.first_id(ids.DELIVERY, query.until)
    return {**found, "_id": between} if between else found


def _mail(p: Parts, row: Delivery, renderers: Mapping[str, Renderer]) -> Mail | None:
    renderer = renderers.get(row["revision_id"] or "")
    if renderer is None:
        return None
    try:
        link = p.texts.links(p.store, p.settings.public_url).link(row)
        return renderer.mail(row["_id"], row["attempt_no"], row["recipient"], link)
    except CannotRender:
        return None
