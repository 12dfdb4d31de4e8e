"""What may be done with an email: a person decides about one that is held."""

from datetime import timedelta

from flask import Response

from fencepost.api_keys import Scope
from fencepost.batches import refusal_of
from fencepost.clock import iso
from fencepost.deliveries import Delivery, State
from fencepost.errors import Conflict, Invalid, Problem
from fencepost.logs import get_logger
from fencepost.occurrences import Origin
from fencepost.priorities import weight
from fencepost.reconciliation import Decision, Policy, decide, policy_of, window_of
from fencepost.schedules import milliseconds
from registry.access import needs
from registry.answers.emails import EmailAnswer
from registry.attaching import keep_until
from registry.batches import NOT_REPLAYABLE, replay
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint, problems, takes
from registry.emails import shown
from registry.incoming import read
from registry.inputs import CancelInput, EmailId, ReplayInput, RescheduleInput, SettleInput
from registry.parts import Parts, parts
from registry.replies import Reply, nudge_afterwards

log = get_logger(__name__)
bp = blueprint("email_verbs", __name__, TAGS["emails"])

_ENDS = {
    Policy.HOLD: "what leaves no trace until then is held, and can be decided",
    Policy.RESEND: "what leaves no trace until then is sent again, as it was asked to be",
}


@bp.post(
    "/emails/<email:email_id>/settle",
    request_body=takes(SettleInput, {"decision": "send_now", "reason": "the customer has no copy", "by": "Ann"}),
    responses={
        200: answers(EmailAnswer, "The email as it now is."),
        409: problems("It is not held, or somebody else has just decided."),
    },
)
@needs(Scope.EMAILS_SEND)
def settle_email(path: EmailId) -> Response:
    """Settle an email that is held

    `was_sent` makes it accepted, `send_now` sends it once more, whatever its schedule says by now, `drop` cancels it. Who
    decided and why stays on record.
    """
    p, given = parts(), read(SettleInput)
    row = p.store.deliveries.get(owner(), path.email_id)
    if row["state"] != State.HELD:
        raise Conflict(_not_held(p, row))
    settlement = decide(row, given.decision, given.by, given.reason, milliseconds(p.clock.now()))
    if p.store.deliveries.settle([settlement]):
        raise Conflict(_not_held(p, p.store.deliveries.get(owner(), path.email_id)))
    log.info(
        "A person decided about a mail that was held.",
        action="delivery.decided",
        delivery_id=row["_id"],
        decision=given.decision.value,
        by=given.by,
    )
    if given.decision is Decision.SEND_NOW:
        nudge_afterwards(p)
    return Reply(shown(p, p.store.deliveries.get(owner(), path.email_id))).response()


@bp.post(
    "/emails/<email:email_id>/cancel",
    request_body=takes(CancelInput, {"reason": "the order was called off"}, required=False),
    responses={
        200: answers(EmailAnswer, "The email, which is not sent any more."),
        409: problems("It is being sent, or has ended; the answer says which."),
    },
)
@needs(Scope.EMAILS_SEND)
def cancel_email(path: EmailId) -> Response:
    """Cancel an email

    It wins or loses against the senders: once this has answered 200, nobody is asked to send it. One that waits for a retry
    can be cancelled, too.
    """
    p, given = parts(), read(CancelInput, optional=True)
    row = p.store.emails.cancel(owner(), path.email_id, f"Cancelled: {given.reason}" if given.reason else "Cancelled.")
    if row is None:
        raise Conflict(_too_late(p, path.email_id, "cancelled"))
    log.info("A mail was cancelled.", action="email.cancelled", delivery_id=row["_id"])
    return Reply(shown(p, row)).response()


@bp.post(
    "/emails/<email:email_id>/reschedule",
    request_body=takes(RescheduleInput, {"scheduled_at": "2026-03-29T09:00:00Z"}),
    responses={
        200: answers(EmailAnswer, "The email as it now is."),
        409: problems("It is being sent, has ended, or is a schedule's; the answer says which."),
    },
)
@needs(Scope.EMAILS_SEND)
def reschedule_email(path: EmailId) -> Response:
    """Put an email off, or bring it forward

    Only mail of POST /emails that is pending; a schedule's own mail follows its schedule. Its time to live begins anew.
    """
    p, given = parts(), read(RescheduleInput)
    now = milliseconds(p.clock.now())
    if wrong := refusal_of(given.scheduled_at, now):
        raise Invalid(Problem("/scheduled_at", wrong))
    before = p.store.deliveries.get(owner(), path.email_id)
    if before["origin"] != Origin.API:
        raise Conflict(f"email {path.email_id} is a schedule's: edit its schedule instead")
    at = max(milliseconds(given.scheduled_at), now)
    purge_at = at + timedelta(days=p.settings.retention.days)
    # First, lest the text is purged under a mail that was put off.
    keep_until(p, [before["revision_id"] or ""], purge_at)
    row = p.store.emails.reschedule(owner(), path.email_id, at, at + weight(before), purge_at)
    if row is None:
        raise Conflict(_too_late(p, path.email_id, "rescheduled"))
    log.info("A mail was rescheduled.", action="email.rescheduled", delivery_id=row["_id"])
    nudge_afterwards(p)
    return Reply(shown(p, row)).response()


@bp.post(
    "/emails/<email:email_id>/replay",
    request_body=takes(ReplayInput, {"reason": "the address was mended", "by": "Ann"}, required=False),
    responses={
        202: answers(EmailAnswer, "The email, pending again."),
        409: problems("It neither failed nor expired."),
    },
)
@needs(Scope.EMAILS_SEND)
def replay_email(path: EmailId) -> Response:
    """Send an email again that failed

    Or that expired. What was accepted, or may have been, is not sent again: that would be a second mail.
    """
    p, given = parts(), read(ReplayInput, optional=True)
    if not replay(p, {"_id": path.email_id}, given):
        row = p.store.deliveries.get(owner(), path.email_id)
        raise Conflict(f"email {row['_id']} is {row['state']}: {NOT_REPLAYABLE}")
    return Reply(shown(p, p.store.deliveries.get(owner(), path.email_id)), 202).response()


def _too_late(p: Parts, email_id: str, done: str) -> str:
    """Why it can't be done any more. Raises NotFound."""
    row = p.store.deliveries.get(owner(), email_id)
    if row["state"] == State.SENDING:
        return f"email {email_id} is being sent right now: it can't be {done} any more"
    return f"email {email_id} is {row['state']}: only pending mail can be {done}"


def _not_held(p: Parts, row: Delivery) -> str:
    """What state it is in instead; for `unknown`, what comes of that and until about when."""
    sentence = f"email {row['_id']} is {row['state']}, not held"
    if row["state"] != State.UNKNOWN:
        return sentence
    revision_id = row["revision_id"] or ""
    text = p.store.texts([revision_id]).get(revision_id)
    policy = policy_of(text.definition if text else None)
    until = (
        window_of(p.settings).of(row["provider"]).ends(row["unknown_since"] or row["updated_at"]).replace(microsecond=0)
    )
    if policy is Policy.RESEND_AT_ONCE:
        return f"{sentence}: it is sent again at once, as it was asked to be"
    return f"{sentence}: it is looked up in its provider's records until about {iso(until)}; {_ENDS[policy]}"
