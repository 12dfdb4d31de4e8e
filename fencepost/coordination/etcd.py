"""etcd, by its transactions: several endpoints, each call with a time-out, the next endpoint when one fails.

Of etcd3gw only the plain calls are used. Its Lock enters when the lock is held elsewhere and hides the revision, and its
watch goes silent for ever when a connection breaks: Fencepost reads once a second instead.

A call that is repeated at another endpoint may have been done by the first, or be done by it later. So every transaction
here is guarded by what its caller has read; where one reports that its guards did not hold, read again: what the lost
answer did is there to be seen.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from etcd3gw.client import Etcd3Client
from etcd3gw.exceptions import ConnectionFailedError, ConnectionTimeoutError, Etcd3Exception
from etcd3gw.lease import Lease

from fencepost import settings
from fencepost.errors import LeaseLost, Misconfigured, Unreachable

T = TypeVar("T")

Part = dict[str, Any]
"""A guard or a write of a transaction, as etcd's JSON has it."""

_NO_SUCH_LEASE = 5
"""The code, of gRPC, with which etcd refuses a lease that it does not know."""


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A key as it was read. `lease` is 0 where it has none."""

    key: str
    value: str
    create_revision: int
    mod_revision: int
    lease: int


@dataclass(frozen=True, slots=True)
class Reading:
    """All keys below a prefix, as they were at one revision."""

    revision: int
    keys: Mapping[str, KeyValue]


def absent(key: str) -> Part:
    """Guard: there is no such key."""
    return _guard(key, "CREATE", create_revision=0)


def created_at(key: str, revision: int) -> Part:
    """Guard: the key is the one that was created at this revision, not a later one of the same name."""
    return _guard(key, "CREATE", create_revision=revision)


def unchanged(key: str, revision: int) -> Part:
    """Guard: the key was last written at this revision; 0 means that there is none."""
    return _guard(key, "MOD", mod_revision=revision)


def put(key: str, value: str, lease: int = 0) -> Part:
    """Write: the key holds this value, for as long as the lease lives if there is one."""
    return {"request_put": {"key": _encode(key), "value": _encode(value), "lease": lease}}


def delete(key: str) -> Part:
    """Write: there is no such key."""
    return {"request_delete_range": {"key": _encode(key)}}


class Etcd:
    """One cluster, by the addresses of its members. Every call raises Unreachable when none of them answered in time; it may
    have been done all the same. May be used from several threads; make it after a fork, not before."""

    def __init__(self, config: settings.Etcd) -> None:
        """Connects at the first call. Raises Misconfigured for an address that can't be read."""
        self.prefix = config.prefix
        self._clients = [_client(endpoint, config.timeout_seconds) for endpoint in config.endpoints]
        self._current = 0
        if not self._clients:
            raise Misconfigured(
                "FENCEPOST_ETCD__ENDPOINTS names no etcd; set at least one, such as http://127.0.0.1:2379"
            )

    def read(self) -> Reading:
        """Everything below the prefix, no older than this call."""
        prefix = self.prefix.encode()
        part = {"request_range": {"key": _b64(prefix), "range_end": _b64(prefix[:-1] + bytes([prefix[-1] + 1]))}}
        answer = self._transaction([], [part])
        found = answer["responses"][0]["response_range"].get("kvs", ())
        return Reading(_revision(answer), {key.key: key for key in map(_key_value, found)})

    def transaction(self, guards: Sequence[Part], writes: Sequence[Part]) -> int | None:
        """Do all writes if all guards hold; etcd takes at most 128 of either. Gives the revision of the writes, or None if a
        guard did not hold. Raises LeaseLost if a key was to be put under a lease that etcd does not know."""
        answer = self._transaction(guards, writes)
        return _revision(answer) if answer.get("succeeded") else None

    def grant(self, ttl_seconds: int) -> int:
        """A new lease, kept for at least this long from when etcd got the request."""
        return self._call(lambda client: client.lease(ttl_seconds).id)

    def keep_alive(self, lease: int) -> bool:
        """Whether etcd still knows the lease, whose time then starts anew."""
        return self._call(lambda client: Lease(lease, client).refresh()) > 0

    def revoke(self, lease: int) -> None:
        """End the lease and delete its keys, or find it ended."""
        try:
            self._call(lambda client: Lease(lease, client).revoke())
        except LeaseLost:
            return

    def close(self) -> None:
        for client in self._clients:
            client.session.close()

    def _transaction(self, guards: Sequence[Part], writes: Sequence[Part]) -> Mapping[str, Any]:
        body = {"compare": list(guards), "success": list(writes), "failure": []}
        return self._call(lambda client: client.transaction(body))

    def _call(self, call: Callable[[Etcd3Client], T]) -> T:
        problems = []
        for _ in self._clients:
            client = self._clients[self._current]
            try:
                return call(client)
            # What the library does not wrap: requests' own errors are OSErrors, an answer that is not etcd's the others.
            except (Etcd3Exception, OSError, KeyError, ValueError) as error:
                code, detail = _reason(error)
                if code == _NO_SUCH_LEASE:
                    raise LeaseLost(f"etcd does not know the lease any more: {detail}") from None
                problems.append(f"{client.base_url}: {detail}")
                self._current = (self._clients.index(client) + 1) % len(self._clients)
        raise Unreachable("etcd", "; ".join(problems))


def _client(endpoint: str, timeout_seconds: float) -> Etcd3Client:
    address = urlsplit(endpoint)
    try:
        port = address.port or 2379
    except ValueError:
        port = 0
    if address.scheme not in ("http", "https") or not address.hostname or not port:
        raise Misconfigured(f"FENCEPOST_ETCD__ENDPOINTS: {endpoint!r} is not an address such as http://127.0.0.1:2379")
    client = Etcd3Client(
        host=address.hostname,
        port=port,
        protocol=address.scheme,
        timeout=timeout_seconds,
        api_path="/v3/",
    )
    client.session.trust_env = False  # no proxies and no passwords that happen to lie about
    return client


def _reason(error: Exception) -> tuple[int, str]:
    """etcd's own code and words where it answered, else 0 and what went wrong."""
    detail = getattr(error, "detail_text", None)
    try:
        answer = json.loads(detail or "")
        return int(answer.get("code", 0)), str(answer.get("message") or answer.get("error") or answer)
    except (ValueError, TypeError, AttributeError):
        if isinstance(error, ConnectionTimeoutError):
            return 0, "no answer in time"
        if isinstance(error, ConnectionFailedError):
            return 0, "no connection"
        return 0, str(detail or str(error) or type(error).__name__)


def _key_value(found: Mapping[str, str]) -> KeyValue:
    return KeyValue(
        key=_decode(found["key"]),
        value=_decode(found.get("value", "")),
        create_revision=int(found["create_revision"]),
        mod_revision=int(found["mod_revision"]),
        lease=int(found.get("lease", 0)),
    )


def _guard(key: str, target: str, **value: int) -> Part:
    return {"key": _encode(key), "target": target, "result": "EQUAL", **value}


def _revision(answer: Mapping[str, Any]) -> int:
    return int(answer["header"]["revision"])


def _encode(text: str) -> str:
    return _b64(text.encode())


def _b64(data: bytes) -> str:
    return b64encode(data).decode()


def _decode(data: str) -> str:
    return b64decode(data).decode()
