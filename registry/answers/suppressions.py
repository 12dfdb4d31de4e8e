"""Suppressions as JSON."""

from typing import Literal

from pydantic import with_config
from typing_extensions import TypedDict

from fencepost.clock import iso
from fencepost.suppression import Suppression
from registry.answers.common import EXACT, Instant


@with_config(EXACT)
class SuppressionAnswer(TypedDict):
    """An address to which mail is not sent."""

    object: Literal["suppression"]
    id: str
    email: str
    scope: Literal["all", "bulk"]
    """`bulk`: only mail that goes to many is kept back."""
    reason: Literal["bounce", "complaint", "unsubscribe", "manual"]
    detail: str
    created_at: Instant


@with_config(EXACT)
class SuppressionList(TypedDict):
    """One page of suppressions, the newest first."""

    data: list[SuppressionAnswer]
    next_cursor: str | None


def suppression_answer(suppression: Suppression) -> SuppressionAnswer:
    return {
        "object": "suppression",
        "id": suppression.id,
        "email": suppression.email,
        "scope": suppression.scope.value,
        "reason": suppression.reason.value,
        "detail": suppression.detail,
        "created_at": iso(suppression.created_at),
    }
