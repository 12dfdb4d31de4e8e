"""Which pending mail can but wait, since its provider has had all its calls of today."""

from typing import Any, cast

import pytest

from auditor.standing import waits_for_tomorrow
from fencepost.deliveries import Delivery

ORDER = ("mailgun", "ses")


@pytest.mark.parametrize(
    ("route", "state", "spent", "closed", "waits"),
    [
        (None, "pending", {"mailgun", "ses"}, set[str](), True),
        (None, "pending", {"mailgun"}, {"ses"}, True),
        (None, "pending", {"mailgun"}, set[str](), False),
        (None, "pending", set[str](), {"mailgun", "ses"}, False),
        (["mailgun"], "pending", {"mailgun"}, set[str](), True),
        (["mailgun", "smtp"], "pending", {"mailgun"}, set[str](), True),
        (["ses"], "pending", {"mailgun"}, set[str](), False),
        (["smtp"], "pending", {"mailgun"}, set[str](), False),
        (["mailgun"], "sending", {"mailgun"}, set[str](), False),
    ],
)
def test_only_mail_that_no_provider_takes_today_is_excused(
    route: list[str] | None, state: str, spent: set[str], closed: set[str], waits: bool
) -> None:
    row: Any = {"state": state, "route": route}
    assert waits_for_tomorrow(cast(Delivery, row), spent, closed, ORDER) is waits
