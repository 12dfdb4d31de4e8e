"""A MongoDB that nobody has used yet becomes a replica set: a server alone has neither majority reads nor retryable writes."""

from collections.abc import Sequence
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri

from fencepost import settings
from fencepost.errors import Misconfigured, Unreachable
from fencepost.store.mongodb import Document, answering

_ALREADY_INITIALIZED = 23
_NO_REPLICATION_ENABLED = 76
_NOT_YET = {103, 109, 10107, 13435, 11602, 91}
"""Codes of a reconfiguration that has to wait: one is under way, the set has just changed its primary, or not settled yet."""

_OTHERS_NOT_THERE = {74}

Member = tuple[str, int | None]


def initiate(options: settings.MongoDB) -> bool:
    """Make the servers of the address a replica set, unless they are one, and add to it those that the address names and it does
    not have; whether it is ready now (a moment later it is, so ask again). May be called by several at once. Raises
    Unreachable, Misconfigured.
    """
    address = parse_uri(options.url)
    name, members = address["options"].get("replicaSet"), address["nodelist"]
    if not name:
        raise Misconfigured(
            "FENCEPOST_MONGODB__URL: say ?replicaSet=, the name that mongod was started with (--replSet)"
        )
    hello = _first_answer(options, members)
    if "setName" not in hello:
        _initiate(options, name, members)
        return False
    if "primary" not in hello:
        return False
    missing = [f"{host}:{port}" for host, port in members if f"{host}:{port}" not in hello["hosts"]]
    if missing:
        _add(options, missing[0])
    return not missing


def _first_answer(options: settings.MongoDB, members: Sequence[Member]) -> Document:
    """What a member says of the set; of those that answer, one that is in it."""
    alone, problem = None, Unreachable("mongodb", "the address names no server")
    for member in members:
        try:
            with _connected(options, member) as client, answering():
                hello: Document = client.admin.command("hello")
        except Unreachable as unreachable:
            problem = unreachable
            continue
        if "setName" in hello:
            return hello
        alone = alone or hello
    if alone is None:
        raise problem
    return alone


def _initiate(options: settings.MongoDB, name: str, members: Sequence[Member]) -> None:
    """MongoDB itself sees to it that all of them are there and none of them holds data."""
    hosts = [{"_id": number, "host": f"{host}:{port}"} for number, (host, port) in enumerate(members)]
    with _connected(options, members[0]) as client, answering():
        try:
            client.admin.command("replSetInitiate", {"_id": name, "members": hosts})
        except OperationFailure as error:
            if error.code == _NO_REPLICATION_ENABLED:
                raise Misconfigured(
                    f"start mongod with --replSet {name}: a server alone can't be read by majority"
                ) from None
            if error.code in _OTHERS_NOT_THERE:
                raise Unreachable("mongodb", f"the replica set can't be made yet: {error}"[:200]) from error
            if error.code != _ALREADY_INITIALIZED:  # another was faster, or it still reads its own configuration
                raise


def _add(options: settings.MongoDB, newcomer: str) -> None:
    """One at a time: MongoDB takes no more in one change."""
    with MongoClient[Document](options.url, timeoutMS=round(options.timeout_seconds * 1000)) as client, answering():
        configuration: dict[str, Any] = client.admin.command("replSetGetConfig")["config"]
        members = configuration["members"]
        if newcomer in {member["host"] for member in members}:
            return
        number = max(member["_id"] for member in members) + 1
        configuration |= {
            "version": configuration["version"] + 1,
            "members": [*members, {"_id": number, "host": newcomer}],
        }
        try:
            client.admin.command("replSetReconfig", configuration)
        except OperationFailure as error:
            if error.code not in _NOT_YET:
                raise


def _connected(options: settings.MongoDB, member: Member) -> MongoClient[Document]:
    host, port = member
    return MongoClient[Document](host, port, directConnection=True, timeoutMS=round(options.timeout_seconds * 1000))
