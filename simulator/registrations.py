"""Where each provider was asked, through its own API, to tell what becomes of mail: Mailgun's webhooks of a domain, SendGrid's Event
Webhooks, Mailjet's eventcallbackurl, and SNS's Subscribe, with the bodies of their references. Kept as long as the process."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from fencepost.settings import Simulator
from simulator import documents, mailgun, mailjet, sendgrid, signatures

MAILGUN_KINDS: Final = frozenset({
    "accepted", "delivered", "temporary_fail", "permanent_fail", "complained", "opened", "clicked", "unsubscribed",
})  # fmt: skip
MAILJET_KINDS: Final = frozenset({"sent", "open", "click", "bounce", "blocked", "spam", "unsub"})
MOST_OF_MAILGUN, MOST_OF_SENDGRID = 3, 2
_NO_ROOM = "You have reached the maximum number of webhooks allowed"


class Registrations:
    """By provider: what was registered. Safe for many threads."""

    def __init__(self, changed: Callable[[str, list[str]], None] | None = None) -> None:
        """`changed` hears of a provider and all addresses that it is to tell from then on."""
        self._changed = changed
        self._lock = threading.RLock()
        self.mailgun: dict[str, list[str]] = {}
        self.sendgrid: dict[str, dict[str, Any]] = {}
        self.mailjet: dict[int, dict[str, Any]] = {}
        self.sns: list[str] = []

    def __enter__(self) -> "Registrations":
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def tell(self, provider: str) -> None:
        if self._changed:
            self._changed(provider, self.urls()[provider])

    def urls(self) -> dict[str, list[str]]:
        """Each address once."""
        with self._lock:
            return {
                "mailgun": _once(url for urls in self.mailgun.values() for url in urls),
                "sendgrid": _once(each["url"] for each in self.sendgrid.values() if each.get("enabled")),
                "mailjet": _once(each["Url"] for each in self.mailjet.values() if each["Status"] == "alive"),
                "ses": _once(self.sns),
            }

    def clear(self) -> None:
        with self._lock:
            self.mailgun, self.sendgrid, self.mailjet, self.sns = {}, {}, {}, []
        for provider in self.urls():
            self.tell(provider)


def create(settings: Simulator, registrations: Registrations, public_key: str = "") -> Blueprint:
    """The providers' paths, and GET and DELETE /_simulator/registrations. `public_key`: what SendGrid says that it signs with."""
    bp = Blueprint("registrations", __name__)
    _mailgun(bp, settings, registrations)
    _sendgrid(bp, settings, registrations, public_key)
    _mailjet(bp, settings, registrations)
    _sns(bp, settings, registrations)

    @bp.get("/_simulator/registrations")
    def show() -> Response:
        """{provider: [addresses]}."""
        return jsonify(registrations.urls())

    @bp.delete("/_simulator/registrations")
    def clear() -> Response:
        registrations.clear()
        return Response(status=204)

    return bp


def _mailgun(bp: Blueprint, settings: Simulator, registrations: Registrations) -> None:
    keys = [(settings.events_api_key or settings.api_key).get_secret_value()]

    def refusal(domain: str) -> Response | None:
        if not mailgun.is_authorized(keys):
            return Response("Forbidden", 401, content_type="text/plain; charset=utf-8")
        return None if domain in settings.domains else mailgun.message(404, f"Domain not found: {domain}")

    def answer(said: str, urls: list[str]) -> Response:
        body = json.dumps({"message": said, "webhook": {"urls": urls}})
        return Response(body, 200, content_type="application/json")

    def wrong(urls: list[str]) -> Response | None:
        if 0 < len(urls) <= MOST_OF_MAILGUN:
            return None
        return mailgun.message(400, f"between 1 and {MOST_OF_MAILGUN} urls are allowed")

    @bp.get("/v3/domains/<domain>/webhooks")
    def list_mailgun(domain: str) -> Response:
        if refused := refusal(domain):
            return refused
        with registrations:
            found = {kind: {"urls": urls} for kind, urls in registrations.mailgun.items()}
        return Response(json.dumps({"webhooks": found}), 200, content_type="application/json")

    @bp.post("/v3/domains/<domain>/webhooks")
    def create_mailgun(domain: str) -> Response:
        kind, urls = request.form.get("id", ""), request.form.getlist("url")
        if refused := refusal(domain) or wrong(urls):
            return refused
        with registrations:
            if kind not in MAILGUN_KINDS or kind in registrations.mailgun:
                said = "Webhook already exists" if kind in registrations.mailgun else f"Invalid webhook type: {kind}"
                return mailgun.message(400, said)
            registrations.mailgun[kind] = urls
        registrations.tell("mailgun")
        return answer("Webhook has been created", urls)

    @bp.put("/v3/domains/<domain>/webhooks/<kind>")
    def change_mailgun(domain: str, kind: str) -> Response:
        urls = request.form.getlist("url")
        if refused := refusal(domain) or wrong(urls):
            return refused
        with registrations:
            if kind not in registrations.mailgun:
                return mailgun.message(404, "Webhook not found")
            registrations.mailgun[kind] = urls
        registrations.tell("mailgun")
        return answer("Webhook has been updated", urls)


