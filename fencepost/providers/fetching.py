"""Fetching the few small things that a provider's calls name: certificates, and addresses that confirm a subscription. The
addresses were checked by whoever read the call; here nothing but them is asked."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import requests

from fencepost.errors import Unreachable

_SECONDS = 3
"""To connect, and again between two pieces of the answer."""
_MOST_BYTES = 65_536
_KEPT = 16


def fetch(url: str) -> bytes:
    """The body of a 200. Raises Unreachable for anything else, for a redirect and for more than 64 KB."""
    try:
        with requests.get(url, timeout=_SECONDS, allow_redirects=False, stream=True) as answer:
            body = answer.raw.read(_MOST_BYTES + 1, decode_content=True)
    except (requests.RequestException, OSError, ValueError) as error:
        raise Unreachable("sns", f"{type(error).__name__} from {url}") from error
    if answer.status_code != 200 or len(body) > _MOST_BYTES:
        raise Unreachable("sns", f"{answer.status_code} and {len(body)} bytes from {url}")
    return bytes(body)


class Certificates:
    """What was fetched, the last few addresses of it. Safe for many threads; two who miss it at once both fetch."""

    def __init__(self, fetch: Callable[[str], bytes] = fetch) -> None:
        self._fetch = fetch
        self._lock = Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def get(self, url: str) -> bytes:
        """What stands at that address. Raises Unreachable."""
        with self._lock:
            if url in self._kept:
                self._kept.move_to_end(url)
                return self._kept[url]
        found = self._fetch(url)
        with self._lock:
            self._kept[url] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found
