"""What an owner may write: the shape of a schedule, checked at the door so that nothing wrong reaches the loop.

Texts are strings only, unknown fields are refused, and every problem is named by a JSON Pointer with what would be
right. What passes here is stored as it is (`document`), but for the contents of attachments, and read by the senders without a
second check.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    model_validator,
)

from fencepost.attachments import MOST, Content, ContentId, ContentType, FileId, Filename, repeated_ids
from fencepost.errors import Invalid, Problem
from fencepost.fields import (
    Email,
    Instant,
    OneLine,
    Tag,
    Variable,
    from_text,
    header_names,
    identifiers,
    not_empty,
    wrong,
)
from fencepost.messages import Renderer
from fencepost.overlaps import Overlap
from fencepost.recurrence import Rule, parse_rule
from fencepost.sentences import problems

MAX_RECIPIENTS = 10_000


class Shape(BaseModel):
    """Refuses unknown fields and values of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, populate_by_name=True)


class AddressInput(Shape):
    """A mailbox. A plain string such as `Ann <ann@example.com>` is taken too."""

    email: Email
    name: OneLine = ""


class RecipientInput(AddressInput):
    """A mailbox that gets a mail, with the values of its own for the templates."""

    variables: Annotated[dict[str, Variable], Field(max_length=100), AfterValidator(identifiers)] = {}


def _sender(address: AddressInput) -> AddressInput:
    if not address.email.rpartition("@")[0].isascii():
        raise wrong("has other than ASCII before the @, and no provider sends from such an address")
    return address


AnyAddress = Annotated[AddressInput, BeforeValidator(from_text, json_schema_input_type=AddressInput | str)]
Sender = Annotated[AnyAddress, AfterValidator(_sender)]
AnyRecipient = Annotated[RecipientInput, BeforeValidator(from_text, json_schema_input_type=RecipientInput | str)]


class AttachmentInput(Shape):
    """A file that goes with the mail. With a `content_id` it is shown within the html, which names it `cid:<content_id>`."""

    filename: Filename
    content: Content | None = Field(None, description="The file, in standard base64.")
    file_id: FileId | None = Field(
        None, description="In place of `content`: a file that an earlier text carried, as answers name it."
    )
    content_type: ContentType | None = Field(None, description="By default guessed from the name.")
    content_id: ContentId | None = None
    size: StrictInt | None = Field(None, description="As answers show it; what is sent here is not looked at.")

    @model_validator(mode="after")
    def _has_a_content(self) -> "AttachmentInput":
        if (self.content is None) == (self.file_id is None):
            raise wrong("needs `content`, or the `file_id` of a file that is on record, and not both")
        return self


class MessageInput(Shape):
    """The mail. `subject`, `text` and `html` are Liquid templates over `name`, `email` and the recipient's variables."""

    from_: Sender = Field(alias="from")
    to: list[AnyRecipient] = Field(min_length=1, max_length=MAX_RECIPIENTS)
    cc: list[AnyAddress] = Field([], max_length=100)
    bcc: list[AnyAddress] = Field([], max_length=100)
    reply_to: AnyAddress | None = None
    subject: Annotated[OneLine, AfterValidator(not_empty)]
    text: str | None = Field(None, max_length=500_000)
    html: str | None = Field(None, max_length=500_000)
    headers: Annotated[dict[str, OneLine], Field(max_length=50), AfterValidator(header_names)] = {}
    tags: list[Tag] = Field([], max_length=3)
    metadata: Annotated[dict[str, OneLine], Field(max_length=50), AfterValidator(identifiers)] = {}
    attachments: list[AttachmentInput] = Field([], max_length=MOST)

    @model_validator(mode="after")
    def _has_a_body(self) -> "MessageInput":
        if not (self.text or self.html):
            raise wrong("a message needs `text`, `html` or both")
        return self


class CronInput(Shape):
    """Five cron fields, or @daily and its kin, in a time zone."""

    type: Literal["cron"]
    expression: str
    timezone: str = "UTC"


class IntervalInput(Shape):
    """Every so much elapsed time, such as 15m, 6h or 2d, counted from `starts_at`, else from the schedule's creation."""

    type: Literal["interval"]
    every: str


class RRuleInput(Shape):
    """An RFC 5545 recurrence rule, in a time zone."""

    type: Literal["rrule"]
    rule: str
    timezone: str = "UTC"


