"""The pages' application, built from the settings."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import available_timezones

from flask import Flask

from fencepost.settings import Settings, load
from frontend import (
    audit,
    backfills,
    batches,
    cluster,
    dashboard,
    desk,
    doubts,
    explanations,
    formatting,
    health,
    keys,
    mail_actions,
    mail_form,
    mail_reports,
    mails,
    previews,
    problems,
    provider_actions,
    providers,
    report,
    schedule_actions,
    schedule_explaining,
    schedule_form,
    schedules,
    security,
    sessions,
    sign_in,
    states,
    suppressions,
    views,
    visitors,
    webhook_messages,
    webhooks,
)
from frontend.registry_client import Registry

MAX_FORM_BYTES = 4 * 1024 * 1024
"""More than the registry takes: it is the registry who says that a schedule is too large, and the form comes back as typed."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(settings: Settings | None = None, now: Callable[[], datetime] = utc_now) -> Flask:
    """The frontend. It connects to nothing before the first request. None: the environment's settings."""
    settings = settings or load()
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=MAX_FORM_BYTES, MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES, MAX_FORM_PARTS=1000)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.url_map.converters |= {"id": views.IdConverter, "provider": views.ProviderConverter}
    frontend = settings.frontend
    app.extensions[views.REGISTRY] = Registry(frontend, key=lambda: visitors.key(frontend))
    app.extensions[sign_in.HINT] = frontend.key_hint
    app.extensions[views.CLOCK] = now
    app.extensions[report.PLACE] = Path(settings.frontend.fault_report or report.BESIDE_US)

    security.protect(app, settings.frontend.allowed_hosts)
    sessions.install(app, settings, now)
    visitors.install(app, frontend)
    problems.install(app)
    formatting.install(app, now)
    for blueprint in (
        dashboard.bp,
        schedules.bp,
        schedule_form.bp,
        previews.bp,
        schedule_actions.bp,
        backfills.bp,
        schedule_explaining.bp,
        mail_form.bp,
        mails.bp,
        mail_actions.bp,
        batches.bp,
        mail_reports.bp,
        desk.bp,
        cluster.bp,
        providers.bp,
        provider_actions.bp,
        webhooks.bp,
        webhook_messages.bp,
        suppressions.bp,
        audit.bp,
        report.bp,
        health.bp,
        keys.bp,
        sign_in.bp,
    ):
        app.register_blueprint(blueprint)

    app.jinja_env.globals.update(
        simulator_url=settings.frontend.simulator_url,
        states=states,
        look=states.look,
        last_settlement=doubts.last_settlement,
        may_have_gone=doubts.may_have_gone,
        ids_in=views.ids_in,
        steps=explanations.steps,
        new_key=views.new_key,
        zones=zone_names,
    )
    return app


@cache
def zone_names() -> list[str]:
    """The zones that people mean: by region and city, and UTC; not the old abbreviations."""
    return [
        "UTC",
        *sorted(
            name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix/", "right/"))
        ),
    ]
