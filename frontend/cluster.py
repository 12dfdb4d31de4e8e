"""The cluster as it is now: who is alive, who holds which shard under which token, and what the guards have stopped."""

from string import ascii_uppercase
from typing import Any, NamedTuple

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from frontend.shapes import Cluster, Token
from frontend.views import registry, render_fragment

bp = Blueprint("cluster", __name__)

COLOURS = 8


class Mark(NamedTuple):
    """How a sender is told from others on the map: by a letter, and by a colour that may repeat."""

    letter: str
    colour: int


@bp.get("/cluster")
def index() -> ResponseReturnValue:
    """The whole page."""
    return render_template("cluster/index.html", **live())


@bp.get("/cluster/live")
def show_live() -> ResponseReturnValue:
    """The part that changes. `marks` says which sender had which mark, so that none changes while one looks on."""
    return render_fragment("cluster/_live.html", "Live cluster", **live())


def live() -> dict[str, Any]:
    cluster = registry().cluster()
    order = seating(cluster, request.args.get("marks", "").split(","))
    return {
        "cluster": cluster,
        "order": order,
        "marks": {member: Mark(letter(seat), seat % COLOURS) for seat, member in enumerate(order) if member},
        "shards": every_shard(cluster),
        "generation": generation(cluster),
        "in_flight": sum(member["in_flight"] or 0 for member in cluster["members"] or ()),
        "view": "list" if request.args.get("view") == "list" else "map",
    }


def seating(cluster: Cluster, before: list[str]) -> list[str]:
    """Who has which mark: everyone keeps theirs, who is gone leaves theirs empty (""), newcomers take the first empty."""
    oldest_first = sorted(cluster["members"] or (), key=lambda member: (member["started_at"], member["id"]))
    holders = sorted(shard["holder"] for shard in cluster["shards"] or () if shard["holder"])
    present = list(dict.fromkeys([*(member["id"] for member in oldest_first), *holders]))
    order = [member if member in present else "" for member in before]
    for member in present:
        if member in order:
            continue
        if "" in order:
            order[order.index("")] = member
        else:
            order.append(member)
    return order


def letter(number: int) -> str:
    """A to Z, then AA, AB and on."""
    first, last = divmod(number, len(ascii_uppercase))
    return (letter(first - 1) if first else "") + ascii_uppercase[last]


def every_shard(cluster: Cluster) -> list[tuple[int, str | None, Token | None]]:
    """All shards in order, held or not."""
    held = {shard["shard"]: shard for shard in cluster["shards"] or ()}
    return [(number, *_holder(held.get(number))) for number in range(cluster["shard_count"] or len(held))]


def _holder(shard: Any) -> tuple[str | None, Token | None]:
    return (shard["holder"], shard["token"]) if shard else (None, None)


def generation(cluster: Cluster) -> int | None:
    """The newest generation among the tokens; it grows when etcd has lost its data."""
    return max((shard["token"]["generation"] for shard in cluster["shards"] or () if shard["token"]), default=None)
