"""Looking up names, as this machine does."""

import socket
from collections.abc import Sequence


def resolve(host: str) -> Sequence[str]:
    """The addresses of a name, each once. Raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
