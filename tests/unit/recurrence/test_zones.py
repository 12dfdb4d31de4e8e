"""Clock changes are found by probing; the zone files themselves say where they are."""

import struct
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import pairwise

import pytest

from fencepost.recurrence import local
from fencepost.recurrence.zones import zone, zone_names

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def changes(name: str) -> list[datetime]:
    """Each instant since 1970 from which on another offset holds, as TZif (RFC 8536) lists them."""
    data = resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    first = header(data, 0)
    start = 44 + first[3] * 5 + first[4] * 6 + first[5] + first[2] * 8 + first[1] + first[0]
    _, _, _, count, types, _ = header(data, start)
    begin = start + 44
    times = struct.unpack(f">{count}q", data[begin : begin + 8 * count])
    indices = data[begin + 8 * count : begin + 9 * count]
    offsets = [struct.unpack_from(">lBB", data, begin + 9 * count + 6 * number)[0] for number in range(types)]
    before, found = offsets[0], []
    for time, index in zip(times, indices, strict=True):
        if offsets[index] != before and time > 0:
            found.append(EPOCH + timedelta(seconds=time))
        before = offsets[index]
    return found


def header(data: bytes, start: int) -> tuple[int, ...]:
    return struct.unpack(">6l", data[start + 20 : start + 44])


def test_no_zone_changes_twice_between_two_probes() -> None:
    closest = min(later - earlier for name in zone_names() for earlier, later in pairwise(changes(name)))
    assert closest > 2 * local._PROBE


@pytest.mark.parametrize(
    "name",
    [
        "Africa/Casablanca",
        "Africa/Cairo",
        "America/Goose_Bay",
        "America/Sao_Paulo",
        "Asia/Gaza",
        "Asia/Pyongyang",
        "Pacific/Apia",
    ],
)
def test_stretches_meet_at_every_change(name: str) -> None:
    found = []
    for earlier, later in pairwise(local.stretches(zone(name), EPOCH + timedelta(days=1))):
        assert earlier.end == later.start
        assert (earlier.closes, earlier.then) == (later.before, later.opens)
        if later.before != later.opens:
            found.append(later.start)
        if later.start.year > 2037:
            break
    listed = [at for at in changes(name) if at.year < 2037]  # the file leaves out what its last rule repeats for ever
    assert found[: len(listed)] == listed
