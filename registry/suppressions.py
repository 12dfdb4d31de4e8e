"""/suppressions: addresses to which no mail is sent, and why."""

from typing import Annotated, Any, Literal

from flask import Response
from pydantic import AfterValidator, BaseModel, Field

from fencepost import api_keys
from fencepost.definitions import Shape
from fencepost.fields import Email, Moment, OneLine
from fencepost.logs import get_logger
from fencepost.schedules import milliseconds
from fencepost.store.pages import Cursor
from fencepost.suppression import Reason, Scope, Suppression
from registry.access import needs
from registry.answers.suppressions import SuppressionAnswer, SuppressionList, suppression_answer
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint, takes
from registry.incoming import read
from registry.inputs import PageQuery
from registry.parts import parts
from registry.replies import Reply, list_reply

log = get_logger(__name__)
bp = blueprint("suppressions", __name__, TAGS["suppressions"])


class SuppressionInput(Shape):
    """An address that is to get no mail."""

    email: Annotated[Email, AfterValidator(str.lower)]
    scope: Literal["all", "bulk"] = Field("all", description="All mail, or only what goes to many.")
    reason: Literal["bounce", "complaint", "unsubscribe", "manual"] = "manual"
    detail: Annotated[OneLine, Field(max_length=500)] = Field("", description="Where it comes from.")


class SuppressionQuery(PageQuery):
    """Which suppressions."""

    q: OneLine | None = Field(None, max_length=254, description="The beginning of an address.")
    reason: Reason | None = None
    scope: Scope | None = None
    since: Moment | None = Field(None, description="Suppressed at this instant or later.")


class SuppressionId(BaseModel):
    """A suppression's id in a path."""

    suppression_id: str = Field(pattern="^sup_[0-9A-HJKMNP-TV-Z]{26}$")


@bp.post(
    "/suppressions",
    request_body=takes(SuppressionInput, {"email": "ann@example.com", "detail": "asked by telephone"}),
    responses={
        200: answers(SuppressionAnswer, "It was suppressed before; what was on record stays."),
        201: answers(SuppressionAnswer, "From now on it gets no mail.", "Location"),
    },
)
@needs(api_keys.Scope.SUPPRESSIONS_WRITE)
def create_suppression() -> Response:
    """Suppress an address

    What is claimed from now on is not sent to it, and ends `suppressed`.
    """
    p, given = parts(), read(SuppressionInput)
    suppression = Suppression(
        owner(), given.email, Scope(given.scope), Reason(given.reason), given.detail, milliseconds(p.clock.now())
    )
    if not p.store.suppressions.add(suppression):
        return Reply(suppression_answer(p.store.suppressions.get(owner(), suppression.id))).response()
    log.info("An address was suppressed.", action="suppression.added", reason=given.reason, scope=given.scope)
    return Reply(suppression_answer(suppression), 201, {"Location": f"/suppressions/{suppression.id}"}).response()


@bp.get("/suppressions", responses={200: answers(SuppressionList, "One page of suppressions.", "Link")})
@needs(api_keys.Scope.SUPPRESSIONS_READ)
def list_suppressions(query: SuppressionQuery) -> Response:
    """List suppressions

    The newest first.
    """
    cursor = Cursor.parse(query.cursor) if query.cursor else None
    page = parts().store.suppressions.page_of(owner(), _filters(query), query.limit, cursor)
    return list_reply([suppression_answer(item) for item in page.items], page.next_cursor).response()


@bp.get("/suppressions/<suppression:suppression_id>", responses={200: answers(SuppressionAnswer, "The suppression.")})
@needs(api_keys.Scope.SUPPRESSIONS_READ)
def get_suppression(path: SuppressionId) -> Response:
    """Read a suppression"""
    return Reply(suppression_answer(parts().store.suppressions.get(owner(), path.suppression_id))).response()


@bp.delete(
    "/suppressions/<suppression:suppression_id>",
    responses={200: answers(SuppressionAnswer, "What it was; the address gets mail again.")},
)
@needs(api_keys.Scope.SUPPRESSIONS_WRITE)
def delete_suppression(path: SuppressionId) -> Response:
    """Lift a suppression

    Mail that ended `suppressed` stays so.
    """
    suppression = parts().store.suppressions.remove(owner(), path.suppression_id)
    log.info("A suppression was lifted.", action="suppression.removed", reason=suppression.reason.value)
    return Reply(suppression_answer(suppression)).response()


def _filters(query: SuppressionQuery) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if query.reason:
        found["reason"] = query.reason.value
    if query.scope:
        found["scope"] = query.scope.value
    if query.since:
        found["created_at"] = {"$gte": query.since}
    if query.q:
        start = query.q.lower()
        found["email"] = {"$gte": start, "$lt": start + "\U0010ffff"}
    return found
