"""The verdict on a run, from records that know nothing of each other: the calls that people made of the API, with their answers;
the providers' ledgers; what is on record in the end; and what an endpoint of webhooks was told. It imports nothing of Fencepost,
so that no error can be in both.

A call without an answer may have happened or not, and both are allowed: it is never taken for a failure.

    {"calls": [{"schedule", "verb", "sent", "answered", "status", "sets", "answer"}], "posts": [the same, of mail by API],
     "requests": [{"provider", "delivery_id", "attempt", "at", "answer", "accepted", "recipients", "text"}],
     "schedules": [{"name", "id", "text", "rule", "paused", "deleted", "archived", "quarantined"}],
     "deliveries": [{"id", "schedule_id", "occurrence_id", "origin", "recipient", "due_at", "state", "attempt_no",
                     "mail", "batch_id",
                     "attempts": [{"no", "claimed_at", "outcome", "sender"}]}],
     "skips": [{"schedule_id", "from", "to", "reason"}],
     "told": [{"id", "type", "email_id", "body", "verified"}],
     "listed": {"held": [id], "unknown": [id]}, "alarms": [kind],
     "faults": [{"kind", "from", "to"}],
     "ended": seconds, "window_seconds": …, "late_seconds": …, "recovery_seconds": …}

All instants are seconds since 1970.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from tests.chaos import edits, news, posts
from tests.chaos.expected import Story

History = Mapping[str, Any]
Row = Mapping[str, Any]

SENT = {"accepted", "delivered"}
NOT_SENT = {"failed", "cancelled", "skipped", "suppressed", "expired"}
SETTLED = SENT | NOT_SENT | {"held", "unknown"}
REFUSALS = {"429", "401", "402", "403", "404"}
"""Answers after which the same mail may be asked for again: it was provably not accepted."""
_TOLERANCE_SECONDS = 0.05
"""Between the simulator's clock as it notes a request and the server's as the row becomes unknown."""


def check(history: History) -> list[str]:
    """What is wrong with the run, a sentence each, the rule's name first; nothing for a run as it should be."""
    return [problem for rule in _Run(history).rules() for problem in rule]


