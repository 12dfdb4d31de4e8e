"""Versioned changes of the database, each of which can be run again without harm, and by several processes at once."""

from collections.abc import Callable
from datetime import UTC, datetime

from pymongo.database import Database

from fencepost.store import (
    api_keys,
    counting,
    deliveries,
    events,
    files,
    findings,
    hooks,
    idempotency,
    messages,
    occurrences,
    pretending,
    providers,
    revisions,
    schedules,
    suppressions,
    webhook_messages,
    webhooks,
)
from fencepost.store.mongodb import Document, answering


def _create_indexes(database: Database[Document]) -> None:
    for collection, indexes in {
        "schedules": schedules.INDEXES,
        "archive": schedules.ARCHIVE_INDEXES,
        "schedule_revisions": revisions.INDEXES,
        "occurrences": occurrences.INDEXES,
        "deliveries": deliveries.INDEXES,
        "idempotency_keys": idempotency.INDEXES,
        "events": events.INDEXES,
        "hooks": hooks.INDEXES,
        "findings": findings.INDEXES,
        "messages": messages.INDEXES,
    }.items():
        database[collection].create_indexes(indexes)
    database.cluster.update_one({"_id": "refusals"}, {"$setOnInsert": {"stale": 0}}, upsert=True)


def _index_api_mail(database: Database[Document]) -> None:
    """What mail by API brought: `pending` and `ready` have one key more than in 0001."""
    database.messages.create_indexes(messages.INDEXES)
    database.suppressions.create_indexes(suppressions.INDEXES)
    found = database.deliveries.index_information()
    for index in deliveries.INDEXES:
        name = index.document["name"]
        if name in found and found[name]["key"] != list(index.document["key"].items()):
            database.deliveries.drop_index(name)
    database.deliveries.create_indexes(deliveries.INDEXES)


def _index_provider_changes(database: Database[Document]) -> None:
    database.provider_changes.create_indexes(providers.CHANGE_INDEXES)


def _index_webhooks(database: Database[Document]) -> None:
    database.webhooks.create_indexes(webhooks.INDEXES)
    database.webhook_messages.create_indexes(webhook_messages.INDEXES)


def _index_look_ups(database: Database[Document]) -> None:
    database.events.create_indexes(events.LOOK_UPS)


def _index_files(database: Database[Document]) -> None:
    database.files.create_indexes(files.INDEXES)


def _index_api_keys(database: Database[Document]) -> None:
    database.api_keys.create_indexes(api_keys.INDEXES)


def _index_test_mail(database: Database[Document]) -> None:
    database.deliveries.create_indexes(pretending.INDEXES)


def _index_counts(database: Database[Document]) -> None:
    database.mail_counts.create_indexes(counting.INDEXES)
    database.deliveries.create_indexes([counting.SETTLED_INDEX])


MIGRATIONS: list[tuple[str, Callable[[Database[Document]], None]]] = [
    ("0001_indexes", _create_indexes),
    ("0002_api_mail", _index_api_mail),
    ("0003_provider_changes", _index_provider_changes),
    ("0004_webhooks", _index_webhooks),
    ("0005_events_by_message", _index_look_ups),
    ("0006_files", _index_files),
    ("0007_api_keys", _index_api_keys),
    ("0008_test_mail", _index_test_mail),
    ("0009_mail_counts", _index_counts),
]
"""In order, by name. A migration that shipped is never changed; the next one mends it."""


def migrate(database: Database[Document]) -> list[str]:
    """Run what is missing; the names of what was run. A process that dies half-way leaves it to be run again."""
    ran = []
    with answering():
        done = {row["_id"] for row in database.migrations.find()}
        for name, change in MIGRATIONS:
            if name not in done:
                change(database)
                database.migrations.update_one({"_id": name}, {"$set": {"ran_at": datetime.now(UTC)}}, upsert=True)
                ran.append(name)
    return ran


def pending(database: Database[Document]) -> list[str]:
    """The names of migrations that have not run yet."""
    with answering():
        done = {row["_id"] for row in database.migrations.find()}
    return [name for name, _ in MIGRATIONS if name not in done]