def _sendgrid(bp: Blueprint, settings: Simulator, registrations: Registrations, public_key: str) -> None:
    key, place = settings.api_key.get_secret_value(), "/v3/user/webhooks/event/settings"

    def answer(status: int, found: object) -> Response:
        return Response(json.dumps(found), status, content_type="application/json")

    def signed(found: dict[str, Any]) -> dict[str, str]:
        return {"id": found["id"], "public_key": public_key if found.get("signed") else ""}

    def refusal() -> Response | None:
        return None if sendgrid.is_authorized(key) else sendgrid.errors(403, "access forbidden")

    @bp.get(f"{place}/all")
    def list_sendgrid() -> Response:
        if refused := refusal():
            return refused
        with registrations:
            return answer(200, {"max_allowed": MOST_OF_SENDGRID, "webhooks": list(registrations.sendgrid.values())})

    @bp.post(place)
    def create_sendgrid() -> Response:
        asked = documents.parse(request.get_data())
        if refused := refusal():
            return refused
        with registrations:
            if len(registrations.sendgrid) >= MOST_OF_SENDGRID or not asked.get("url"):
                return sendgrid.errors(400, _NO_ROOM if asked.get("url") else "url is required")
            made = {**asked, "id": f"webhook-{len(registrations.sendgrid) + 1}"}
            registrations.sendgrid[made["id"]] = made
        registrations.tell("sendgrid")
        return answer(201, made)

    @bp.patch(f"{place}/<identifier>")
    def change_sendgrid(identifier: str) -> Response:
        if refused := refusal():
            return refused
        with registrations:
            if identifier not in registrations.sendgrid:
                return sendgrid.errors(404, "not found")
            registrations.sendgrid[identifier] |= {**documents.parse(request.get_data()), "id": identifier}
            found = dict(registrations.sendgrid[identifier])
        registrations.tell("sendgrid")
        return answer(200, found)

    @bp.route(f"{place}/signed/<identifier>", methods=["GET", "PATCH"])
    def sign_sendgrid(identifier: str) -> Response:
        if refused := refusal():
            return refused
        with registrations:
            found = registrations.sendgrid.get(identifier)
            if found is None:
                return sendgrid.errors(404, "not found")
            if request.method == "PATCH":
                found["signed"] = documents.parse(request.get_data()).get("enabled") is True
            return answer(200, signed(found))


def _mailjet(bp: Blueprint, settings: Simulator, registrations: Registrations) -> None:
    keys, place = (
        (settings.api_key.get_secret_value(), settings.secret_key.get_secret_value()),
        "/v3/REST/eventcallbackurl",
    )

    def answer(status: int, found: list[dict[str, Any]]) -> Response:
        return mailjet.answer(status, {"Count": len(found), "Data": found, "Total": len(found)})

    def refusal() -> Response | None:
        text = "API key authentication/authorization failure. You may be unauthorized to access the API."
        return None if mailjet.is_authorized(keys) else mailjet.failure(401, text)

    @bp.get(place)
    def list_mailjet() -> Response:
        if refused := refusal():
            return refused
        with registrations:
            return answer(200, list(registrations.mailjet.values()))

    @bp.post(place)
    def create_mailjet() -> Response:
        asked = documents.parse(request.get_data())
        if refused := refusal():
            return refused
        kind = asked.get("EventType", "open")
        with registrations:
            if kind not in MAILJET_KINDS or not asked.get("Url"):
                return mailjet.failure(400, f'Invalid value for EventType: "{kind}"')
            if any(each["EventType"] == kind for each in registrations.mailjet.values()):
                return mailjet.failure(400, f'MJ18 A Eventcallbackurl resource with value "{kind}" already exists.')
            made = {"Version": 1, "Status": "alive", "IsBackup": False, **asked, "ID": len(registrations.mailjet) + 1}
            registrations.mailjet[made["ID"]] = made
        registrations.tell("mailjet")
        return answer(201, [made])

    @bp.put(f"{place}/<int:identifier>")
    def change_mailjet(identifier: int) -> Response:
        if refused := refusal():
            return refused
        with registrations:
            if identifier not in registrations.mailjet:
                return mailjet.failure(404, "Object not found")
            registrations.mailjet[identifier] |= {**documents.parse(request.get_data()), "ID": identifier}
            found = dict(registrations.mailjet[identifier])
        registrations.tell("mailjet")
        return answer(200, [found])


def _sns(bp: Blueprint, settings: Simulator, registrations: Registrations) -> None:
    keys = settings.api_key.get_secret_value(), settings.secret_key.get_secret_value()

    @bp.post("/sns/")
    def subscribe() -> Response:
        # Read before Flask takes it for a form: the signature covers the bytes.
        body = request.get_data(cache=True)
        if wrong := signatures.problem(keys, body, time.time(), "sns"):
            name, text = wrong
            return _xml(
                403, f"<ErrorResponse><Error><Code>{name}</Code><Message>{text}</Message></Error></ErrorResponse>"
            )
        if request.form.get("Action") != "Subscribe":
            return _xml(400, "<ErrorResponse><Error><Code>InvalidAction</Code></Error></ErrorResponse>")
        topic, url = request.form.get("TopicArn", ""), request.form.get("Endpoint", "")
        with registrations:
            known = url in registrations.sns
            if not known:
                registrations.sns.append(url)
        arn = f"{topic}:1" if known else "pending confirmation"
        if not known:
            registrations.tell("ses")
        result = f"<SubscribeResult><SubscriptionArn>{arn}</SubscriptionArn></SubscribeResult>"
        return _xml(
            200, f'<SubscribeResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">{result}</SubscribeResponse>'
        )


def _xml(status: int, body: str) -> Response:
    return Response(body, status, content_type="text/xml")


def _once(urls: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(urls))
