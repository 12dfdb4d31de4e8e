"""What every blueprint needs: the registry of this app, the fragment-or-page decision, and what may be said after a redirect."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import uuid4

from flask import current_app, redirect, render_template, request, url_for
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response

from frontend.registry_client import Registry
from frontend.security import MAIL_POLICY

REGISTRY: Final = "fencepost-registry"
CLOCK: Final = "fencepost-clock"
NAMED: Final = 20
"""How many ids an address names at most."""


class IdConverter(BaseConverter):
    """An id of the API in an address: `sch_01JD…`. Nothing else reaches the registry's paths."""

    regex = "[a-z]{2,8}_[0-9A-Za-z]{1,64}"


class ProviderConverter(BaseConverter):
    """A provider's name in an address."""

    regex = "[a-z][a-z0-9]{1,31}"


def registry() -> Registry:
    """The registry that this app was built with."""
    return cast(Registry, current_app.extensions[REGISTRY])


def now() -> datetime:
    """This app's clock: an aware datetime in UTC."""
    return cast(datetime, current_app.extensions[CLOCK]())


def wants_fragment() -> bool:
    """Whether htmx asks for a part of a page, and not to restore a whole one from its history."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"


def render_fragment(template: str, title: str, **context: Any) -> str:
    """A part of a page by itself for htmx, and as a page of its own for whoever opens its address."""
    if wants_fragment():
        return render_template(template, **context)
    return render_template("alone.html", part=template, title=title, **context)


def go_to(endpoint: str, *, done: str = "", **values: Any) -> Response:
    """After a change: on to a page that says what was done. `done` is a key of notices.html."""
    return redirect(url_for(endpoint, done=done or None, **values), code=303)


def still_leaving(in_flight: Sequence[str] | None) -> dict[str, Any]:
    """For go_to: the mails that a change came too late for, how many and the first of them by name."""
    return {"in_flight": ",".join(in_flight[:NAMED]), "leaving": len(in_flight)} if in_flight else {}


def ids_in(text: str | None, limit: int = NAMED) -> list[str]:
    """The ids in a comma-separated parameter; anything else in it is dropped."""
    return re.findall(r"[a-z]{2,8}_[0-9A-Za-z]{1,64}", text or "")[:limit]


def new_key() -> str:
    """A fresh Idempotency-Key: a form carries it, so that sending the form twice does the thing once."""
    return str(uuid4())


def sealed(html: str) -> Response:
    """A document of foreign origin. A srcdoc frame would inherit the page's policy and lose the mail's own style."""
    return Response(
        html, mimetype="text/html", headers={"Content-Security-Policy": MAIL_POLICY, "Referrer-Policy": "no-referrer"}
    )
