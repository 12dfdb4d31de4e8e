"""GET /reports/mail: as which kind of file it is answered, and what can't be asked."""

import csv
import io

import pytest

from fencepost.store import Store
from registry.answers.mail_reports import harmless
from tests.integration.registry.test_mail_reports import NOW, Count, clock, count, mail
from tests.support.api import Api

__all__ = ["clock", "count"]


def test_a_spreadsheet_gets_a_table_without_formulas(api: Api, store: Store, count: Count) -> None:
    store.deliveries.insert([mail(NOW, tags=['=HYPERLINK("http://evil.example")']), mail(NOW, tags=['a, "b"'])])
    count()
    by_parameter = api.call("GET", "/reports/mail?group=tag&format=csv")
    by_header = api.call("GET", "/reports/mail?group=tag", headers={"Accept": "text/csv"})
    assert by_parameter.text == by_header.text
    assert by_parameter.mimetype == "text/csv"
    assert "-by-tag.csv" in by_parameter.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(by_parameter.text)))
    assert {row["tag"]: row["sent"] for row in rows} == {'\'=HYPERLINK("http://evil.example")': "1", 'a, "b"': "1"}
    assert rows[0]["delivery_rate"] == "0.0"
    assert api.call("GET", "/reports/mail?format=json", headers={"Accept": "text/csv"}).is_json
    assert api.call("GET", "/reports/mail", headers={"Accept": "text/html,*/*;q=0.8"}).is_json


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "%0A", "|calc", "＝1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert harmless(text) == f"'{text}"


def test_a_plain_cell_stays_as_it_is() -> None:
    assert [harmless(text) for text in ("news", "2026-11-01", "", "a=b", None)] == ["news", "2026-11-01", "", "a=b", ""]


WRONG = {
    "from=yesterday": "/from",
    "from=2026-11-31": "/from",
    "from=0001-01-01": "/from",
    "from=2026-11-02&to=2026-11-01": "/from",
    "from=2024-01-01&to=2026-01-01": "/from",
    "timezone=Europe/Berln": "/timezone",
    "group=week": "/group",
    "format=xlsx": "/format",
    "until=2026-11-01": "/until",
}


@pytest.mark.parametrize("query", WRONG)
def test_what_can_not_be_asked_is_named(api: Api, query: str) -> None:
    answer = api.get(f"/reports/mail?{query}", status=422)
    assert answer["errors"][0]["pointer"] == WRONG[query], answer
