"""The verdict on mail by API: each post that was answered made its mails, each that was not made them or not, none made them
twice; a cancellation wins or loses, and says so. It imports nothing of Fencepost."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.chaos.expected import Call

Row = Mapping[str, Any]
VERBS = ("post", "cancel")


class Post:
    """One mail that somebody posted, to one recipient or several, and whether they cancelled it for the first of these."""

    def __init__(self, name: str, calls: Sequence[Mapping[str, Any]]) -> None:
        named = ("verb", "sent", "answered", "status", "sets", "answer")
        made = {call["verb"]: Call(*(call[field] for field in named)) for call in calls}
        self.name, self.call, self.cancel = name, made["post"], made.get("cancel")

    @property
    def on_unknown(self) -> str:
        return str(self.call.sets["on_unknown"])

    @property
    def to(self) -> list[str]:
        return list(self.call.sets["to"])


def posts(calls: Sequence[Mapping[str, Any]]) -> dict[str, Post]:
    """What was posted, by name."""
    by_name: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for call in calls:
        by_name[call["schedule"]].append(call)
    return {name: Post(name, those) for name, those in by_name.items()}


def rules(
    posted: Mapping[str, Post], rows: Sequence[Row], accepted: Mapping[str, Sequence[Row]]
) -> Iterator[Iterator[str]]:
    """What is wrong with `rows`, those of API mail; `accepted` are the provider's acceptances by delivery."""
    of: dict[str, list[Row]] = {name: [] for name in posted}
    for row in rows:
        of.setdefault(row["mail"] or "", []).append(row)
    yield _nobody_else_sent(posted, of)
    for name, post in posted.items():
        yield _each_is_there_once(post, of[name])
        yield _a_cancellation_wins_or_loses(post, of[name])
        yield _the_text_is_its_own(post, of[name], accepted)


def _nobody_else_sent(posted: Mapping[str, Post], of: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    for name, rows in of.items():
        if name not in posted:
            yield f"invented: {len(rows)} mails of {name or 'nobody'}, which nobody posted"


def _each_is_there_once(post: Post, rows: Sequence[Row]) -> Iterator[str]:
    batches, recipients = {row["batch_id"] for row in rows}, sorted(row["recipient"] for row in rows)
    if len(batches) > 1:
        yield f"doubled: the post of {post.name} made {len(batches)} batches"
    if post.call.happened and (recipients != sorted(post.to) or post.call.answer["id"] not in batches):
        yield f"lost: the post of {post.name}, answered with {post.call.answer['id']}, made mails for {recipients}"
    if post.call.refused and rows:
        yield f"invented: the post of {post.name} was refused, and made {len(rows)} mails"
    if len(set(recipients)) < len(recipients):
        yield f"doubled: the post of {post.name} made mails for {recipients}"


def _a_cancellation_wins_or_loses(post: Post, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        cancelled, called_off = row["state"] == "cancelled", post.cancel and row["recipient"] == post.to[0]
        if cancelled and (not called_off or (post.cancel and post.cancel.refused)):
            yield f"cancelled without a cause: {row['id']} of {post.name}"
        if called_off and post.cancel and post.cancel.happened and not cancelled:
            yield f"not stopped: {row['id']} of {post.name} is {row['state']}, and its cancellation was answered with 200"


def _the_text_is_its_own(post: Post, rows: Sequence[Row], accepted: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    for row in rows:
        for request in accepted.get(row["id"], ()):
            if request["text"] != post.call.sets["text"]:
                yield f"wrong text: {row['id']} of {post.name} says {request['text']!r}"
