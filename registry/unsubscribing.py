"""/unsubscribe: where the link in a mail leads. Looking at it changes nothing, since programs look at links as well; pressing the
button does, in the page or in a mail program (RFC 8058)."""

from html import escape

from flask import Blueprint, Response, abort, request

from fencepost.logs import get_logger
from fencepost.schedules import milliseconds
from fencepost.suppression import Reason, suppress
from fencepost.unsubscribing import PATH, Wish
from registry.access import public
from registry.parts import Parts, parts

log = get_logger(__name__)
bp = Blueprint("unsubscribing", __name__)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; --ink: #1b2430; --quiet: #556270; --ground: #f4f6f8; --card: #fff; --line: #dbe1e8; --press: #1f5fbf; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e8edf3; --quiet: #a4b1bf; --ground: #12181f; --card: #1b232c; --line: #303b47; --press: #8fbdff; }}
  button {{ color: #10161d !important; }}
}}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }}
main {{ box-sizing: border-box; width: min(28rem, 100% - 2rem); padding: 2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; }}
h1 {{ margin: 0 0 .5rem; font-size: 1.35rem; line-height: 1.25; }}
p {{ margin: 0 0 1.25rem; color: var(--quiet); overflow-wrap: anywhere; }}
p:last-child {{ margin: 0; }}
strong {{ color: var(--ink); }}
button {{ width: 100%; padding: .75rem 1rem; border: 0; border-radius: .5rem; background: var(--press); color: #fff;
  font: inherit; font-weight: 600; cursor: pointer; }}
button:focus-visible {{ outline: 3px solid var(--ink); outline-offset: 2px; }}
</style>
</head>
<body><main><h1>{title}</h1>{body}</main></body>
</html>
"""


@bp.get(PATH + "<token>")
@public("recipients have no key: the link in their mail is signed")
def ask(token: str) -> Response:
    """Whether they mean it.

    :raise 404: this is no link of ours.
    """
    wish = _wish(parts(), token)
    if wish is None:
        return _no_link()
    button = '<form method="post"><button type="submit">Unsubscribe</button></form>'
    said = f"<p>No more of this mail will be sent to <strong>{escape(wish.email)}</strong>.</p>"
    return _page("Unsubscribe?", said + button)


@bp.post(PATH + "<token>")
@public("recipients have no key: the link in their mail is signed")
def unsubscribe(token: str) -> Response:
    """Suppress the mail that goes to many for this address: at the first press, and no less at the second.

    :raise 404: this is no link of ours.
    """
    p = parts()
    wish = _wish(p, token)
    if wish is None:
        return _no_link()
    how = "one click" if request.form.get("List-Unsubscribe") == "One-Click" else "the page"
    detail = f"Unsubscribed by {how} in {wish.delivery_id}."
    if p.store.suppressions.add(
        suppress(wish.owner_id, wish.email, Reason.UNSUBSCRIBE, detail, milliseconds(p.clock.now()))
    ):
        log.info("A recipient unsubscribed.", action="suppression.unsubscribed", delivery_id=wish.delivery_id)
    return _page(
        "You are unsubscribed",
        f"<p><strong>{escape(wish.email)}</strong> gets no more of this mail. You may close this page.</p>",
    )


def _wish(p: Parts, token: str) -> Wish | None:
    """None: this is no link of ours."""
    return p.texts.links(p.store, p.settings.public_url).read(token)


def _no_link() -> Response:
    """A page for people; programs are told as of any other error."""
    said = "It is not a link of ours, or a part of it is missing. Copy the whole of it from the mail."
    if request.accept_mimetypes.best_match(["application/problem+json", "text/html"]) != "text/html":
        abort(404, said)
    answer = _page("This link leads nowhere", f"<p>{said}</p>")
    answer.status_code = 404
    return answer


def _page(title: str, body: str) -> Response:
    answer = Response(_PAGE.format(title=title, body=body), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer
