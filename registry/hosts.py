"""Who may talk to the API from where, and what every answer forbids a browser to do with it.

Where loopback is trusted a browser on this machine needs no key, and a foreign web page in it must not borrow that: it may not
reach the API under a name of its own (DNS rebinding), nor post to it from the browser of somebody who can reach it.
"""

from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

from fencepost.unsubscribing import PATH

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PUBLIC = ("/hooks/", PATH)
"""What providers and recipients call under `public_url`: each such request carries its own proof of who may send it."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def install(app: Flask, allowed_hosts: tuple[str, ...], public_url: str) -> None:
    """Refuse foreign Host names (421) and writes from foreign pages (403); put the headers on every answer. Providers and
    recipients know us by `public_url` alone, so what they call answers under its name as well."""
    public = host_name(urlsplit(public_url).netloc)
    public_hosts = (*allowed_hosts, public) if public else allowed_hosts

    @app.before_request
    def refuse_foreigners() -> None:
        host = request.environ.get("HTTP_HOST", "")
        if not is_known_host(host, public_hosts if request.path.startswith(PUBLIC) else allowed_hosts):
            abort(421, "The API does not answer under this name; FENCEPOST_REGISTRY__ALLOWED_HOSTS lists its names.")
        fetch_site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        # A mail program may be a page of its own host, and its link proves enough.
        if request.path.startswith(PATH) or request.method in SAFE_METHODS:
            return
        if not is_own_page(origin, fetch_site, host):
            abort(403, "This was sent by a page of another site; nothing was changed.")

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def is_known_host(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a Host header names one of ours; the port is not looked at."""
    return host_name(host) in {name.lower() for name in allowed}


def host_name(host: str) -> str:
    """`Example.com:5000` -> `example.com`, `[::1]:5000` -> `[::1]`."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and name and port.isdecimal() else host.lower()


def is_own_page(origin: str | None, fetch_site: str | None, host: str) -> bool:
    """Whether a write comes from a page of this very host, or from no page at all: programs send neither header."""
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        return False
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()
