"""The application, wired from its parts."""

from functools import cache

from flask_openapi import Info, OpenAPI
from pydantic import BaseModel
from werkzeug.routing import BaseConverter

from fencepost.definitions import ScheduleInput
from fencepost.metrics import Metrics
from registry import (
    access,
    api_keys,
    audit,
    backfills,
    batches,
    cluster,
    docs,
    documenting,
    email_verbs,
    emails,
    events,
    explaining,
    health,
    hooks,
    hosts,
    incoming,
    limiting,
    mail_reports,
    occurrences,
    posting,
    previews,
    problems,
    providers,
    registering,
    reports,
    schedule_verbs,
    schedules,
    suppressions,
    unsubscribing,
    webhooks,
)
from registry.answers.api_keys import ApiKeyAnswer, ApiKeyList, CallerAnswer, CreatedApiKey
from registry.answers.audit import AuditAnswer
from registry.answers.batches import BatchAnswer, BatchMade, EmailsMade, Replayed
from registry.answers.cluster import ClusterAnswer
from registry.answers.emails import EmailAnswer, EmailList
from registry.answers.events import EventAnswer, EventList
from registry.answers.explaining import ExplanationAnswer
from registry.answers.mail_reports import MailReport
from registry.answers.occurrences import BackfillAnswer, OccurrenceAnswer, OccurrenceList
from registry.answers.providers import ProviderAnswer, ProviderList, RegistrationAnswer
from registry.answers.schedules import EditedSchedule, Preview, ScheduleAnswer, ScheduleList
from registry.answers.suppressions import SuppressionAnswer, SuppressionList
from registry.answers.webhooks import MessageAnswer, MessageList, WebhookAnswer, WebhookList, WebhookMade
from registry.inputs import (
    BackfillInput,
    CancelInput,
    Nothing,
    PauseInput,
    PreviewInput,
    ReplayInput,
    RescheduleInput,
    SettleInput,
)
from registry.parts import EXTENSION, Parts

INFO = Info(
    title="Fencepost",
    version="1",
    description="Schedules that send mail once, and what became of every mail. Errors are problem documents (RFC 9457).",
)
SHAPES = [
    ScheduleAnswer,
    EditedSchedule,
    ScheduleList,
    Preview,
    OccurrenceAnswer,
    OccurrenceList,
    BackfillAnswer,
    EmailAnswer,
    EmailList,
    EventAnswer,
    EventList,
    EmailsMade,
    BatchMade,
    BatchAnswer,
    Replayed,
    ExplanationAnswer,
    ProviderAnswer,
    ProviderList,
    RegistrationAnswer,
    SuppressionAnswer,
    SuppressionList,
    ClusterAnswer,
    AuditAnswer,
    reports.Activity,
    MailReport,
    hooks.HookAnswer,
    WebhookAnswer,
    WebhookMade,
    WebhookList,
    MessageAnswer,
    MessageList,
    ApiKeyAnswer,
    CreatedApiKey,
    ApiKeyList,
    CallerAnswer,
]
INPUTS: list[type[BaseModel]] = [
    ScheduleInput,
    PreviewInput,
    PauseInput,
    BackfillInput,
    SettleInput,
    CancelInput,
    RescheduleInput,
    ReplayInput,
    *posting.INPUTS,
    suppressions.SuppressionInput,
    providers.ProviderInput,
    registering.RegisterInput,
    *webhooks.INPUTS,
    Nothing,
    api_keys.ApiKeyInput,
]


APIS = (
    schedules.bp,
    schedule_verbs.bp,
    backfills.bp,
    previews.bp,
    occurrences.bp,
    emails.bp,
    events.bp,
    batches.bp,
    explaining.bp,
    providers.bp,
    registering.bp,
    suppressions.bp,
    email_verbs.bp,
    cluster.bp,
    audit.bp,
    reports.bp,
    mail_reports.bp,
    webhooks.bp,
    api_keys.bp,
)


class ScheduleIdConverter(BaseConverter):
    """Only what looks like a schedule's id; anything else is no address of ours."""

    regex = "sch_[0-9A-HJKMNP-TV-Z]{26}"


class BatchIdConverter(BaseConverter):
    regex = "bat_[0-9A-HJKMNP-TV-Z]{26}"


class SuppressionIdConverter(BaseConverter):
    regex = "sup_[0-9A-HJKMNP-TV-Z]{26}"


class EmailIdConverter(BaseConverter):
    regex = "eml_[0-9A-HJKMNP-TV-Z]{26}"


class WebhookIdConverter(BaseConverter):
    regex = "whk_[0-9A-HJKMNP-TV-Z]{26}"


class WebhookMessageIdConverter(BaseConverter):
    regex = "whm_[0-9A-HJKMNP-TV-Z]{26}"


class ApiKeyIdConverter(BaseConverter):
    regex = "key_[0-9A-HJKMNP-TV-Z]{26}"


CONVERTERS: dict[str, type[BaseConverter]] = {
    "schedule": ScheduleIdConverter,
    "email": EmailIdConverter,
    "batch": BatchIdConverter,
    "key": ApiKeyIdConverter,
    "suppression": SuppressionIdConverter,
    "webhook": WebhookIdConverter,
    "webhook_message": WebhookMessageIdConverter,
}


def create_app(parts: Parts) -> OpenAPI:
    """The registry's application, or the part of it that the settings say. It connects to nothing before the first request."""
    app = OpenAPI(
        __name__,
        info=INFO,
        doc_ui=False,
        static_folder=None,
        validation_error_callback=problems.refuse,
    )
    app.openapi_version = "3.1.1"
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = parts.settings.registry.max_body_bytes
    app.url_map.merge_slashes = False  # an address has one spelling, and nothing is redirected
    app.url_map.converters |= CONVERTERS
    app.extensions[EXTENSION] = parts

    metrics = Metrics()
    health.install(app, parts, metrics)
    hooks.install(app, parts, metrics)
    incoming.install(app)
    hosts.install(app, parts.settings.registry.allowed_hosts, parts.settings.public_url)
    limiting.install(app, limiting.Limits(parts.settings.registry, parts.take, parts.clock, metrics))
    access.install(app, parts)
    incoming.check(app, parts.settings.registry.max_message_body_bytes)
    problems.install(app)
    serves = parts.settings.registry.serves
    for api in (*(APIS if serves != "hooks" else ()), *((hooks.bp,) if serves != "api" else ())):
        documenting.register(app, api)
    if serves != "hooks":
        app.register_blueprint(docs.bp)
    app.register_blueprint(unsubscribing.bp)
    access.check(app)
    # Made when it is first asked for: it takes longer than all the rest.
    app.extensions[docs.SPECIFICATION] = cache(lambda: documenting.document(app, SHAPES, INPUTS))
    return app
