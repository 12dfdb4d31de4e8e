"""The inbox and the dials as pages: what they show, and what they let nobody do."""

import re
from dataclasses import replace
from html import unescape
from typing import Any

import requests

from fencepost.deliveries import OutcomeKind
from fencepost.providers.transport import Transport
from tests.contract.providers.mails import attachment
from tests.integration.simulator.conftest import DOMAIN, Simulator, call, mail

FORM = {"from": "Me <me@example.com>", "to": "Ada <ada@example.org>", "subject": "Hello", "text": "Hello Ada"}


def page(simulator: Simulator, path: str, **query: Any) -> str:
    answer = simulator.http.get(f"{simulator.url}{path}", params=query, timeout=10)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def subjects(html: str) -> list[str]:
    return re.findall(r'<span class="row-subject">(.*?)</span>', html)


def test_the_inbox_lists_the_newest_first_in_pages(simulator: Simulator) -> None:
    for number in range(60):
        simulator.post({**FORM, "subject": f"Mail {number}"})
    first = page(simulator, "/")
    assert subjects(first) == [f"Mail {number}" for number in range(59, 9, -1)]
    older = re.search(r'href="([^"]+)">Older mail', first)
    assert older
    assert subjects(page(simulator, older[1])) == [f"Mail {number}" for number in range(9, -1, -1)]
    assert "Older mail" not in page(simulator, older[1])


def test_mail_is_found_by_address_subject_and_id(simulator: Simulator) -> None:
    simulator.post({**FORM, "subject": "Grüße", "v:fencepost": "eml_ABC/1"})
    simulator.post({**FORM, "to": "Bob <bob@example.net>", "subject": "Rechnung"})
    for query, found in {
        "GRÜSSE": ["Grüße"],
        "bob": ["Rechnung"],
        "example.org ada": ["Grüße"],
        "eml_abc": ["Grüße"],
        "me@": ["Rechnung", "Grüße"],
        "nobody": [],
    }.items():
        assert subjects(page(simulator, "/", q=query)) == found, query
    assert "Nothing matches “nobody”" in page(simulator, "/", q="nobody")


def test_a_mail_shows_text_html_and_headers(simulator: Simulator) -> None:
    simulator.post({**FORM, "html": "<b>Hello</b>", "cc": "cy@example.org", "h:X-Priority": "1", "o:tag": "daily"})
    assert '<iframe class="body" sandbox=""' in page(simulator, "/messages/1")
    assert "Hello Ada</pre>" in page(simulator, "/messages/1", view="text")
    headers = page(simulator, "/messages/1", view="headers")
    for shown in ("X-Priority", "cy@example.org", "daily", f"@{DOMAIN}>"):
        assert shown in headers


def test_what_was_sent_twice_and_what_its_sender_was_told_stands_out(simulator: Simulator) -> None:
    simulator.post({**FORM, "v:fencepost": "eml_A/1"})
    simulator.dial(faults={"accept_and_500": {"next": 1}})
    simulator.post({**FORM, "v:fencepost": "eml_A/2"})
    assert page(simulator, "/").count("sent twice") == 2
    shown = page(simulator, "/messages/2")
    assert "The same delivery was accepted as" in shown
    assert "its sender was told 500" in shown


def test_what_a_mail_holds_is_text_and_nothing_else(simulator: Simulator) -> None:
    evil = "<script>alert(1)</script>"
    simulator.post(
        {**FORM, "subject": evil, "text": evil, "from": f'"{evil}" <a@b.example>', f"h:X-{evil}": evil, "o:tag": evil}
    )
    for path in ("/", "/messages/1", "/messages/1?view=headers", f"/?q={evil}"):
        answer = simulator.http.get(f"{simulator.url}{path}", timeout=10)
        assert "<script>alert" not in answer.text, path


def test_pages_have_a_strict_policy_and_a_mail_a_stricter_one(simulator: Simulator) -> None:
    simulator.post({**FORM, "html": "<b>Hello</b>"})
    for path in ("/", "/messages/1", "/dials", "/static/simulator.css", "/missing"):
        answer = simulator.http.get(f"{simulator.url}{path}", timeout=10)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'"), path
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    mail = simulator.http.get(f"{simulator.url}/messages/1/html", timeout=10)
    policies = mail.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "img-src data: cid:", "sandbox", "form-action 'none'"} <= set(policies)
    assert "Set-Cookie" not in mail.headers


def test_a_mail_that_is_not_there_is_not_found(simulator: Simulator) -> None:
    simulator.post(FORM)
    for path in ("/messages/2", "/messages/0", "/messages/x", "/messages/1/html", "/messages/99999999999999999999"):
        answer = simulator.http.get(f"{simulator.url}{path}", timeout=10)
        assert answer.status_code == 404, path
        assert "Go to the inbox" in answer.text