class OnceInput(Shape):
    """One instant: local time in the zone, or with an offset of its own."""

    type: Literal["once"]
    at: str
    timezone: str = "UTC"


RecurrenceInput = Annotated[CronInput | IntervalInput | RRuleInput | OnceInput, Field(discriminator="type")]


class MisfireInput(Shape):
    """What becomes of an occurrence found late: `skip` it, run the `latest`, or `all`; none older than the window."""

    policy: Literal["skip", "latest", "all"] = "latest"
    window_seconds: StrictInt = Field(86_400, ge=0, le=31 * 86_400)


class DstInput(Shape):
    """A local time that a night has not (`gap`) or has twice (`repeat`)."""

    gap: Literal["shift", "skip"] = "shift"
    repeat: Literal["first", "second", "both"] = "first"


OnUnknown = Literal["hold", "resend", "resend_at_once"]
Urgency = Literal["high", "normal", "low"]


class TimingInput(Shape):
    """The fields that say when."""

    recurrence: RecurrenceInput
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    max_occurrences: StrictInt | None = Field(None, ge=1, le=1_000_000)
    dst: DstInput = DstInput()


class ScheduleInput(TimingInput):
    """A schedule as its owner writes it."""

    name: Annotated[OneLine, Field(max_length=200), AfterValidator(not_empty)]
    misfire: MisfireInput = MisfireInput()
    jitter_seconds: StrictInt = Field(
        0,
        ge=0,
        le=3600,
        description="Each run is sent up to so much later than its instant, always the same for one instant.",
    )
    overlap: Overlap = Field(
        "allow",
        description="What becomes of a run that is due while mail of an earlier one is still pending or sending: `allow` it, "
        "`skip` it, or let one wait (`queue_one`) and skip what is due meanwhile.",
    )
    on_unknown: OnUnknown = "hold"
    priority: Urgency = Field("normal", description="What goes first when more is due than can be sent at once.")
    together: StrictBool = False
    message: MessageInput


def parse(value: object) -> dict[str, Any]:
    """Check a schedule's text and return the document to store. Raises Invalid with every problem that was found."""
    try:
        schedule = ScheduleInput.model_validate(value)
    except ValidationError as error:
        raise Invalid(*problems(error)) from None
    stored = document(schedule)
    found = [*message_problems(schedule.message, stored, "/message", together=schedule.together)]
    if found:
        raise Invalid(*found)
    return stored


def document(schedule: ScheduleInput) -> dict[str, Any]:
    """The definition as it is stored: plain data, instants as datetimes; attachments still with their contents
    (fencepost.attachments)."""
    return schedule.model_dump(by_alias=True)


def rule_of(definition: Mapping[str, Any], anchor: datetime) -> Rule:
    """The recurrence of a stored definition; `anchor` is the schedule's creation. Raises Invalid."""
    return parse_rule(
        definition["recurrence"],
        starts_at=definition["starts_at"],
        ends_at=definition["ends_at"],
        dst=definition["dst"],
        anchor=anchor,
    )


def message_problems(
    message: MessageInput, stored: Mapping[str, Any], root: str, *, together: bool
) -> Iterator[Problem]:
    """What is wrong with a message beyond its fields: who gets it, and its templates. `root` is the pointer to it, `stored` the
    definition that it becomes a part of."""
    yield from _recipient_problems(message, root, together)
    yield from repeated_ids([attachment.content_id for attachment in message.attachments], root)
    for field, detail in Renderer(stored).problems():
        yield Problem(f"{root}/{field}", detail)


def _recipient_problems(message: MessageInput, root: str, together: bool) -> Iterator[Problem]:
    seen = dict[str, str]()
    for field, addresses in (("to", message.to), ("cc", message.cc), ("bcc", message.bcc)):
        for index, address in enumerate(addresses):
            pointer = f"{root}/{field}/{index}/email"
            if address.email.lower() in seen:
                yield Problem(pointer, f"is the same address as {seen[address.email.lower()]}; name each one once")
            seen.setdefault(address.email.lower(), pointer)
    if len(message.to) > 1 and not together:
        for field in ("cc", "bcc"):
            if getattr(message, field):
                yield Problem(f"{root}/{field}", _ALONE)


_ALONE = "can't go with several `to`, each of whom gets a mail of their own: name one `to`, set together to true, or leave it out"
