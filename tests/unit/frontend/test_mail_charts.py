"""What a line of a report is called, and where it leads."""

from typing import Any, cast

from flask import Flask

from frontend.app import create_app
from frontend.mail_charts import href_of, label_of
from frontend.shapes import MailGroup


def a_line(key: str | None, name: str | None = None) -> MailGroup:
    return cast(MailGroup, {"key": key, "name": name})


def leads_to(key: str, **shown: str) -> str | None:
    asked: dict[str, Any] = {"group": "day", "timezone": "Europe/Berlin", "provider": "", "tag": "", "schedule_id": ""}
    app: Flask = create_app()
    with app.test_request_context():
        return href_of(key, asked | shown)


def test_lines_are_called_as_people_call_them() -> None:
    assert label_of(a_line("2026-11-01"), "day") == "Sun 1 Nov"
    assert label_of(a_line("ses"), "provider") == "Amazon SES"
    assert label_of(a_line(None), "provider") == "No provider"
    assert label_of(a_line("sch_1", "Weekly"), "schedule") == "Weekly"
    assert label_of(a_line("orders"), "tag") == "orders"


def test_a_day_leads_to_the_mails_that_the_report_is_about() -> None:
    times = "from=2026-11-25T23:00&until=2026-11-26T23:00"
    assert leads_to("2026-11-26") == f"/mails?{times}"
    assert leads_to("2026-11-26", tag="orders", schedule_id="sch_1") == f"/mails?{times}&tag=orders&schedule=sch_1"
    assert leads_to("2026-11-26", provider="ses") == f"/mails?{times}&provider=ses"