class _Run:
    """One history, indexed."""

    def __init__(self, history: History) -> None:
        self.history = history
        calls: dict[str, list[Row]] = defaultdict(list)
        for call in history["calls"]:
            calls[call["schedule"]].append(call)
        self.stories = {name: Story(name, those) for name, those in calls.items()}
        self.stored: dict[str, Row] = {row["name"]: row for row in history["schedules"]}
        self.posts = posts.posts(history["posts"])
        self.names = {row["id"]: row["name"] for row in history["schedules"]}
        self.rows: dict[str, Row] = {row["id"]: row for row in history["deliveries"]}
        self.planned: dict[tuple[str, float, str], list[Row]] = defaultdict(list)
        for row in history["deliveries"]:
            if row["origin"] == "schedule":
                self.planned[self.names.get(row["schedule_id"], ""), row["due_at"], row["recipient"]].append(row)
        self.requests: dict[str, list[Row]] = defaultdict(list)
        for request in history["requests"]:
            self.requests[request["delivery_id"] or ""].append(request)
        self.accepted = {
            delivery: taken
            for delivery, those in self.requests.items()
            if (taken := [request for request in those if request["accepted"]])
        }

    def rules(self) -> Iterator[Iterator[str]]:
        yield self._every_due_instant_ends_in_one_state()
        yield self._nothing_is_on_record_that_was_not_due()
        yield self._triggers_made_one_occurrence_each()
        yield self._everything_is_settled()
        yield self._nothing_was_accepted_twice()
        yield self._states_and_ledger_agree()
        yield self._everything_accepted_is_on_record()
        yield self._nothing_was_asked_for_again_by_guess()
        yield self._what_is_in_doubt_is_listed()
        yield self._nothing_was_early_or_late_without_cause()
        rows = list(self.rows.values())
        of_stories = [
            (self.stories[name], row) for row in rows if (name := self.names.get(row["schedule_id"])) in self.stories
        ]
        yield from edits.rules(self.stories, self.stored, of_stories, self.accepted)
        yield from posts.rules(self.posts, [row for row in rows if row["origin"] == "api"], self.accepted)
        yield from news.rules(rows, self.history["told"], self.accepted)

    # -- what was due ------------------------------------------------------------------------------------------------

    def _every_due_instant_ends_in_one_state(self) -> Iterator[str]:
        for name, story in self.stories.items():
            recipients = story.created.sets["to"] if story.created else []
            for at in story.instants(self.history["ended"]):
                may, must = story.due(at)
                skip = self._skip(name, at) if may else None
                for recipient in recipients:
                    rows = self.planned.get((name, at, recipient), [])
                    yield from _one_state(story, at, recipient, rows, skip, must)

    def _nothing_is_on_record_that_was_not_due(self) -> Iterator[str]:
        for (name, at, recipient), rows in self.planned.items():
            story = self.stories.get(name)
            if story is None or not story.created or recipient not in story.created.sets["to"] or not story.due(at)[0]:
                yield f"invented: {rows[0]['id']} of {name or 'nobody'} for {recipient} at {_clock(at)} was not due"

    def _triggers_made_one_occurrence_each(self) -> Iterator[str]:
        found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for row in self.history["deliveries"]:
            if row["origin"] == "trigger":
                found[self.names.get(row["schedule_id"], "")][row["occurrence_id"]].append(row["recipient"])
        for name, story in self.stories.items():
            triggers = [call for call in story.calls if call.verb == "trigger"]
            for call in triggers:
                if call.happened and call.answer["id"] not in found[name]:
                    yield f"lost: the trigger of {name} that was answered with {call.answer['id']} is on no record"
            for occurrence, recipients in found[name].items():
                if story.created and sorted(recipients) != sorted(story.created.sets["to"]):
                    yield f"lost: the triggered {occurrence} of {name} went to {recipients}"
            if len(found[name]) > len(triggers):
                yield f"invented: {len(found[name])} occurrences of {name} from {len(triggers)} triggers"

    def _skip(self, name: str, at: float) -> Row | None:
        skips = (skip for skip in self.history["skips"] if self.names.get(skip["schedule_id"]) == name)
        return next((skip for skip in skips if skip["from"] <= at <= skip["to"]), None)

    # -- what was sent -----------------------------------------------------------------------------------------------

    def _everything_is_settled(self) -> Iterator[str]:
        for row in self.rows.values():
            if row["state"] not in SETTLED:
                yield f"unsettled: {self._name(row)} is {row['state']}"
        for row in self.history["schedules"]:
            if row["quarantined"]:
                yield f"quarantined: {row['name']}: {row['quarantined']}"

    def _nothing_was_accepted_twice(self) -> Iterator[str]:
        for delivery, taken in self.accepted.items():
            if len(taken) > 1:
                yield f"duplicated: {delivery or 'a mail without an id'} was accepted {len(taken)} times"

    def _states_and_ledger_agree(self) -> Iterator[str]:
        for delivery, row in self.rows.items():
            if row["state"] in SENT and delivery not in self.accepted:
                yield f"a lie: {self._name(row)} is {row['state']}, and the provider has none"
            if row["state"] in NOT_SENT and delivery in self.accepted:
                yield f"a lie: {self._name(row)} is {row['state']}, and the provider has one"

    def _everything_accepted_is_on_record(self) -> Iterator[str]:
        for delivery, those in self.requests.items():
            row = self.rows.get(delivery)
            if row is None:
                yield f"sent without a record: {len(those)} requests for {delivery or 'a mail without an id'}"
                continue
            for request in those:
                if request["accepted"] and request["recipients"] != [row["recipient"]]:
                    yield f"sent to others: {self._name(row)} went to {request['recipients']}"

    def _nothing_was_asked_for_again_by_guess(self) -> Iterator[str]:
        for delivery, those in self.requests.items():
            row = self.rows.get(delivery)
            if row is None:
                continue
            if len(those) > row["attempt_no"]:
                yield f"called without an attempt: {self._name(row)}, {len(those)} calls in {row['attempt_no']} attempts"
            policy = self._policy(row)
            for before, after in pairwise(those):
                wait = after["at"] - before["at"]
                judged = policy == "resend" and wait >= self.history["window_seconds"] - _TOLERANCE_SECONDS
                # Also after a 400, which its caller may never have heard: then its row was judged like any other.
                if not _is_refusal(before) and not judged:
                    yield (
                        f"called again by guess: {self._name(row)}, by {after['provider']} {wait:.1f} s after"
                        f" {before['answer']} of {before['provider']} ({policy})"
                    )

    def _policy(self, row: Row) -> str:
        """What its owner wants done with it if it is in doubt."""
        if row["origin"] == "api":
            post = self.posts.get(row["mail"] or "")
            return post.on_unknown if post else "hold"
        story = self.stories.get(self.names.get(row["schedule_id"], ""))
        return str(story.created.sets["on_unknown"]) if story and story.created else "hold"

    def _what_is_in_doubt_is_listed(self) -> Iterator[str]:
        for state in ("held", "unknown"):
            mine = {delivery for delivery, row in self.rows.items() if row["state"] == state}
            for delivery in mine - set(self.history["listed"][state]):
                yield f"hidden: {self._name(self.rows[delivery])} is {state}, and the API does not list it"
            if state == "held" and mine and "held" not in self.history["alarms"]:
                yield f"no alarm: {len(mine)} mails are held"

    def _nothing_was_early_or_late_without_cause(self) -> Iterator[str]:
        for delivery, taken in self.accepted.items():
            row = self.rows.get(delivery)
            if row is None:
                continue
            at, due_at = taken[0]["at"], row["due_at"]
            if at < due_at:
                yield f"early: {self._name(row)} was accepted {due_at - at:.1f} s before it was due"
            elif at > due_at + self.history["late_seconds"] and not self._explained(delivery, due_at, at):
                yield f"late: {self._name(row)} was accepted after {at - due_at:.1f} s, and no fault explains it"

    def _explained(self, delivery: str, due_at: float, at: float) -> bool:
        """Whether an earlier call was not accepted, or a fault or its aftermath fell into the time between."""
        recovery = self.history["recovery_seconds"]
        return len(self.requests[delivery]) > 1 or any(
            fault["from"] <= at and fault["to"] + recovery >= due_at for fault in self.history["faults"]
        )

    def _name(self, row: Row) -> str:
        outcomes = ", ".join(str(attempt.get("outcome")) for attempt in row["attempts"])
        schedule = row["mail"] or self.names.get(row["schedule_id"], row["schedule_id"])
        return f"{row['id']} ({schedule} at {_clock(row['due_at'])}, attempts: {outcomes or 'none'})"


