"""GET /emails reads little of what is on record, whatever is asked for."""

from datetime import timedelta
from typing import Any

import pytest

from fencepost.deliveries import Delivery
from fencepost.store import Store
from registry.emails import filters
from registry.inputs import EmailQuery
from tests.integration.registry.test_mail_reports import mail
from tests.support.api import MESSAGE, Api
from tests.support.rows import now

MANY = 400


@pytest.fixture
def rows(store: Store) -> list[Delivery]:
    """Much that was delivered, and one each of what is on its way, the oldest of all."""
    made = [mail(now() - timedelta(seconds=number), state="delivered", provider="ses") for number in range(MANY)]
    made += [mail(now() - timedelta(days=1), state=state, provider="ses") for state in ("pending", "sending")]
    store.deliveries.insert(made)
    return made


@pytest.mark.parametrize("asked", [{"state": "pending"}, {"state": "sending"}, {"state": "held"}, {"provider": "smtp"}])
def test_what_is_rare_is_found_without_reading_the_rest(
    store: Store, rows: list[Delivery], asked: dict[str, Any]
) -> None:
    query = {"owner_id": "local", **filters(EmailQuery(**asked))}
    command = {"find": "deliveries", "filter": query, "sort": {"_id": -1}, "limit": 26}
    done = store.database.command("explain", command, verbosity="executionStats")["executionStats"]
    assert done["nReturned"] == sum(all(row[name] == value for name, value in asked.items()) for row in rows)  # type: ignore[literal-required]
    assert done["totalDocsExamined"] < MANY / 10


def test_a_provider_without_a_name_is_refused_since_no_index_holds_it(api: Api) -> None:
    assert [problem["pointer"] for problem in api.get("/emails?provider=", status=422)["errors"]] == ["/provider"]


def test_a_recipient_is_found_as_the_request_wrote_it(api: Api) -> None:
    api.post("/emails", {**MESSAGE, "to": ["Ann.Lee@Example.COM"]}, status=202)
    for written in ("Ann.Lee@Example.COM", "Ann.Lee@example.com"):
        assert len(api.get(f"/emails?to={written}")["data"]) == 1
    assert api.get("/emails?to=lee@example.com")["data"] == []