def test_pages_and_ledger_answer_under_their_own_names_only(simulator: Simulator) -> None:
    for path in ("/", "/dials", "/_simulator/ledger"):
        assert (
            simulator.http.get(f"{simulator.url}{path}", headers={"Host": "evil.example"}, timeout=10).status_code
            == 400
        )
    answer = simulator.http.post(
        f"{simulator.url}/v3/{DOMAIN}/messages",
        data=FORM,
        auth=("api", "key-simulator"),
        headers={"Host": "api.mailgun.net"},
        timeout=10,
    )
    assert answer.status_code == 200, "Mailgun's own paths answer under any name"


def test_foreign_pages_turn_no_dials(simulator: Simulator) -> None:
    def post(path: str, method: str, origin: str) -> requests.Response:
        headers = {"Origin": origin}
        return simulator.http.request(
            method, f"{simulator.url}{path}", headers=headers, timeout=10, allow_redirects=False
        )

    simulator.post(FORM)
    for path, method in (
        ("/dials", "POST"),
        ("/clear", "POST"),
        ("/_simulator/dials", "PUT"),
        ("/_simulator/ledger", "DELETE"),
    ):
        for origin in ("https://evil.example", "null"):
            assert post(path, method, origin).status_code == 403
    assert len(simulator.ledger()) == 1
    assert post("/clear", "POST", simulator.url).status_code == 303
    assert simulator.ledger() == []


# -- the dials


def test_the_form_of_the_dials_says_how_they_stand(simulator: Simulator) -> None:
    simulator.dial(
        latency_ms=12.5, faults={"429": {"share": 0.25, "next": 3}}, throttle_header=True, throttle_format="date"
    )
    html = page(simulator, "/dials")
    fields = dict(re.findall(r'<input(?: id="[^"]*")? name="([^"]+)"[^>]*? value="([^"]*)"', html))
    assert (fields["latency_ms"], fields["429.share"], fields["429.next"]) == ("12.5", "25", "3")
    stands = simulator.get("dials")
    answer = simulator.http.post(f"{simulator.url}/dials", data={**fields, "throttle_format": "date"}, timeout=10)
    assert "Done." in answer.text
    assert simulator.get("dials") == stands, "sent back as it came, the form changes nothing"


def test_a_wrong_number_leaves_the_dials_as_they_are(simulator: Simulator) -> None:
    stands = simulator.get("dials")
    for field, value in (
        ("latency_ms", "fast"),
        ("429.share", "101"),
        ("429.next", "-1"),
        ("seed", "1.5"),
        ("latency_ms", "nan"),
    ):
        answer = simulator.http.post(f"{simulator.url}/dials", data={field: value}, timeout=10)
        assert answer.status_code == 422, field
        assert "The dials stay as they were" in answer.text
        assert f'value="{value}"' in answer.text, "what was typed is still there"
    assert simulator.get("dials") == stands


def test_one_press_sets_all_dials(simulator: Simulator) -> None:
    def press(preset: str) -> Any:
        assert simulator.http.post(f"{simulator.url}/dials", data={"preset": preset}, timeout=10).status_code == 200
        return simulator.get("dials")

    assert press("key")["faults"]["401"]["share"] == 1
    assert press("weather")["faults"]["accept_and_hang"]["share"] == 0.08
    assert press("slow")["latency_ms"] == 1500
    assert press("down")["faults"]["refuse_connections"]["share"] == 1
    assert "Misbehaves:</strong> refuse_connections 100%" in page(simulator, "/")
    calm = press("calm")
    assert all(fault == {"share": 0, "next": 0} for fault in calm["faults"].values())
    assert "Misbehaves" not in page(simulator, "/")


def test_a_mail_shows_what_is_attached_to_it(simulator: Simulator) -> None:
    logo = attachment("logo.png", "image/png", b"x" * 1500, "logo-1")
    full = replace(mail(1), attachments=(attachment("größe.pdf", "application/pdf", b"%PDF"), logo))
    for name in ("mailgun", "smtp"):
        adapter = simulator.adapter(name)
        transport = Transport()
        [reply] = call(transport, adapter.request(full))
        transport.close()
        assert adapter.outcome(reply).kind is OutcomeKind.ACCEPTED
    by_mailgun, by_smtp = (re.sub(r"<.*?>", "", page(simulator, f"/messages/{number}")) for number in (1, 2))
    for shown in (by_mailgun, by_smtp):
        assert "größe.pdf application/pdf, 4 B" in shown
        assert "image/png, 1.5 kB, shown in the HTML as cid:logo-1" in shown
