"""What every answer and every unsafe request must keep to: the page's own host, its own scripts, its own forms."""

from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

PAGE_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
MAIL_POLICY = "; ".join(
    (
        "default-src 'none'",
        "img-src data: cid:",
        # A mail is styled inline or not at all. Nothing that its style could fetch is allowed to load.
        "style-src 'unsafe-inline'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
        "sandbox",
    )
)
"""For a mail's own HTML, shown in a sandboxed frame: no scripts, no forms, no network, an origin of its own."""


def protect(app: Flask, allowed_hosts: tuple[str, ...]) -> None:
    """Refuse foreign Host names (400) and unsafe requests from foreign pages (403); put the headers on every answer."""

    @app.before_request
    def refuse_foreigners() -> None:
        if not is_known_host(request.host, allowed_hosts):
            abort(
                400,
                "This server does not answer under that name. Its names are set by FENCEPOST_FRONTEND__ALLOWED_HOSTS.",
            )
        if request.method in SAFE_METHODS:
            return
        if not is_own_page(request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site"), request.host):
            abort(403, "The form was sent from another site, so nothing was changed.")

    @app.after_request
    def add_headers(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if request.endpoint != "static":
            # Not no-store: that would forget what is typed when one goes back to a form.
            headers.setdefault("Cache-Control", "private, no-cache")
            headers.add("Vary", "HX-Request")
        return response


def is_known_host(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether the Host header names one of ours; the port is not looked at."""
    return host_name(host) in {name.lower() for name in allowed}


def host_name(host: str) -> str:
    """`Example.com:3000` -> `example.com`, `[::1]:3000` -> `[::1]`."""
    name, _, port = host.lower().rpartition(":")
    return name if name and port.isdigit() else host.lower()


def is_own_page(origin: str | None, fetch_site: str | None, host: str) -> bool:
    """Whether an unsafe request comes from a page of this very host.

    Browsers send Origin with every form that they post, and Sec-Fetch-Site where they know it. Neither: refused.
    """
    if fetch_site is not None and fetch_site not in {"same-origin", "none"}:
        return False
    if origin is not None:
        return urlsplit(origin).netloc.lower() == host.lower()
    return fetch_site is not None
