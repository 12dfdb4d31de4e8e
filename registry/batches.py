"""/batches: the mails of one request, together."""

from datetime import timedelta

from flask import Response

from fencepost import ids
from fencepost.api_keys import Scope
from fencepost.clock import iso
from fencepost.deliveries import State, Verdict
from fencepost.errors import Conflict, NotFound
from fencepost.logs import get_logger
from fencepost.schedules import milliseconds
from fencepost.store.emails import REPLAYABLE
from registry.access import needs
from registry.answers.batches import BatchAnswer, Replayed
from registry.attaching import keep_until
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint, problems, takes
from registry.emails import written
from registry.incoming import read
from registry.inputs import BatchId, ReplayInput
from registry.parts import Parts, parts
from registry.replies import Reply, nudge_afterwards

log = get_logger(__name__)
bp = blueprint("batches", __name__, TAGS["emails"])


@bp.get("/batches/<batch:batch_id>", responses={200: answers(BatchAnswer, "The batch.")})
@needs(Scope.EMAILS_READ)
def get_batch(path: BatchId) -> Response:
    """Read a batch

    How many of its emails are in which state. GET /emails?batch_id= lists them.
    """
    p = parts()
    return Reply(_answer(p, path.batch_id)).response()


@bp.post(
    "/batches/<batch:batch_id>/replay",
    request_body=takes(ReplayInput, {"reason": "the address book was mended", "by": "Ann"}, required=False),
    responses={
        202: answers(Replayed, "So many are pending again."),
        409: problems("None of its emails failed or expired."),
    },
)
@needs(Scope.EMAILS_SEND)
def replay_batch(path: BatchId) -> Response:
    """Send what failed again

    Those of its emails that failed or expired, and no others.
    """
    p, given = parts(), read(ReplayInput, optional=True)
    standing = _counts(p, path.batch_id)
    count = replay(p, {"batch_id": path.batch_id}, given)
    if not count:
        states = ", ".join(f"{number} {state}" for state, number in sorted(standing.items()))
        raise Conflict(f"nothing in batch {path.batch_id} failed or expired: {states}")
    return Reply({"replayed": count}, 202).response()


def replay(p: Parts, which: dict[str, str], given: ReplayInput) -> int:
    """Make those of these deliveries pending again that failed or expired; how many it was."""
    now = milliseconds(p.clock.now())
    why = f"send it again: {given.reason}" if given.reason else "send it again"
    verdict = Verdict(at=now, state=State.PENDING.value, by=given.by, why=why)
    purge_at = now + timedelta(days=p.settings.retention.days)
    # First, lest a sender finds the mail before its text is safe.
    keep_until(p, p.store.emails.texts_of(owner(), which), purge_at)
    count = p.store.emails.replay(owner(), which, verdict, purge_at)
    if count:
        log.info("Mail that had failed is sent again.", action="email.replayed", count=count, by=given.by, **which)
        nudge_afterwards(p)
    return count


def _counts(p: Parts, batch_id: str) -> dict[str, int]:
    """Raises NotFound."""
    counts = p.store.emails.batch(owner(), batch_id)
    if not counts:
        raise NotFound(f"there is no batch {batch_id}")
    return dict(counts)


def _answer(p: Parts, batch_id: str) -> BatchAnswer:
    counts = _counts(p, batch_id)
    first = p.store.emails.first_of(owner(), batch_id)
    mail = written(p, first) if first else None
    return {
        "object": "batch",
        "id": batch_id,
        "created_at": iso(ids.instant_of(batch_id)),
        "subject": mail.subject if mail else None,
        "count": sum(counts.values()),
        "by_state": dict(sorted(counts.items())),
    }


NOT_REPLAYABLE = f"only mail that {' or '.join(REPLAYABLE)} is sent again"
