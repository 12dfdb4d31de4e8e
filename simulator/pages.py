"""The inbox, in which a person reads the mail."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from simulator.dials import Dials, Setting
from simulator.events import Events
from simulator.ledger import Entry, Ledger

PAGE_SIZE = 50
MAIL_POLICY = "default-src 'none'; img-src data: cid:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox"
"""For a mail's own HTML: nothing runs, nothing is fetched, an origin of its own. Its inline styles are what it looks like."""

TOLD = {
    "accept_and_hang": "nothing",
    "accept_and_reset": "a reset",
    "accept_and_500": "500",
    "truncate": "half an answer",
    "drip": "a slow answer",
}
"""What the caller was told instead of the truth, in the words of the pages."""


def create(ledger: Ledger, dials: Dials, events: Events) -> Blueprint:
    """`/` is the inbox, `/messages/<number>` one mail in it."""
    bp = Blueprint("pages", __name__)

    @bp.app_context_processor
    def everywhere() -> dict[str, object]:
        return {"counts": ledger.counts(), "twice": len(ledger.duplicates()), "misbehaves": misbehaves(dials.setting)}

    @bp.app_template_filter()
    def iso(at: float) -> str:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")

    @bp.app_template_filter()
    def clock(at: float) -> str:
        return f"{datetime.fromtimestamp(at, UTC):%d %b, %H:%M:%S} UTC"

    @bp.app_template_filter("bytes")
    def size(count: int) -> str:
        return (
            f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"
        )

    @bp.get("/")
    def inbox() -> str:
        return render_template("inbox.html", **listed(), entry=None)

    @bp.get("/messages/<int:number>")
    def message(number: int) -> str:
        entry = ledger.get(number) or abort(404, "There is no such mail; the inbox may have been emptied since.")
        view = request.args.get("view") or ("html" if entry.mail.html else "text")
        same = [other for other in ledger.duplicates().get(entry.delivery_id or "", []) if other != number]
        return render_template("inbox.html", **listed(), entry=entry, view=view, same=same, told=TOLD.get(entry.answer))

    @bp.get("/messages/<int:number>/html")
    def html(number: int) -> Response:
        entry = ledger.get(number)
        if entry is None or entry.mail.html is None:
            abort(404)
        headers = {"Content-Security-Policy": MAIL_POLICY}
        return Response(entry.mail.html, headers=headers, content_type="text/html; charset=utf-8")

    @bp.get("/rows")
    def rows() -> Response:
        """What came after the mail `after`, as rows for the top of the list."""
        after = request.args.get("after", 0, int)
        entries = list(islice(found(), PAGE_SIZE))
        newer = [entry for entry in entries if entry.number > after]
        return jsonify(
            newest=newer[0].number if newer else after,
            count=len(newer),
            # Fewer than there were: the inbox was emptied. A full page of new ones: the list has a gap.
            reload=ledger.counts()["accepted"] < after or len(newer) == PAGE_SIZE,
            rows=render_template("_rows.html", entries=newer, **shared(), entry=None),
            summary=render_template("_summary.html"),
        )

    @bp.post("/clear")
    def clear() -> AnyResponse:
        ledger.clear()
        events.clear()
        return redirect(url_for("pages.inbox"), 303)

    def found(before: int | None = None) -> Iterator[Entry]:
        return ledger.before(before, request.args.get("q", ""))

    def listed() -> dict[str, object]:
        before = request.args.get("before", None, int)
        entries = list(islice(found(before), PAGE_SIZE + 1))
        older = entries[PAGE_SIZE - 1].number if len(entries) > PAGE_SIZE else None
        return {**shared(), "entries": entries[:PAGE_SIZE], "older": older, "before": before}

    def shared() -> dict[str, object]:
        return {"ledger": ledger, "told_by": TOLD, "q": request.args.get("q", "").strip()}

    return bp


def misbehaves(setting: Setting) -> str:
    """In a few words, how the simulator is set to misbehave; empty when it is not."""
    parts = [f"{setting.latency_ms:g} ms slower"] if setting.latency_ms else []
    for name, fault in setting.faults.items():
        if fault.share:
            parts.append(f"{name} {fault.share:.0%}")
        if fault.next:
            parts.append(f"{name} for the next {fault.next}")
    return ", ".join(parts)
