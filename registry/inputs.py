"""What requests may carry beside a schedule's text."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt

from fencepost.definitions import Shape, TimingInput
from fencepost.deliveries import State
from fencepost.fields import Instant, Moment, OneLine, not_empty
from fencepost.reconciliation import Decision
from fencepost.schedules import Status

Person = Annotated[OneLine, AfterValidator(not_empty), Field(min_length=1, max_length=100)]


class Nothing(Shape):
    """An empty object; the body may be left out."""


class PauseInput(Shape):
    """Why a schedule is paused."""

    reason: Annotated[OneLine, Field(max_length=500)] = ""


class BackfillInput(Shape):
    """A range of past instants, and whether to run what is missing in it or only to count it."""

    from_: Instant = Field(alias="from", description="The first instant that may be run.")
    until: Instant = Field(description="The last instant that may be run; what is still to come is left out.")
    dry_run: StrictBool = Field(True, description="Only say what would be made.")
    count: StrictInt | None = Field(
        None, ge=0, description="How many runs the dry run counted; needed when dry_run is false."
    )


class PreviewInput(TimingInput):
    """The fields of a schedule that say when, and which part of it to show."""

    after: Instant | None = Field(None, description="Show what comes after this instant; by default, after now.")
    count: StrictInt = Field(10, ge=1, le=500, description="How many due instants to show at most.")
    anchor: Moment | None = Field(
        None, description="`created_at` of a schedule that exists: what intervals count from; by default `after`."
    )


class SettleInput(Shape):
    """What a person decides about an email that is held."""

    decision: Decision = Field(description="It was sent; send it now, once more; drop it.")
    reason: Annotated[OneLine, Field(max_length=500)] = Field("", description="Why; it stays on record.")
    by: Person = Field("local", description="Who decides. In their own words; the log has the key beside it.")


class CancelInput(Shape):
    """Why an email is called off."""

    reason: Annotated[OneLine, Field(max_length=500)] = ""


class RescheduleInput(Shape):
    """When an email is to be sent instead."""

    scheduled_at: Moment = Field(description="Not before this instant.")


class ReplayInput(Shape):
    """Why mail that failed is sent again, and who wants it."""

    reason: Annotated[OneLine, Field(max_length=500)] = Field("", description="Why; it stays on record.")
    by: Person = Field("local", description="Who orders it. In their own words; the log has the key beside it.")


class Parameters(BaseModel):
    """Query parameters: unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Parameters):
    """Which part of a list."""

    limit: int = Field(25, ge=1, le=100, description="How many at most.")
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before.")


class ScheduleQuery(PageQuery):
    """Which schedules, in which order."""

    status: Status | None = Field(None, description="Only those; archived ones are listed with status=archived alone.")
    q: OneLine | None = Field(None, max_length=200, description="A part of the name, in any case.")
    sort: Literal["next_run_at", "-created_at"] = Field(
        "-created_at", description="By the next run (those without one are left out), or the newest first."
    )


class OccurrenceQuery(PageQuery):
    """Which occurrences."""

    state: Literal["planned", "skipped", "done"] | None = Field(
        None, description="Only those; a page may hold fewer than `limit` and still have a `next_cursor`."
    )


class EmailQuery(PageQuery):
    """Which emails."""

    schedule_id: OneLine | None = Field(None, max_length=64)
    occurrence_id: OneLine | None = Field(None, max_length=64)
    batch_id: OneLine | None = Field(None, max_length=64)
    state: State | None = None
    to: OneLine | None = Field(None, max_length=254, description="The whole address of a recipient.")
    provider: Annotated[OneLine, AfterValidator(not_empty)] | None = Field(None, min_length=1, max_length=64)
    tag: OneLine | None = Field(None, max_length=128, description="One of its tags.")
    from_: Moment | None = Field(
        None, alias="from", description="Due at this instant or later; one that was rescheduled, at first."
    )
    until: Moment | None = Field(None, description="Due before this instant, likewise.")
    sort: Literal["due_at", "-due_at"] = Field("-due_at", description="The earliest due first, or the latest.")


class ActivityQuery(Parameters):
    """Which time."""

    minutes: int = Field(60, ge=1, le=1440, description="How many minutes up to now.")


class ScheduleId(BaseModel):
    """A schedule's id in a path."""

    schedule_id: str = Field(pattern="^sch_[0-9A-HJKMNP-TV-Z]{26}$")


class BatchId(BaseModel):
    """A batch's id in a path."""

    batch_id: str = Field(pattern="^bat_[0-9A-HJKMNP-TV-Z]{26}$")


class EmailId(BaseModel):
    """An email's id in a path."""

    email_id: str = Field(pattern="^eml_[0-9A-HJKMNP-TV-Z]{26}$")


class ApiKeyId(BaseModel):
    """A key's id in a path."""

    key_id: str = Field(pattern="^key_[0-9A-HJKMNP-TV-Z]{26}$")


class IfMatch(BaseModel):
    """A guard against overwriting what somebody else changed."""

    if_match: str | None = Field(
        None,
        alias="If-Match",
        max_length=1000,
        description="The ETag that was read; 412 if it is another by now.",
        examples=["*"],
    )


class IdempotencyKey(BaseModel):
    """A name for this request, so that it may be repeated."""

    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        min_length=1,
        max_length=256,
        pattern=r"^[\x21-\x7e]+$",
        description="Any text that is new for a new request. The same one within 24 hours gets the same answer.",
    )
