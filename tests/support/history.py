"""The verdict on a run, from three records that know nothing of each other: what the test asked for, the ledger of what
the provider accepted, and the rows in the database. Shares no code with the senders.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]
Mail = tuple[str, datetime]
"""One mail that is due: its recipient's address, and the instant."""

FINAL = {"accepted", "failed", "cancelled", "unknown"}
REFUSALS = {"throttled", "unavailable"}
"""How a call ends after which the provider may be called again: it provably accepted nothing."""


@dataclass(frozen=True)
class History:
    """One run, when it has come to rest. `requests` says how often the provider was asked for each delivery."""

    expected: Collection[Mail]
    rows: Collection[Row]
    ledger: Collection[Row]
    requests: Mapping[str, int] = field(default_factory=dict)
    unknown_at_most: int = 0

    def problems(self) -> list[str]:
        """What is wrong with it, a sentence each; nothing for a run as it should be."""
        rules = (
            self._each_expected_mail_has_one_row,
            self._every_row_is_final,
            self._nothing_was_accepted_twice,
            self._what_was_accepted_was_expected,
            self._states_and_ledger_agree,
            self._unknown_ones_are_few,
            self._nothing_was_called_again_by_guess,
            self._attempts_are_numbered,
        )
        return [problem for rule in rules for problem in rule()]

    def _each_expected_mail_has_one_row(self) -> Iterator[str]:
        found = Counter(_mail(row) for row in self.rows)
        wanted = set(self.expected)
        for mail in wanted - found.keys():
            yield f"lost: {_name(mail)} is on no record"
        for mail, count in found.items():
            if count > 1:
                yield f"doubled: {_name(mail)} has {count} rows"
            if mail not in wanted:
                yield f"invented: {_name(mail)} was not due"

    def _every_row_is_final(self) -> Iterator[str]:
        for row in self.rows:
            if row["state"] not in FINAL:
                yield f"unsettled: {_row(row)} is {row['state']}"

    def _nothing_was_accepted_twice(self) -> Iterator[str]:
        for delivery, count in Counter(entry["delivery_id"] for entry in self.ledger).items():
            if count > 1:
                yield f"sent {count} times: {delivery}"

    def _what_was_accepted_was_expected(self) -> Iterator[str]:
        rows = {row["_id"]: row for row in self.rows}
        for entry in self.ledger:
            row = rows.get(entry["delivery_id"])
            if row is None:
                yield f"sent without a record: entry {entry['number']} for {entry['delivery_id']}"
            elif entry["recipients"] != [to["email"] for to in row["to"]]:
                yield f"sent to others: entry {entry['number']} of {_row(row)} went to {entry['recipients']}"

    def _states_and_ledger_agree(self) -> Iterator[str]:
        accepted = {entry["delivery_id"] for entry in self.ledger}
        for row in self.rows:
            if row["state"] == "accepted" and row["_id"] not in accepted:
                yield f"a lie: {_row(row)} is accepted, and the provider has none"
            if row["state"] not in ("accepted", "unknown") and row["_id"] in accepted:
                yield f"a lie: {_row(row)} is {row['state']}, and the provider has one"

    def _unknown_ones_are_few(self) -> Iterator[str]:
        unknown = [row for row in self.rows if row["state"] == "unknown"]
        if len(unknown) > self.unknown_at_most:
            names = ", ".join(_row(row) for row in unknown[:5])
            yield f"{len(unknown)} are unknown, {self.unknown_at_most} may be: {names}"

    def _nothing_was_called_again_by_guess(self) -> Iterator[str]:
        for row in self.rows:
            refused = sum(attempt.get("outcome") in REFUSALS for attempt in row["attempts"])
            asked = self.requests.get(row["_id"], 0)
            if asked > refused + 1:
                yield f"called again by guess: {_row(row)}, {asked} calls after {refused} provable refusals"

    def _attempts_are_numbered(self) -> Iterator[str]:
        names: dict[str, list[str]] = defaultdict(list)
        for row in self.rows:
            numbers = [attempt["no"] for attempt in row["attempts"]]
            if numbers != list(range(1, row["attempt_no"] + 1)):
                yield f"numbered wrongly: {_row(row)} has attempts {numbers} and is at {row['attempt_no']}"
            for attempt in row["attempts"]:
                names[attempt["id"]].append(row["_id"])
        for attempt_id, those in names.items():
            if len(those) > 1:
                yield f"one attempt for several: {attempt_id} in {those}"


def states(rows: Iterable[Row]) -> Counter[str]:
    """How many are in which state."""
    return Counter(row["state"] for row in rows)


def _mail(row: Row) -> Mail:
    return ",".join(to["email"] for to in row["to"]), row["due_at"]


def _name(mail: Mail) -> str:
    return f"{mail[0]} at {mail[1]:%H:%M:%S}"


def _row(row: Row) -> str:
    return f"{row['_id']} ({_name(_mail(row))}, attempts {[attempt.get('outcome') for attempt in row['attempts']]})"
