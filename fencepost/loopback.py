"""Whether a request comes from this very machine, as registry and frontend both have to tell."""

import ipaddress
from typing import Final, Protocol

_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FORWARDING: Final = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")


class Headers(Protocol):
    """Headers of a request, asked for by name in any case."""

    def __contains__(self, name: str, /) -> bool: ...


def is_local(peer: str | None, host_name: str, headers: Headers) -> bool:
    """`peer`: the address at the other end; `host_name`: the Host header in lower case and without its port. A proxy on this machine
    must not lend its loopback to whoever it serves, so anything that was forwarded is not local; nor is a page that has
    rebound a name of its own."""
    if any(name in headers for name in _FORWARDING) or host_name not in _NAMES:
        return False
    try:
        return ipaddress.ip_address(peer or "").is_loopback
    except ValueError:
        return False
