"""The simulator's application, built from the settings."""

import logging
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, abort, render_template, request
from werkzeug.exceptions import HTTPException

from fencepost.settings import Settings, load
from simulator import control, mailgun, mailjet, pages, panel, registrations, sendgrid, ses, smtp, sns_hooks
from simulator.dials import Dials
from simulator.events import Events
from simulator.fates import fate
from simulator.ledger import Entry, Ledger
from simulator.taking import Counter
from simulator.webhooks import Webhooks

PAGE_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


def create_app(settings: Settings | None = None) -> Flask:
    """The simulator with its ledger. None: the environment's settings."""
    simulator = (settings or load()).simulator
    ledger = Ledger(Path(simulator.folder) if simulator.folder else None)
    dials = Dials()
    webhooks = Webhooks(simulator, dials)
    events = Events()
    for entry in ledger.after(0, ledger.counts()["accepted"]):
        # What an earlier process accepted: indexed and told long since.
        if entry.mail.provider == "mailgun":
            for happening in fate(entry, dials.setting):
                events.add(happening)

    def follow(entry: Entry) -> None:
        for happening in fate(entry, dials.setting):
            if entry.mail.provider == "mailgun":
                events.add(happening, dials.index_delay_seconds())
            webhooks.put(happening)

    app = Flask(__name__)
    # A line per mail would say nothing that the ledger does not say better, and cost more than the answer.
    logging.getLogger("gunicorn.access").setLevel(logging.WARNING)
    app.config.update(MAX_CONTENT_LENGTH=mailgun.MAX_REQUEST_BYTES)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.json.compact = True  # type: ignore[attr-defined]
    protect(app, simulator.allowed_hosts)
    app.register_blueprint(mailgun.create(simulator, Counter(ledger, dials, follow), events))
    for dialect in (sendgrid, mailjet, ses):
        app.register_blueprint(dialect.create(simulator, Counter(ledger, dials, follow)))
    if webhooks.sns:
        app.register_blueprint(sns_hooks.create(webhooks.sns))
    if simulator.smtp_port is not None:
        smtp.Server(simulator, ledger, dials)
    registered = registrations.Registrations(webhooks.register)
    app.register_blueprint(registrations.create(simulator, registered, webhooks.public_key))
    app.register_blueprint(control.create(ledger, dials, events, webhooks))
    app.register_blueprint(pages.create(ledger, dials, events))
    app.register_blueprint(panel.create(dials))
    app.add_url_rule("/healthz", view_func=lambda: {"status": "ok"}, endpoint="healthz")
    app.add_url_rule("/readyz", view_func=lambda: {"status": "ok", "checks": {}}, endpoint="readyz")
    return app


def protect(app: Flask, allowed_hosts: tuple[str, ...]) -> None:
    """Pages and ledger answer under their own names only, and obey no foreign page. The providers' paths are left alone:
    they are called by any name, with a key."""

    @app.before_request
    def refuse_foreigners() -> None:
        if is_provider_path(request.path):
            return
        if urlsplit(f"//{request.host}").hostname not in {host.strip("[]") for host in allowed_hosts}:
            abort(
                400,
                "This server does not answer under that name. Its names are set by FENCEPOST_SIMULATOR__ALLOWED_HOSTS.",
            )
        origin = request.headers.get("Origin")
        if request.method not in ("GET", "HEAD", "OPTIONS") and origin and urlsplit(origin).netloc != request.host:
            abort(403, "The request was sent from another site, so nothing was changed.")

    @app.after_request
    def add_headers(response: Response) -> Response:
        if not is_provider_path(request.path):
            response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
            response.headers["X-Content-Type-Options"] = "nosniff"
            response.headers["Referrer-Policy"] = "same-origin"  # no-referrer would make Origin null
            response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
            response.headers.setdefault("Cache-Control", "no-cache")
        return response

    @app.errorhandler(HTTPException)
    def show(error: HTTPException) -> Response:
        if request.method == "POST" and error.code in (404, 405):
            return mailgun.magnificent()
        if is_provider_path(request.path):
            return mailgun.message(error.code or 500, error.name)
        if request.path.startswith("/_simulator"):
            return app.make_response(({"detail": error.description}, error.code or 500))
        return app.make_response((render_template("error.html", error=error), error.code or 500))


def is_provider_path(path: str) -> bool:
    return (path[:2] == "/v" and path[2:3].isdigit()) or path.startswith(f"{sns_hooks.PREFIX}/")
