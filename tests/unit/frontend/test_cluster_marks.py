"""Senders keep their marks while one looks on."""

from typing import Any

from frontend.cluster import every_shard, generation, letter, seating
from frontend.shapes import Cluster


def cluster(*members: str, holders: dict[int, str] | None = None, **parts: Any) -> Cluster:
    shards = [
        {"shard": number, "holder": holder, "token": {"generation": 2, "revision": 9}}
        for number, holder in (holders or {}).items()
    ]
    found: Any = {
        "members": [{"id": name, "started_at": f"2026-11-22T12:00:0{number}Z"} for number, name in enumerate(members)],
        "shards": shards,
        "shard_count": 4,
        "notes": [],
        **parts,
    }
    return found  # type: ignore[no-any-return]


def test_the_oldest_comes_first() -> None:
    assert seating(cluster("b", "a"), [""]) == ["b", "a"]


def test_who_goes_leaves_a_seat_that_a_newcomer_takes() -> None:
    order = seating(cluster("a", "b", "c"), [""])
    order = seating(cluster("b", "c"), order)
    assert order == ["", "b", "c"]
    assert seating(cluster("b", "c", "d"), order) == ["d", "b", "c"]


def test_a_holder_that_is_no_member_any_more_is_still_marked() -> None:
    assert seating(cluster("a", holders={0: "gone"}), [""]) == ["a", "gone"]


def test_free_shards_are_shown_too() -> None:
    shown = every_shard(cluster("a", holders={2: "a"}))
    assert [holder for _, holder, _ in shown] == [None, None, "a", None]


def test_parts_that_no_server_told_are_empty() -> None:
    blind = cluster(members=None, shards=None, shard_count=None)
    assert (seating(blind, [""]), every_shard(blind), generation(blind)) == ([""], [], None)


def test_letters_go_on_after_z() -> None:
    assert [letter(number) for number in (0, 25, 26, 51, 52)] == ["A", "Z", "AA", "AZ", "BA"]
