"""Where a call to an address that somebody else gave us may go: to the public internet, and nowhere near our own servers.

The name is resolved once, here; the call goes to the very address that was looked at, whatever the name says a moment later.
Pure: who resolves names is passed in.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import quote

import idna

from fencepost.errors import FencepostError

Resolve = Callable[[str], Sequence[str]]
"""The addresses of a name; none if it has none. Raises OSError where it can't be told."""

PORTS = (443, 8443)
MAX_URL = 2000
_URL = re.compile(r"(?i:(https?))://([^/?#\\@]+)([/?][^#]*)?")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_INSIDE = (
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "test",
)
"""Ends of names that mean a machine nearby: of oneself, of the office, of the cloud's metadata service."""
_V4_INSIDE = tuple(
    IPv4Network(each)
    for each in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "168.63.129.16/32",
    )  # protocol assignments, 6to4 relays, a cloud's metadata
)
_V6_GLOBAL = IPv6Network("2000::/3")
_V6_NAT64 = IPv6Network("64:ff9b::/96")
_V6_NOT = tuple(IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "3fff::/20"))


class Forbidden(FencepostError):
    """A call may not go there; the message is a sentence for whoever gave the address."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes. `address` is the one to connect to, instead of asking for the name again."""

    url: str
    """As it is called: host and port are written out as they were understood here."""
    host: str
    port: int
    address: str

    @property
    def connect_to(self) -> str:
        """The same for a client that connects elsewhere than the URL says."""
        host, address = (f"[{each}]" if ":" in each else each for each in (self.host, self.address))
        return f"{host}:{self.port}:{address}:{self.port}"


def target(url: str, resolve: Resolve, *, loopback: bool = False) -> Target:
    """Where a call to this address goes. `loopback` (for development): also to this very machine, by http and any port. Raises
    Forbidden, and OSError of `resolve`."""
    scheme, host, port, path = parse(url, loopback=loopback)
    literal = _literal(host)
    addresses = [literal] if literal else [ip_address(each.partition("%")[0]) for each in resolve(host)]
    if not addresses:
        raise Forbidden(f"{host} has no address")
    near = loopback and all(each.is_loopback for each in addresses)
    if not near:
        if scheme != "https" or port not in PORTS:
            raise Forbidden(f"write https, with port {' or '.join(map(str, PORTS))}")
        for each in addresses:
            if not is_public(each):
                raise Forbidden(f"{host} is not a public address")
    shown = f"[{host}]" if ":" in host else host
    return Target(f"{scheme}://{shown}:{port}{path}", host, port, str(addresses[0]))


def parse(url: str, *, loopback: bool = False) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of an address. Raises Forbidden for one that is written in a way that servers read differently."""
    if len(url) > MAX_URL or any(character <= " " or character in "\x7f\\" for character in url):
        raise Forbidden(f"is no address: no spaces, backslashes or control characters, {MAX_URL} characters at most")
    parts = _URL.fullmatch(url)
    authority = _AUTHORITY.fullmatch(parts[2]) if parts else None
    if not parts or not authority:
        raise Forbidden("write https://name/path, without user, password and fragment")
    scheme = parts[1].lower()
    port = int(authority[2] or (443 if scheme == "https" else 80))
    if scheme != "https" and not loopback:
        raise Forbidden("write https: the events would travel in clear")
    if not 0 < port < 65_536 or (port not in PORTS and not loopback):
        raise Forbidden(f"the port is one of {', '.join(map(str, PORTS))}")
    path = quote(parts[3] if (parts[3] or "").startswith("/") else f"/{parts[3] or ''}", safe="/?:@!$&'()*+,;=%~[]")
    return scheme, _host(authority[1], loopback), port, path


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether anybody on the internet may mean this address; of one that carries another inside, whether both may."""
    if isinstance(address, IPv4Address):
        inside = address.is_multicast or address.is_reserved or any(address in each for each in _V4_INSIDE)
        return address.is_global and not inside
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _V6_NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address.sixtofour is not None:
        return is_public(address.sixtofour)
    return address in _V6_GLOBAL and address.is_global and not any(address in each for each in _V6_NOT)


def _host(written: str, loopback: bool) -> str:
    if written.startswith("["):
        try:
            return str(IPv6Address(written[1:-1]))
        except ValueError:
            raise Forbidden(f"{written} is not an address") from None
    try:
        host = written.lower() if written.isascii() else idna.encode(written, uts46=True).decode()
    except idna.IDNAError:
        raise Forbidden(f"{written} is not a name") from None
    labels = host.split(".")
    # What ends in a number is read as an IPv4 address by most, in ways that differ: 0x7f.1, 017700000001, 2130706433.
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise Forbidden(f"{written} is not an address") from None
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise Forbidden(f"{written} is not a name")
    if host == "localhost" and loopback:
        return host
    if len(labels) == 1 or any(host == end or host.endswith(f".{end}") for end in _INSIDE):
        raise Forbidden(f"{written} is not a public name")
    return host


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
