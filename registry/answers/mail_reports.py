"""Reports of mail as JSON and as CSV."""

import csv
import io
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Literal, cast

from pydantic import Field, with_config
from typing_extensions import TypedDict

from fencepost.mail_counts import COUNTS, RATES, Group, rates
from registry.answers.common import EXACT, Instant


@with_config(EXACT)
class MailCounts(TypedDict):
    """How many mails, of those that were due in a time."""

    sent: int
    """A provider took it."""
    delivered: int
    """Of those sent: the recipient's server took it, or its recipient did something with it."""
    bounced: int
    """Of those sent: it came back, or the provider dropped it."""
    complained: int
    """Of those delivered: reported as spam."""
    failed: int
    expired: int
    suppressed: int
    cancelled: int
    in_doubt: int
    """Unknown or held."""
    opened: int
    """By a person, once or more often."""
    machine_opened: int
    """By a program that fetches the pictures of every mail; these are none of `opened`."""
    clicked: int
    unsubscribed: int
    opens: int
    """Openings by persons, all of them."""
    clicks: int


@with_config(EXACT)
class MailRates(TypedDict):
    """Shares between 0 and 1; null where there is nothing to be a share of."""

    delivery_rate: float | None
    """Of what was sent, like the next."""
    bounce_rate: float | None
    complaint_rate: float | None
    """Of what was delivered, like those that follow."""
    open_rate: float | None
    click_rate: float | None
    unsubscribe_rate: float | None


@with_config(EXACT)
class MailGroup(TypedDict):
    """One line of a report."""

    key: str | None
    """The day, the provider, the tag or the schedule's id; null: mail that has none."""
    name: str | None
    """What the schedule is called."""
    counts: MailCounts
    rates: MailRates


MailReport = TypedDict(
    "MailReport",
    {
        "object": Literal["mail_report"],
        "from": Annotated[str, Field(description="The first day.")],
        "to": Annotated[str, Field(description="The last day.")],
        "timezone": Annotated[str, Field(description="Whose days they are.")],
        "group": Group,
        "counted_at": Annotated[
            Instant | None,
            Field(description="What has happened since is not in it yet. Null: nothing was ever counted."),
        ],
        "counts": Annotated[
            MailCounts,
            Field(description="Of all mail together. One of several tags is in the group of each, and once in here."),
        ],
        "rates": MailRates,
        "data": Annotated[
            list[MailGroup], Field(description="Days in their order, all of them; others by how many were sent.")
        ],
        "more": Annotated[int, Field(description="How many groups were left out, those with the least mail.")],
    },
)
MailReport.__doc__ = "What became of the mail that was due in a time. What is pending or being sent is not in it yet."
MailReport.__pydantic_config__ = EXACT  # type: ignore[attr-defined]


def mail_group(key: str | None, name: str | None, counts: dict[str, int]) -> MailGroup:
    return {
        "key": key,
        "name": name,
        "counts": cast(MailCounts, counts),
        "rates": cast(MailRates, rates(counts)),
    }


def as_csv(group: Group, lines: Iterable[MailGroup]) -> str:
    """A table with a line for each group, for spreadsheets: none of its cells is a formula."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    named = ["name"] if group == "schedule" else []
    writer.writerow([group, *named, *COUNTS, *RATES])
    for line in lines:
        counts: Any = line["counts"]
        shares: Any = line["rates"]
        texts = [line["key"], *([line["name"]] if named else [])]
        numbers = [*(counts[name] for name in COUNTS), *(shares[name] for name in RATES)]
        writer.writerow([*map(harmless, texts), *numbers])
    return file.getvalue()


_COMPUTED = tuple("=+-@|%＝＋－＠")


def harmless(text: str | None) -> str:
    """The text as a cell that no spreadsheet computes: one that begins like a formula gets an apostrophe before it."""
    if text is None:
        return ""
    computed = text.startswith(("\t", "\r", "\n")) or text.lstrip().startswith(_COMPUTED)
    return f"'{text}" if computed else text


def file_name(first: date, last: date, group: Group) -> str:
    return f"mail-{first}-{last}-by-{group}.csv"
