"""Files on their way into mail: read once, kept up to so many bytes, and never more under way than there is room for."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, cast

from fencepost.attachments import by_id
from fencepost.errors import Unreachable
from fencepost.messages import Renderer
from fencepost.settlements import Settlement
from sender.effects import Decisions, ReadFiles
from sender.files import FileCache, FileReader
from sender.passes import Claimed
from sender.seats import Seat, Seats
from tests.support.eventually import eventually
from tests.support.rows import planned, sending
from tests.support.schedules import at, definition, schedule


@dataclass
class Store:
    """Files of 100 bytes, by number; `asked` is what was read of them."""

    asked: list[str] = field(default_factory=list)
    away: bool = False

    def read(self, owner_id: str, file_ids: Collection[str]) -> dict[str, bytes]:
        if self.away:
            raise Unreachable("mongodb", "gone")
        self.asked += [f"{owner_id}/{file_id}" for file_id in sorted(file_ids)]
        return {file_id: bytes([int(file_id)]) * 100 for file_id in file_ids if int(file_id) < 100}


def cache(store: Store, most_bytes: int = 350) -> FileCache:
    return FileCache(store, most_bytes)  # type: ignore[arg-type] # of the store's files only `read` is asked


def test_a_file_is_read_once_for_each_owner() -> None:
    store = Store()
    files = cache(store)
    for _ in range(3):
        assert files.read("ann", ["1", "2"]) == {"1": b"\1" * 100, "2": b"\2" * 100}
    files.read("bob", ["1"])
    assert store.asked == ["ann/1", "ann/2", "bob/1"]


def test_no_more_is_kept_than_there_is_room_for_and_what_was_used_last_stays() -> None:
    store = Store()
    files = cache(store)
    for number in range(50):
        assert files.read("ann", ["0", str(number)])
        assert files.kept_bytes <= 350
    assert files.kept_bytes == 300
    assert store.asked.count("ann/0") == 1
    assert store.asked[-1] == "ann/49"


def test_a_file_larger_than_all_the_room_is_read_and_not_kept() -> None:
    store = Store()
    files = cache(store, most_bytes=50)
    assert files.read("ann", ["1"]) == files.read("ann", ["1"]) == {"1": b"\1" * 100}
    assert (files.kept_bytes, len(store.asked)) == (0, 2)


def test_what_is_not_on_record_is_asked_for_again_and_a_store_that_is_away_says_nothing() -> None:
    store = Store()
    files = cache(store)
    assert files.read("ann", ["1", "100"]) == {"1": b"\1" * 100}
    assert files.read("ann", ["1", "100"]) == {"1": b"\1" * 100}
    assert store.asked.count("ann/100") == 2
    store.away = True
    assert files.read("ann", ["1"]) == {"1": b"\1" * 100}
    assert files.read("ann", ["1", "2"]) is None


def test_files_are_read_beside_whoever_asks_and_a_failure_answers_too() -> None:
    begun, go_on, woken = threading.Event(), threading.Event(), threading.Event()

    def perform(effect: ReadFiles) -> dict[str, bytes]:
        begun.set()
        assert go_on.wait(30)
        if effect.owner_id == "bad":
            raise OSError("a fault of ours")
        return dict.fromkeys(effect.ids, b"x")

    reader: FileReader[str] = FileReader(perform, woken.set)
    reader.start()
    reader.ask("first", ReadFiles("bad", ["1"]))
    reader.ask("second", ReadFiles("ann", ["1"]))
    assert begun.wait(30)
    assert reader.collect() == [], "nobody waits for it"
    go_on.set()
    found: list[Any] = []

    def both() -> bool:
        found.extend(reader.collect())
        return len(found) == 2

    eventually(both)
    assert found == [("first", None), ("second", {"1": b"x"})]
    assert woken.is_set()


def seat(name: str, size: int) -> Seat:
    when = at("2026-03-02 09:00")
    text, _ = by_id(definition(), {}, 1, "")
    entry = {"filename": name, "content_type": "a/b", "content_id": None, "size": size, "file_id": name}
    text = {**text, "message": {**text["message"], "attachments": [entry] * 2}}
    [row] = planned(schedule(when, text), when)[1]
    return Seat(Claimed(sending(row), Renderer(text), 0.0), cast("Decisions[Settlement]", iter(())))


def test_mail_waits_for_its_seat_while_the_attachments_of_others_hold_too_much() -> None:
    seats = Seats(most=3, most_bytes=100)
    first, second = seat("first", 30), seat("second", 25)
    assert seats.free() == 3
    seats.take(first)
    assert seats.free() == 2
    seats.take(second)
    assert seats.free() == 0, "110 bytes are under way"
    assert seats.leave(second.item.attempt["id"]) is second
    assert (seats.free(), len(seats)) == (2, 1)
    huge = seat("huge", 10_000)
    seats.take(huge)
    assert seats.free() == 0
    seats.leave(huge.item.attempt["id"])
    seats.leave(first.item.attempt["id"])
    assert (seats.free(), len(seats)) == (3, 0)
