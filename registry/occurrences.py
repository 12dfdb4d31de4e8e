"""/schedules/{id}/occurrences: what was due, and what became of it."""

from flask import Response

from fencepost.api_keys import Scope
from fencepost.store.pages import Cursor
from registry.access import needs
from registry.answers.occurrences import OccurrenceList, occurrence_answer
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint
from registry.inputs import OccurrenceQuery, ScheduleId
from registry.parts import parts
from registry.replies import list_reply

bp = blueprint("occurrences", __name__, TAGS["schedules"])


@bp.get(
    "/schedules/<schedule:schedule_id>/occurrences",
    responses={200: answers(OccurrenceList, "One page of occurrences.", "Link")},
)
@needs(Scope.SCHEDULES_READ)
def list_occurrences(path: ScheduleId, query: OccurrenceQuery) -> Response:
    """List occurrences

    Of one schedule, the newest first.
    """
    store = parts().store
    store.schedules.get(owner(), path.schedule_id)
    stored = "planned" if query.state == "done" else query.state
    cursor = Cursor.parse(query.cursor) if query.cursor else None
    page = store.occurrences.page_of(owner(), path.schedule_id, stored, query.limit, cursor)
    counts = store.deliveries.count_by_state([occurrence["_id"] for occurrence in page.items])
    shown = [occurrence_answer(occurrence, counts[occurrence["_id"]]) for occurrence in page.items]
    # On record an occurrence is planned or skipped; that it is done follows from its deliveries.
    data = [answer for answer in shown if query.state in (None, answer["state"])]
    return list_reply(data, page.next_cursor).response()