def _is_refusal(request: Row) -> bool:
    # By SMTP it is provable, too, that what was answered with 451 at the end was not accepted.
    return request["answer"] in REFUSALS or (request["provider"], request["answer"]) == ("smtp", "refuse_500")


def _one_state(story: Story, at: float, recipient: str, rows: list[Row], skip: Row | None, must: bool) -> Iterator[str]:
    what = f"{story.name} at {_clock(at)} for {recipient}"
    if len(rows) > 1:
        yield f"doubled: {what} has {len(rows)} rows"
    if must and not rows and not skip:
        yield f"lost: {what} is on no record"
    stopped = story.stops_after(at) or True in story.values("paused", at)
    for row in rows:
        if row["state"] == "cancelled" and must and not stopped:
            yield f"cancelled without a cause: {what}"
        if skip and row["state"] != "cancelled":
            yield f"doubled: {what} is {row['state']}, and skipped on record"
        if row["state"] != "cancelled" and False not in story.values("paused", at):
            yield f"not paused: {what} is {row['state']}"
    if skip and must and not stopped:
        yield f"skipped without a cause: {what} ({skip['reason']})"


def _clock(at: float) -> str:
    """Seconds within the hour: enough to find it in a log."""
    return f"{int(at) // 60 % 60:02}:{at % 60:06.3f}"


def counts(history: History) -> Mapping[str, int]:
    """How many mails are in which state, how many were accepted, how many of those without anybody knowing, how many were asked of
    more than one provider, and how much was told of them."""
    states = Counter(row["state"] for row in history["deliveries"])
    accepted = Counter(request["delivery_id"] for request in history["requests"] if request["accepted"])
    known = {row["id"] for row in history["deliveries"] if row["state"] in SENT}
    asked: dict[str, set[str]] = defaultdict(set)
    for request in history["requests"]:
        asked[request["delivery_id"]].add(request["provider"])
    return {
        **{state: states[state] for state in sorted(states)},
        "mails": states.total(),
        "by_api": sum(row["origin"] == "api" for row in history["deliveries"]),
        "sent": len(accepted),
        "moved": sum(len(providers) > 1 for providers in asked.values()),
        "told": len({event["id"] for event in history["told"]}),
        "duplicated": sum(count - 1 for count in accepted.values()),
        "sent_but_unrecorded": sum(delivery not in known for delivery in accepted),
    }
