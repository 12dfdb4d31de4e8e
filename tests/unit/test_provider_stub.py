"""The stub of the benchmarks: what it reads from a request, and how it sums up."""

from datetime import UTC, datetime

from fencepost import ids
from fencepost.clock import SystemClock
from fencepost.messages import Address, Mail
from fencepost.providers.mailgun import Mailgun
from fencepost.settings import Mailgun as MailgunSettings
from tests.bench.stub import Counts, due_at, percentile

DUE = datetime(2026, 11, 22, 9, 0, 0, tzinfo=UTC)
DELIVERY = ids.delivery_id("occ_1", DUE, "ada@example.org")


def body(attempt: int) -> bytes:
    mail = Mail(
        DELIVERY, attempt, "a@b.example", Address("a@b.example"), (Address("ada@example.org"),), "Hello", "Hello"
    )
    return Mailgun(MailgunSettings(), SystemClock()).request(mail).body


def test_the_stub_reads_what_our_adapter_writes() -> None:
    counts = Counts()
    for request in (body(1), body(2), b"v%3Afencepost=eml_other%2F1&x=y", b"nothing to read"):
        counts.add(request)
    assert (counts.requests, counts.duplicates) == (4, 1)
    assert set(counts.received) == {DELIVERY.encode(), b"eml_other"}


def test_the_due_instant_is_in_the_delivery_id() -> None:
    assert due_at(DELIVERY.encode()) == DUE.timestamp()
    assert due_at(b"eml_short") is None


def test_percentiles_are_values_that_occurred() -> None:
    assert [percentile([1, 2, 3, 4], share) for share in (1, 25, 50, 75, 99, 100)] == [1, 1, 2, 3, 4, 4]
