"""The only importer of pymongo: one module a collection, each with its queries and the indexes they use."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pymongo.database import Database

from fencepost import ids, settings
from fencepost.store.api_keys import ApiKeys
from fencepost.store.audit import Audits
from fencepost.store.changes import Changes
from fencepost.store.cluster import ClusterRecords
from fencepost.store.counting import Counting
from fencepost.store.deliveries import Deliveries
from fencepost.store.doubts import Doubts
from fencepost.store.emails import Emails
from fencepost.store.events import Events
from fencepost.store.files import Files
from fencepost.store.findings import Findings
from fencepost.store.hooks import Hooks
from fencepost.store.idempotency import IdempotencyKeys
from fencepost.store.mail_reports import MailReports
from fencepost.store.messages import Messages
from fencepost.store.migrations import migrate, pending
from fencepost.store.mongodb import Document, answering, connect, server_time
from fencepost.store.occurrences import Occurrences
from fencepost.store.pretending import PretendedMail
from fencepost.store.providers import ProviderRecords
from fencepost.store.reports import Reports
from fencepost.store.revisions import Revision, Revisions
from fencepost.store.schedules import Schedules
from fencepost.store.suppressions import Suppressions
from fencepost.store.tracking import Trackings
from fencepost.store.waiting import Waiting
from fencepost.store.webhook_messages import WebhookMessages
from fencepost.store.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Store:
    """All collections of one database."""

    database: Database[Document]
    schedules: Schedules
    revisions: Revisions
    occurrences: Occurrences
    deliveries: Deliveries
    doubts: Doubts
    cluster: ClusterRecords
    idempotency: IdempotencyKeys
    reports: Reports
    events: Events
    hooks: Hooks
    tracking: Trackings
    waiting: Waiting
    audits: Audits
    findings: Findings
    messages: Messages
    emails: Emails
    suppressions: Suppressions
    providers: ProviderRecords
    webhooks: Webhooks
    webhook_messages: WebhookMessages
    changes: Changes
    files: Files
    api_keys: ApiKeys
    pretended: PretendedMail
    counting: Counting
    mail_reports: MailReports

    @classmethod
    def open(cls, options: settings.MongoDB) -> "Store":
        """A store on that server; nothing is sent yet. Not fork-safe: open it after a fork. Raises Misconfigured."""
        database = connect(options)
        return cls(
            database,
            Schedules(database),
            Revisions(database),
            Occurrences(database),
            Deliveries(database),
            Doubts(database),
            ClusterRecords(database),
            IdempotencyKeys(database),
            Reports(database),
            Events(database),
            Hooks(database),
            Trackings(database),
            Waiting(database),
            Audits(database),
            Findings(database),
            Messages(database),
            Emails(database),
            Suppressions(database),
            ProviderRecords(database),
            Webhooks(database),
            WebhookMessages(database),
            Changes(database),
            Files(database),
            ApiKeys(database),
            PretendedMail(database),
            Counting(database),
            MailReports(database),
        )

    def migrate(self) -> list[str]:
        """Run the migrations that are missing; their names."""
        return migrate(self.database)

    def pending_migrations(self) -> list[str]:
        return pending(self.database)

    def texts(self, text_ids: Iterable[str]) -> dict[str, Revision]:
        """Those that exist of these texts, by id: revisions of schedules, and messages of API requests."""
        wanted = set(text_ids)
        of_requests = {text_id for text_id in wanted if text_id.startswith(ids.MESSAGE)}
        of_schedules = wanted - of_requests
        found = self.revisions.find(of_schedules) if of_schedules else {}
        return found | self.messages.find(of_requests) if of_requests else found

    def now(self) -> datetime:
        """What the server's clock says, aware UTC. Raises Unreachable."""
        return server_time(self.database)

    def ping(self) -> None:
        """Raises Unreachable if there is no primary that answers."""
        with answering():
            self.database.command("ping")

    def close(self) -> None:
        self.database.client.close()
