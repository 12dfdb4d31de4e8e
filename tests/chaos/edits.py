"""The verdict on edits: what people stopped is not called for, what they wrote last is stored, and each mail says what its
version says. It imports nothing of Fencepost."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.chaos.expected import Call, Story

Row = Mapping[str, Any]


def rules(
    stories: Mapping[str, Story],
    stored: Mapping[str, Row],
    rows: Sequence[tuple[Story, Row]],
    accepted: Mapping[str, Sequence[Row]],
) -> Iterator[Iterator[str]]:
    """`stored` are the schedules on record by name, `rows` their mails, `accepted` the providers' acceptances by delivery."""
    yield _the_last_edit_is_stored(stories, stored)
    for story, row in rows:
        taken = accepted.get(row["id"], ())
        yield _nothing_was_called_for_after_a_stop(story, row, taken)
        yield _the_text_is_that_of_the_version(story, row, taken)


def _nothing_was_called_for_after_a_stop(story: Story, row: Row, taken: Sequence[Row]) -> Iterator[str]:
    """What people stopped is not claimed any more, until they have it go on."""
    if row["origin"] != "schedule":
        return
    claimed = {attempt["no"]: attempt["claimed_at"] for attempt in row["attempts"]}
    for request in taken:
        for stop in _stops(story, row["due_at"]):
            if stop[0] < claimed.get(request["attempt"], 0) < stop[1]:
                yield f"not stopped: {row['id']} of {story.name} was claimed after a stop that had been answered"


def _the_last_edit_is_stored(stories: Mapping[str, Story], stored: Mapping[str, Row]) -> Iterator[str]:
    for name, story in stories.items():
        schedule = stored.get(name)
        if schedule is None:
            if story.created and story.created.happened:
                yield f"lost: the schedule {name}, which was answered with {story.created.status}, is not stored"
            continue
        for field in ("text", "rule", "paused", "deleted"):
            allowed = story.values(field, math.inf)
            if field == "deleted" and schedule["archived"]:
                continue  # what had ended and was archived by itself is deleted as it is
            if schedule[field] not in allowed:
                yield f"lost edit: {field} of {name} is {schedule[field]!r}, and {allowed!r} was acknowledged last"


def _the_text_is_that_of_the_version(story: Story, row: Row, taken: Sequence[Row]) -> Iterator[str]:
    allowed = story.values("text", row["due_at"])
    if row["origin"] == "trigger":
        allowed = [text for call in story.calls if call.verb == "trigger" for text in _texts_during(story, call)]
    for request in taken:
        if request["text"] not in allowed:
            yield f"wrong text: {row['id']} of {story.name} says {request['text']!r}, and its version {allowed!r}"


def _stops(story: Story, due_at: float) -> Iterator[tuple[float, float]]:
    """When the schedule was surely stopped for an instant that was due by then: from the stop's answer to when it may have
    gone on."""
    for call in story.calls:
        if call.verb in ("pause", "delete") and call.happened and call.earliest >= due_at:
            resumes = (one.earliest for one in story.calls if one.verb == "resume" and one.latest > call.earliest)
            yield call.latest, min(resumes, default=math.inf) if call.verb == "pause" else math.inf


def _texts_during(story: Story, call: Call) -> list[Any]:
    edits = [one.sets["text"] for one in story.calls if "text" in one.sets and call.earliest < one.latest < call.latest]
    return [*story.values("text", call.earliest), *edits, *story.values("text", min(call.latest, 1e12))]
