"""Whether a server answers, asked once on loopback. All raise OSError while nobody listens or nobody answers in time."""

import json
import socket
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

TIMEOUT_SECONDS = 1


def mongodb_is_primary(port: int, replica_set: str) -> bool:
    """Whether the node takes writes; makes it the only member of its replica set the first time that it answers."""
    return bool(_hello(port, [port], replica_set).get("isWritablePrimary"))


def mongodb_is_member(port: int, ports: Sequence[int], replica_set: str) -> bool:
    """Whether the node has a primary, or is it; makes all of these one replica set the first time that the first answers."""
    return bool(_hello(port, ports, replica_set).get("primary"))


def _hello(port: int, ports: Sequence[int], replica_set: str) -> dict[str, object]:
    try:
        with MongoClient[dict[str, object]](
            "127.0.0.1", port, directConnection=True, timeoutMS=TIMEOUT_SECONDS * 1000
        ) as client:
            hello = client.admin.command("hello")
            if "setName" not in hello and port == ports[0]:
                members = [{"_id": number, "host": f"127.0.0.1:{each}"} for number, each in enumerate(ports)]
                settings = {"electionTimeoutMillis": 10_000 if len(ports) == 1 else 3_000}
                configuration = {"_id": replica_set, "members": members, "settings": settings}
                client.admin.command("replSetInitiate", configuration)
            return hello
    except OperationFailure:
        return {}  # it is initiated already and still reads its own configuration, or the others are not there yet
    except PyMongoError as error:
        raise ConnectionError(str(error)) from error


def etcd_is_healthy(port: int) -> bool:
    """Whether this member has a leader."""
    status, body = _get("127.0.0.1", port, "/health")
    return status == 200 and json.loads(body).get("health") == "true"


def redis_answers(port: int) -> bool:
    """Whether it has read its files and takes commands."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(64) == b"+PONG\r\n"


def http_is_ready(url: str) -> bool:
    """Whether a GET of that address answers 200."""
    parts = urlsplit(url)
    return _get(parts.hostname or "", parts.port or 80, parts.path)[0] == 200


def _get(host: str, port: int, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
