"""What may be done with an email: a person decides about one that is held."""

from flask import Response

from fencepost.clock import iso
from fencepost.deliveries import Delivery, State
from fencepost.errors import Conflict
from fencepost.logs import get_logger
from fencepost.reconciliation import Decision, Policy, decide, policy_of, window_of
from fencepost.schedules import milliseconds
from registry.answers.emails import EmailAnswer
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint, problems, takes
from registry.emails import shown
from registry.incoming import read
from registry.inputs import EmailId, SettleInput
from registry.parts import Parts, parts
from registry.replies import Reply, nudge_afterwards

log = get_logger(__name__)
bp = blueprint("email_verbs", __name__, TAGS["emails"])

_ENDS = {
    Policy.HOLD: "what leaves no trace until then is held, and can be decided",
    Policy.RESEND: "what leaves no trace until then is sent again, as its schedule says",
}


@bp.post(
    "/emails/<email:email_id>/settle",
    request_body=takes(SettleInput, {"decision": "send_now", "reason": "the customer has no copy", "by": "Ann"}),
    responses={
        200: answers(EmailAnswer, "The email as it now is."),
        409: problems("It is not held, or somebody else has just decided."),
    },
)
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


def _not_held(p: Parts, row: Delivery) -> str:
    """What state it is in instead; for `unknown`, what comes of that and until about when."""
    sentence = f"email {row['_id']} is {row['state']}, not held"
    if row["state"] != State.UNKNOWN:
        return sentence
    revision_id = row["revision_id"] or ""
    revision = p.store.revisions.find([revision_id]).get(revision_id)
    policy = policy_of(revision.definition if revision else None)
    until = window_of(p.settings).ends(row["unknown_since"] or row["updated_at"]).replace(microsecond=0)
    if policy is Policy.RESEND_AT_ONCE:
        return f"{sentence}: it is sent again at once, as its schedule says"
    return f"{sentence}: it is looked up in its provider's records until about {iso(until)}; {_ENDS[policy]}"
