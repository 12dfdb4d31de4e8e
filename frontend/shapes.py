"""What the registry answers, as the pages read it (its OpenAPI document is the source)."""

from typing import Any, Literal, NotRequired, TypedDict


class Address(TypedDict):
    email: str
    name: NotRequired[str | None]
    variables: NotRequired[dict[str, Any]]


class Recurrence(TypedDict, total=False):
    type: Literal["cron", "interval", "rrule", "once"]
    expression: str
    every: str
    rule: str
    at: str
    timezone: str


class Attachment(TypedDict):
    filename: str
    content_type: str
    content_id: str | None
    size: int
    file_id: str


Message = TypedDict(
    "Message",
    {
        "from": Address,
        "to": list[Address],
        "cc": list[Address],
        "bcc": list[Address],
        "reply_to": Address | None,
        "subject": str,
        "text": str | None,
        "html": str | None,
        "attachments": list[Attachment],
    },
    total=False,
)


class Misfire(TypedDict, total=False):
    policy: Literal["skip", "latest", "all"]
    window_seconds: int | None


class Dst(TypedDict, total=False):
    gap: Literal["shift", "skip"]
    repeat: Literal["first", "second", "both"]


class Schedule(TypedDict):
    id: str
    name: str
    status: Literal["active", "paused", "quarantined", "finished", "archived"]
    status_reason: str | None
    version: int
    created_at: str
    updated_at: str
    next_run_at: str | None
    last_run_at: str | None
    occurrence_count: int
    words: str
    recurrence: Recurrence
    starts_at: str | None
    ends_at: str | None
    max_occurrences: int | None
    misfire: Misfire
    dst: Dst
    jitter_seconds: int
    overlap: Literal["allow", "skip", "queue_one"]
    on_unknown: str
    together: bool
    message: Message
    recipient_count: NotRequired[int]
    in_flight: NotRequired[list[str]]
    """On the answers to pause, delete and trigger: emails that are past the fence and will not be held back."""


class PreviewRow(TypedDict):
    at: str
    local: str
    dst: Literal["gap", "repeat"] | None


class Preview(TypedDict):
    words: str
    occurrences: list[PreviewRow]


class EmailCounts(TypedDict):
    total: int
    by_state: dict[str, int]


class Occurrence(TypedDict):
    id: str
    schedule_id: str
    at: str
    to: str | None
    count: int
    state: Literal["planned", "skipped", "done"]
    reason: str | None
    origin: Literal["schedule", "trigger", "backfill"]
    version: int
    emails: EmailCounts


class Backfill(TypedDict):
    """What a backfill would make, or made; the first of its instants."""

    count: int
    emails: int
    occurrences: list[str]
    dry_run: bool


class Token(TypedDict):
    generation: int
    revision: int


class Member(TypedDict):
    id: str
    host: str
    pid: int
    started_at: str
    seats: int
    draining: bool
    shards: list[int]
    in_flight: int | None


class Shard(TypedDict):
    shard: int
    holder: str | None
    token: Token | None


class Alarm(TypedDict):
    since: str
    kind: str
    detail: str


class Note(TypedDict):
    server: str
    detail: str


class Cluster(TypedDict):
    """What comes from a server that does not answer is None, and `notes` says why."""

    members: list[Member] | None
    shards: list[Shard] | None
    shard_count: int | None
    lag_seconds: float | None
    due_schedules: int | None
    emails_by_state: dict[str, int] | None
    double_sends_prevented: dict[str, int] | None
    alarms: list[Alarm] | None
    notes: list[Note]


class ProvedOccurrences(TypedDict):
    """`expected` is the sum of the others."""

    expected: int
    on_record: int
    skipped: int
    missing: int


class Finding(TypedDict):
    id: str
    kind: str
    schedule_id: str
    schedule_name: str
    at: str
    detail: str
    first_seen: str
    last_seen: str
    resolved_at: str | None


class Audit(TypedDict):
    """The auditor's last round. `last_round_at` is None where no auditor has run yet."""

    last_round_at: str | None
    seconds: float | None
    schedules: int
    occurrences: ProvedOccurrences
    findings: list[Finding]
    open: int


class Minute(TypedDict):
    at: str
    accepted: int
    failed: int
    unknown: int
    skipped: int


class MailCounts(TypedDict):
    """How many mails of a report. The parts of `sent` are `delivered`, `bounced` and those of which nothing was told yet."""

    sent: int
    delivered: int
    bounced: int
    complained: int
    failed: int
    expired: int
    suppressed: int
    cancelled: int
    in_doubt: int
    opened: int
    machine_opened: int
    clicked: int
    unsubscribed: int
    opens: int
    clicks: int


class MailGroup(TypedDict):
    key: str | None
    name: str | None
    counts: MailCounts
    rates: dict[str, float | None]


MailReport = TypedDict(
    "MailReport",
    {
        "from": str,
        "to": str,
        "timezone": str,
        "group": Literal["day", "provider", "tag", "schedule"],
        "counted_at": str | None,
        "counts": MailCounts,
        "rates": dict[str, float | None],
        "data": list[MailGroup],
        "more": int,
    },
)


class Key(TypedDict):
    """An API key; `secret` only in the answer that made it."""

    id: str
    owner_id: str
    name: str
    scopes: list[str]
    test: bool
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None
    secret: NotRequired[str]
