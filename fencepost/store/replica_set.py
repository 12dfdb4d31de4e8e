"""A MongoDB that nobody has used yet becomes a replica set: a server alone has neither majority reads nor retryable writes."""

from pymongo import MongoClient
from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri

from fencepost import settings
from fencepost.errors import Misconfigured
from fencepost.store.mongodb import Document, answering

_ALREADY_INITIALIZED = 23
_NO_REPLICATION_ENABLED = 76


def initiate(options: settings.MongoDB) -> bool:
    """Make the servers of the address a replica set, unless they are one; whether there is a primary now (a moment later
    there is, so ask again). May be called by several at once. Raises Unreachable, Misconfigured.
    """
    address = parse_uri(options.url)
    name, members = address["options"].get("replicaSet"), address["nodelist"]
    if not name:
        raise Misconfigured(
            "FENCEPOST_MONGODB__URL: say ?replicaSet=, the name that mongod was started with (--replSet)"
        )
    host, port = members[0]
    milliseconds = round(options.timeout_seconds * 1000)
    with MongoClient[Document](host, port, directConnection=True, timeoutMS=milliseconds) as client, answering():
        hello = client.admin.command("hello")
        if "setName" not in hello:
            _initiate(client, name, members)
    return "primary" in hello


def _initiate(client: MongoClient[Document], name: str, members: list[tuple[str, int]]) -> None:
    hosts = [{"_id": number, "host": f"{host}:{port}"} for number, (host, port) in enumerate(members)]
    try:
        client.admin.command("replSetInitiate", {"_id": name, "members": hosts})
    except OperationFailure as error:
        if error.code == _NO_REPLICATION_ENABLED:
            raise Misconfigured(
                f"start mongod with --replSet {name}: a server alone can't be read by majority"
            ) from None
        if error.code != _ALREADY_INITIALIZED:  # another was faster, or it still reads its own configuration
            raise
