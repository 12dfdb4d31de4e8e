"""The collection `mail_counts`, as reports read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo.database import Database

from fencepost.mail_counts import COUNTS, Group, pieces
from fencepost.store.mongodb import Document, answering

_FIELDS: Mapping[Group, str] = {"provider": "$cells.provider", "tag": "$cells.tags", "schedule": "$cells.schedule_id"}


@dataclass(frozen=True, slots=True)
class Question:
    """What a report is asked for: an owner's mail from the first to the last of `begins`, which are the beginnings of days and the end
    of the last one; grouped, and only what the filters name."""

    owner_id: str
    begins: Sequence[datetime]
    group: Group
    provider: str | None = None
    tag: str | None = None
    schedule_id: str | None = None

    @property
    def filters(self) -> list[Document]:
        """Of one cell, as expressions."""
        found: list[Document] = []
        if self.provider is not None:
            found.append({"$eq": ["$$this.provider", {"$literal": self.provider}]})
        if self.schedule_id is not None:
            found.append({"$eq": ["$$this.schedule_id", {"$literal": self.schedule_id}]})
        if self.tag is not None:
            found.append({"$in": [{"$literal": self.tag}, "$$this.tags"]})
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """The counts of each group, by its day's number, its name or None for mail that has none, and of all mail together."""

    groups: Mapping[str | int | None, dict[str, int]] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MailReports:
    """Reports by owner, time and group."""

    database: Database[Document]

    def counted_at(self) -> datetime | None:
        """When it was last looked what has changed; None: never yet."""
        with answering():
            row = self.database.mail_counts.find_one({"_id": "progress"}, {"counted_at": 1})
        return row.get("counted_at") if row else None

    def read(self, question: Question) -> Found:
        """What was counted of it. A mail of several tags is in the group of each, and once in the totals."""
        by_day = question.group == "day"
        key: Any = number_of("$at", question.begins) if by_day else _FIELDS[question.group]
        groups = self._grouped(question, key, by_day=by_day)
        if question.group == "tag":
            [totals] = self._grouped(question, None, by_day=False).values() or [dict.fromkeys(COUNTS, 0)]
        else:
            totals = {name: sum(counts[name] for counts in groups.values()) for name in COUNTS}
        return Found(groups, totals)

    def _grouped(self, question: Question, key: Any, *, by_day: bool) -> dict[str | int | None, dict[str, int]]:
        read = [
            {"owner_id": question.owner_id, "span": piece.span, "at": {"$gte": piece.begin, "$lt": piece.end}}
            for piece in pieces(question.begins, by_day=by_day)
        ]
        stages: list[Document] = [{"$match": {"$or": read}}]
        if question.filters:
            cells = {"$filter": {"input": "$cells", "as": "this", "cond": {"$and": question.filters}}}
            stages.append({"$project": {"at": 1, "cells": cells}})
        if by_day or key is None:  # all cells of a piece together
            sums = {
                name: {"$sum": {"$sum": f"$cells.counts.{name}"} if question.filters else f"$total.{name}"}
                for name in COUNTS
            }
        else:
            stages.append({"$unwind": "$cells"})
            if key == _FIELDS["tag"]:
                stages.append({"$set": {"cells.tags": {"$setUnion": ["$cells.tags", []]}}})  # a mail may name one twice
                stages.append({"$unwind": {"path": "$cells.tags", "preserveNullAndEmptyArrays": True}})
                key = {"$ifNull": ["$cells.tags", None]}
            sums = {name: {"$sum": f"$cells.counts.{name}"} for name in COUNTS}
        stages.append({"$group": {"_id": key, **sums}})
        with answering():
            rows = self.database.mail_counts.aggregate(stages)
            return {row["_id"]: {name: row[name] for name in COUNTS} for row in rows}


def number_of(instant: str, begins: Sequence[datetime]) -> Any:
    """An expression: in which of the days that begin then an instant lies. The zone's rules stay ours; the server only compares."""

    def among(first: int, last: int) -> Any:
        if last - first == 1:
            return first
        middle = (first + last) // 2
        return {"$cond": [{"$lt": [instant, begins[middle]]}, among(first, middle), among(middle, last)]}

    return among(0, len(begins) - 1)
