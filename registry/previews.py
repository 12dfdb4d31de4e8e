"""/schedules/preview: what a rule says and when it is due, before anything is saved."""

from flask import Response

from fencepost.api_keys import Scope
from fencepost.clock import as_utc
from fencepost.recurrence import parse_rule, preview, words
from registry.access import needs
from registry.answers.schedules import Preview, preview_answer
from registry.documenting import TAGS, answers, blueprint, takes
from registry.incoming import read
from registry.inputs import PreviewInput
from registry.parts import parts
from registry.replies import Reply

EXAMPLE = {"recurrence": {"type": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"}, "count": 3}

bp = blueprint("previews", __name__, TAGS["schedules"])


@bp.post(
    "/schedules/preview",
    request_body=takes(PreviewInput, EXAMPLE),
    responses={200: answers(Preview, "The rule in words, and the next due instants.")},
)
@needs(Scope.SCHEDULES_READ, test_keys=True)
def preview_schedule() -> Response:
    """Preview a rule

    In words, and with its next due instants. The message is not needed.
    """
    given = read(PreviewInput)
    after = given.after or parts().clock.now()
    rule = parse_rule(
        given.recurrence.model_dump(),
        starts_at=given.starts_at,
        ends_at=given.ends_at,
        dst=given.dst.model_dump(),
        anchor=as_utc(given.anchor or after),
    )
    count = min(given.count, given.max_occurrences or given.count)
    return Reply(preview_answer(words(rule), preview(rule, after=after, count=count))).response()
