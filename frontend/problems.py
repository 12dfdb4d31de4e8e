"""Error pages: what happened, what it means for the mail, and what to do next."""

from dataclasses import dataclass

from flask import Flask, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from fencepost.logs import get_logger
from frontend import sessions
from frontend.registry_client import Refused, RegistryDown
from frontend.security import SAFE_METHODS
from frontend.views import wants_fragment
from frontend.visitors import to_sign_in

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What an error page says. `kind` picks what it advises."""

    status: int
    title: str
    detail: str
    kind: str = "other"
    request_id: str | None = None


def install(app: Flask) -> None:
    """Answer every error with a page, or with a part of one where htmx asks."""

    @app.errorhandler(RegistryDown)
    def registry_down(error: RegistryDown) -> tuple[str, int]:
        log.warning(
            "The registry does not answer.", action="frontend.registry_down", detail=str(error), path=request.path
        )
        return _page(Trouble(503, "The registry does not answer", str(error), kind="registry"))

    @app.errorhandler(Refused)
    def refused(error: Refused) -> ResponseReturnValue:
        if error.status == 404:
            return _page(
                Trouble(404, "There is no such thing here", str(error), kind="missing", request_id=error.request_id)
            )
        if error.status == 401:
            had_key = sessions.session().key is not None
            sessions.begin(sessions.fresh())
            return to_sign_in(why="refused" if had_key else None)
        kind = "server" if error.status >= 500 else "scope" if error.status == 403 else "refused"
        return _page(Trouble(error.status, error.title, str(error), kind=kind, request_id=error.request_id))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        status = error.code or 500
        if status == 404 and (meant := without_slash()):
            return redirect(meant, code=308)
        kind = {404: "missing", 413: "large"}.get(status, "other")
        title = {
            404: "There is no such page",
            413: "That is too large",
            400: "That can't be read",
            403: "That was refused",
        }
        page, _ = _page(Trouble(status, title.get(status, error.name), error.description or "", kind=kind))
        headers = [
            (name, value)
            for name, value in error.get_headers()
            if name.lower() not in ("content-type", "content-length")
        ]
        return page, status, headers

    @app.errorhandler(Exception)
    def failed(error: Exception) -> tuple[str, int]:
        log.error("A page failed.", action="frontend.failed", path=request.path, exc_info=error)
        return _page(Trouble(500, "This page failed", "The error is in the log of the frontend.", kind="failed"))


def without_slash() -> str | None:
    """The address of the page that was meant, where a slash at its end is all that is wrong with the one that was asked for."""
    path = request.path.rstrip("/")
    adapter = current_app.create_url_adapter(request)
    if request.method not in SAFE_METHODS or request.url_rule or path == request.path or adapter is None:
        return None
    try:
        # Made from the page that it names: what was asked for may begin with two slashes, and would lead to another host.
        endpoint, values = adapter.match(path, method="GET")
    except HTTPException:
        return None
    query = request.query_string.decode("latin-1")
    return url_for(endpoint, **values) + (f"?{query}" if query else "")


def _page(trouble: Trouble) -> tuple[str, int]:
    template = "problems/_trouble.html" if wants_fragment() else "problems/trouble.html"
    return render_template(template, trouble=trouble), trouble.status
