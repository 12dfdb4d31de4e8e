"""Time zones, read from the pinned `tzdata` package.

The machine's own copy is never asked: hosts with different copies would disagree about an instant, and so about the id of
an occurrence.
"""

import difflib
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from fencepost.errors import Invalid, Problem

_NOT_A_PLACE = "Factory"  # tzdata's placeholder for "zone not set"


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """Every zone name that a schedule may use, sorted."""
    listed = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return tuple(sorted(set(listed) - {_NOT_A_PLACE}))


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone of this name. Raises KeyError where there is none."""
    if name not in zone_names():
        raise KeyError(name)
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def read_zone(name: str, pointer: str) -> ZoneInfo:
    """The zone that a person named. Raises Invalid, with the names that they may have meant."""
    try:
        return zone(name)
    except KeyError:
        raise Invalid(Problem(pointer, f"“{name}” is not a time zone of the IANA database. {_meant(name)}")) from None


def city(zone_info: ZoneInfo) -> str:
    """What people call a zone: `Buenos Aires` for America/Argentina/Buenos_Aires, `UTC` for every name of UTC."""
    name = zone_info.key
    if name in ("UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu"):
        return "UTC"
    return name if name.startswith("Etc/") else name.rpartition("/")[2].replace("_", " ")


def _meant(name: str) -> str:
    near = _near(name[:64])
    if not near:
        return "Use a name such as Europe/Berlin or UTC."
    return f"Did you mean {' or '.join(near)}?"


def _near(name: str) -> list[str]:
    wanted = name.strip().replace(" ", "_").casefold()
    by_key = {key.casefold(): key for key in zone_names()}
    by_city: dict[str, str] = {}
    for key in zone_names():
        by_city.setdefault(key.rpartition("/")[2].casefold(), key)
    if wanted in by_key:
        return [by_key[wanted]]
    if wanted in by_city:
        return [by_city[wanted]]
    last = wanted.rpartition("/")[2]
    found = [by_key[key] for key in difflib.get_close_matches(wanted, by_key, n=3, cutoff=0.75)]
    found += [by_city[key] for key in difflib.get_close_matches(last, by_city, n=2, cutoff=0.75)]
    return list(dict.fromkeys(found))[:3]
