"""What tests use: the dials and the ledger, as JSON under /_simulator."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request

from simulator.dials import Dials, Setting, WrongDials, parse
from simulator.events import Events
from simulator.ledger import Entry, Ledger
from simulator.webhooks import Webhooks

MAX_LIMIT = 10_000


def create(ledger: Ledger, dials: Dials, events: Events, webhooks: Webhooks) -> Blueprint:
    """GET and PUT /dials, GET and DELETE /ledger, and its summaries; PUT /webhooks."""
    bp = Blueprint("control", __name__, url_prefix="/_simulator")

    @bp.get("/dials")
    def get_dials() -> Response:
        return jsonify(dials.setting.as_json())

    @bp.put("/dials")
    def put_dials() -> Response | tuple[Response, int]:
        try:
            dials.turn(parse(request.get_json(force=True, silent=True)))
        except WrongDials as wrong:
            return jsonify(detail=str(wrong)), 422
        return jsonify(dials.setting.as_json())

    @bp.delete("/dials")
    def reset_dials() -> Response:
        dials.turn(Setting())
        return jsonify(dials.setting.as_json())

    @bp.put("/webhooks")
    def point_webhooks() -> Response | tuple[Response, int]:
        """{"url": …}: where to tell from now on, the name of the provider added; null: nowhere."""
        asked = request.get_json(force=True, silent=True)
        url = asked.get("url", "") if isinstance(asked, dict) else ""
        if url is not None and not (isinstance(url, str) and url.startswith(("http://", "https://"))):
            return jsonify(detail="url is an address, such as http://127.0.0.1:5000/hooks, or null"), 422
        webhooks.point(url)
        return jsonify(url=url)

    @bp.get("/ledger")
    def get_ledger() -> Response | tuple[Response, int]:
        since, limit = request.args.get("since", "0"), request.args.get("limit", "1000")
        if not (since.isdecimal() and limit.isdecimal() and 1 <= int(limit) <= MAX_LIMIT):
            return jsonify(detail=f"since is a number of an entry, limit is 1 to {MAX_LIMIT}"), 422
        entries = ledger.after(int(since), int(limit))
        return jsonify(data=[shown(entry) for entry in entries], next=entries[-1].number if entries else int(since))

    @bp.delete("/ledger")
    def clear_ledger() -> Response:
        ledger.clear()
        events.clear()
        return Response(status=204)

    @bp.get("/ledger/count")
    def count() -> Response:
        """Counts of accepted mails and of requests; both per delivery id would be `requests` and `duplicates`."""
        return jsonify(ledger.counts())

    @bp.get("/ledger/duplicates")
    def duplicates() -> Response:
        """Deliveries that were accepted more than once: {delivery id: [numbers of entries]}."""
        return jsonify(data=ledger.duplicates())

    @bp.get("/ledger/requests")
    def requests() -> Response:
        """How often each delivery was asked for, accepted or not: {delivery id: count}."""
        return jsonify(data=ledger.requests())

    return bp


def shown(entry: Entry) -> dict[str, Any]:
    """An entry as the API shows it: flat."""
    values = asdict(entry)
    mail = values.pop("mail")
    mail["from"] = mail.pop("sender")
    return {**values, **mail}
