"""Attachments by the API: content once on record under its hash, light answers, limits, and no way to smuggle in a header."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import bson
import pytest

from fencepost.settings import Settings
from fencepost.store import Store
from fencepost.store.files import NEVER
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import MESSAGE, Api, MovableClock, text

PDF = b"%PDF-1.7 " + bytes(range(256))
PDF_ID = sha256(PDF).hexdigest()
FILE = {"filename": "figures.pdf", "content": b64encode(PDF).decode()}
STORED = {
    "filename": "figures.pdf",
    "content_type": "application/pdf",
    "content_id": None,
    "size": len(PDF),
    "file_id": PDF_ID,
}
LOGO = {"filename": "logo.png", "content": b64encode(b"\x89PNG").decode(), "content_id": "logo-1"}


def send(api: Api, *attachments: Mapping[str, Any], status: int = 202, **changes: Any) -> Any:
    return api.post("/emails", {**MESSAGE, **changes, "attachments": list(attachments)}, status=status)


def files(store: Store) -> dict[str, dict[str, Any]]:
    return {row["_id"]: row for row in store.database.files.find()}


def limited(parts: Parts, **limits: int) -> Api:
    """A registry with these limits."""
    registry = parts.settings.registry.model_copy(update=limits)
    settings: Settings = parts.settings.model_copy(update={"registry": registry})
    return Api(create_app(replace(parts, settings=settings)).test_client())


def test_a_content_is_on_record_once_and_answers_show_everything_but_it(api: Api, store: Store) -> None:
    html = '<img src="cid:logo-1">'
    [email] = send(api, FILE, LOGO, {**FILE, "filename": "again.bin"}, html=html)["emails"]
    send(api, FILE)
    assert [row["content"] for row in files(store).values()] == [PDF, b"\x89PNG"]
    assert files(store)[f"local/{PDF_ID}"]["size"] == len(PDF)
    shown = api.get(f"/emails/{email['id']}")
    assert shown["attachments"] == [
        STORED,
        {
            "filename": "logo.png",
            "content_type": "image/png",
            "content_id": "logo-1",
            "size": 4,
            "file_id": sha256(b"\x89PNG").hexdigest(),
        },
        {**STORED, "filename": "again.bin", "content_type": "application/octet-stream"},
    ]
    assert [each["file_id"] for each in api.get("/emails")["data"][-1]["attachments"]]
    for collection in ("messages", "deliveries", "idempotency_keys"):
        for row in store.database[collection].find():
            assert PDF not in bson.encode(row), "texts and rows stay light"


def test_a_file_stays_until_the_last_mail_with_it_is_purged(api: Api, store: Store, clock: MovableClock) -> None:
    def purge_at() -> datetime:
        found: datetime = files(store)[f"local/{PDF_ID}"]["purge_at"]
        return found

    [email] = send(api, FILE)["emails"]
    first = purge_at()
    [row] = store.database.deliveries.find()
    assert first >= row["purge_at"]
    api.post(f"/emails/{email['id']}/reschedule", {"scheduled_at": "2026-09-01T09:00:00Z"})
    [row] = store.database.deliveries.find()
    assert purge_at() == row["purge_at"] > first
    send(api, FILE)
    assert purge_at() == row["purge_at"], "it is never shortened"
    clock.move(days=5)
    send(api, {"filename": "by-id.pdf", "file_id": PDF_ID}, scheduled_at="2027-02-01T00:00:00Z")
    assert purge_at() > datetime(2027, 2, 1, tzinfo=UTC) + timedelta(days=30)
    api.create(message={"attachments": [FILE]})
    assert purge_at() == NEVER, "a schedule's is not purged at all"
    send(api, FILE)
    assert purge_at() == NEVER


def test_a_mail_that_is_sent_again_keeps_its_text_and_files(api: Api, store: Store, clock: MovableClock) -> None:
    [email] = send(api, FILE)["emails"]
    store.database.deliveries.update_many({}, {"$set": {"state": "failed"}})
    clock.move(days=60)
    api.post(f"/emails/{email['id']}/replay", {}, status=202)
    [row], [message], [file] = store.database.deliveries.find(), store.database.messages.find(), files(store).values()
    assert row["purge_at"] > clock.now() + timedelta(days=80)
    assert file["purge_at"] == message["purge_at"] == row["purge_at"]


def test_what_was_read_can_be_sent_back(api: Api, store: Store) -> None:
    made = api.create(message={"attachments": [FILE, LOGO], "html": "<p>"})
    assert made["message"]["attachments"][0] == STORED
    message = {**made["message"], "subject": "Other figures"}
    changed = api.patch(f"/schedules/{made['id']}", {"message": message})
    assert changed["message"]["attachments"] == made["message"]["attachments"]
    assert changed["version"] == 2
    send(api, *made["message"]["attachments"])
    again = api.post("/schedules", text(message=made["message"]), status=201)
    assert again["message"] == made["message"]
    assert len(files(store)) == 2


def test_an_edit_of_something_else_keeps_the_files_of_a_schedule(api: Api) -> None:
    made = api.create(message={"attachments": [FILE]})
    path = f"/schedules/{made['id']}"
    assert api.patch(path, {"name": "Renamed"})["message"]["attachments"] == [STORED]
    assert api.patch(path, {"message": {"text": "Other."}})["message"]["attachments"] == [STORED]
    same = api.patch(path, {"message": {"attachments": [{**FILE, "content_type": "application/pdf"}]}})
    assert same["version"] == 3, "the same content is no change"
    [listed] = api.get("/schedules")["data"]
    assert listed["message"]["attachments"] == [STORED]
    assert api.patch(path, {"message": {"attachments": None}})["message"]["attachments"] == []


def test_a_schedule_from_before_there_were_attachments_has_none(api: Api, store: Store) -> None:
    made = api.create()
    store.database.schedules.update_one({"_id": made["id"]}, {"$unset": {"definition.message.attachments": ""}})
    assert api.get(f"/schedules/{made['id']}")["message"]["attachments"] == []
    assert api.patch(f"/schedules/{made['id']}", {"name": "Renamed"})["name"] == "Renamed"


def test_another_owner_s_file_is_unknown(api: Api, store: Store, clock: MovableClock) -> None:
    store.files.put("other", {PDF_ID: PDF}, NEVER, clock.now())
    by_id = {"filename": "a.pdf", "file_id": PDF_ID}
    refused = send(api, LOGO, by_id, status=422)
    assert [error["pointer"] for error in refused["errors"]] == ["/attachments/1/file_id"]
    refused = api.post("/schedules", text(message={"attachments": [by_id]}), status=422)
    assert [error["pointer"] for error in refused["errors"]] == ["/message/attachments/0/file_id"]
    made = api.create()
    refused = api.patch(f"/schedules/{made['id']}", {"message": {"attachments": [by_id]}}, status=422)
    assert [error["pointer"] for error in refused["errors"]] == ["/message/attachments/0/file_id"]


WRONG: Mapping[str, tuple[dict[str, Any], str, str]] = {
    # what is wrong: (the changes to a right file, the pointer below it, what the sentence must say)
    "a line break in the name": ({"filename": "a\r\nBcc: eve@example.com"}, "/filename", "one line"),
    "a control character in the name": ({"filename": "a\x85b"}, "/filename", "one line"),
    "a path": ({"filename": "../a.pdf"}, "/filename", "without a path"),
    "a path of Windows": ({"filename": "c:\\a.pdf"}, "/filename", "without a path"),
    "no name": ({"filename": " "}, "/filename", "must not be empty"),
    "a long name": ({"filename": "x" * 256}, "/filename", "255"),
    "a line break in the type": ({"content_type": "text/plain\r\nX: 1"}, "/content_type", "media type"),
    "a parameter in the type": ({"content_type": 'text/plain; name="a"'}, "/content_type", "without parameters"),
    "no media type": ({"content_type": "pdf"}, "/content_type", "such as application/pdf"),
    "a structure": ({"content_type": "multipart/mixed"}, "/content_type", "structure"),
    "a message": ({"content_type": "Message/RFC822"}, "/content_type", "structure"),
    "a line break in the content id": ({"content_id": "a>\r\nX: 1"}, "/content_id", "pattern"),
    "an end of line after the content id": ({"content_id": "a\n"}, "/content_id", "pattern"),
    "a long content id": ({"content_id": "x" * 65}, "/content_id", "pattern"),
    "base64 for URLs": ({"content": "_-8="}, "/content", "standard base64"),
    "base64 in lines": ({"content": "AAAA\r\nAAAA"}, "/content", "one line"),
    "cut base64": ({"content": "AAA"}, "/content", "standard base64"),
    "no base64": ({"content": "größe"}, "/content", "standard base64"),
    "an empty file": ({"content": ""}, "/content", "holds something"),
    "a number": ({"content": 7}, "/content", "base64"),
    "neither": ({"content": None}, "", "`content`, or the `file_id`"),
    "both": ({"file_id": PDF_ID}, "", "not both"),
    "no file id": ({"content": None, "file_id": "abc"}, "/file_id", "pattern"),
    "no such file": ({"content": None, "file_id": "0" * 64}, "/file_id", "no file of yours"),
    "an address": ({"path": "https://example.com/a.pdf"}, "/path", "is not a field here"),
}


@pytest.mark.parametrize(("changes", "pointer", "says"), WRONG.values(), ids=WRONG.keys())
def test_a_file_that_is_not_right_is_refused_at_its_field(
    api: Api, store: Store, changes: dict[str, Any], pointer: str, says: str
) -> None:
    wrong = {**FILE, **changes}
    [error] = send(api, LOGO, wrong, status=422)["errors"]
    assert error["pointer"] == f"/attachments/1{pointer}"
    assert says in error["detail"]
    [error] = api.post("/schedules", text(message={"attachments": [wrong]}), status=422)["errors"]
    assert error["pointer"] == f"/message/attachments/0{pointer}"
    assert not files(store)


def test_content_ids_are_given_once_and_files_are_at_most_twenty(api: Api) -> None:
    [error] = send(api, LOGO, FILE, LOGO, status=422)["errors"]
    assert error["pointer"] == "/attachments/2/content_id"
    send(api, *[FILE] * 20)
    [error] = send(api, *[FILE] * 21, status=422)["errors"]
    assert (error["pointer"], "20" in error["detail"]) == ("/attachments", True)


def test_files_that_are_too_large_together_are_a_413(parts: Parts, store: Store) -> None:
    api = limited(parts, max_attachments_bytes=1000)
    part = {"filename": "a.bin", "content": b64encode(bytes(500)).decode()}
    send(api, part, part)
    one_more = {"filename": "b.bin", "content": b64encode(b"b").decode()}
    refused = send(api, part, part, one_more, status=413)
    assert refused["type"] == "/problems#too-large"
    [error] = refused["errors"]
    assert error == {"pointer": "/attachments", "detail": "are 1001 bytes together, and 1000 is the most"}
    assert len(files(store)) == 1, "what was refused is not kept"
    by_id = {"filename": "c.bin", "file_id": sha256(bytes(500)).hexdigest()}
    send(api, by_id, by_id, one_more, status=413)
    made = api.create(message={"attachments": [part]})
    changes = {"message": {"attachments": [part, part, one_more]}}
    [error] = api.patch(f"/schedules/{made['id']}", changes, status=413)["errors"]
    assert error["pointer"] == "/message/attachments"


def test_of_a_batch_only_the_mail_that_is_too_large_is_refused(parts: Parts) -> None:
    api = limited(parts, max_attachments_bytes=300)
    large = {**MESSAGE, "attachments": [{"filename": "a.bin", "content": b64encode(bytes(301)).decode()}]}
    right = {**MESSAGE, "attachments": [FILE]}
    made = api.post("/emails/batch", {"emails": [large, right]}, status=202)
    assert [result["status"] for result in made["results"]] == ["refused", "accepted"]
    assert made["results"][0]["errors"][0]["pointer"] == "/attachments"


MEBIBYTE = 1_048_576


@pytest.mark.parametrize("path", ["/emails", "/emails/batch", "/schedules"])
def test_only_requests_that_carry_messages_may_be_larger_than_a_mebibyte(api: Api, path: str) -> None:
    answer = api.call("POST", path, {"nonsense": "x" * 2 * MEBIBYTE})
    assert answer.status_code == 422, "it was read"
    refused = api.call("POST", path, {"nonsense": "x" * 16 * MEBIBYTE})
    assert (refused.status_code, "16777216" in refused.text) == (413, True)


def test_every_other_route_takes_a_mebibyte_as_before(api: Api, parts: Parts) -> None:
    made = api.create()
    body = json.dumps({"reason": "x" * MEBIBYTE})
    app = create_app(parts)
    seen = set()
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            view = app.view_functions[rule.endpoint]
            for method in {"POST", "PUT", "PATCH", "DELETE"} & (rule.methods or set()):
                if getattr(view, "carries_messages", False):
                    seen.add((method, rule.rule))
    assert seen == {
        ("POST", "/emails"),
        ("POST", "/emails/batch"),
        ("POST", "/schedules"),
        ("PATCH", "/schedules/<schedule:schedule_id>"),
    }
    for path in ("/schedules/preview", f"/schedules/{made['id']}/pause", "/suppressions"):
        answer = api.client.post(path, data=body, content_type="application/json")
        assert answer.status_code == 413, path
    assert api.patch(f"/schedules/{made['id']}", {"nonsense": "x" * 2 * MEBIBYTE}, status=422)


def test_ten_mebibytes_of_files_are_taken(api: Api, store: Store) -> None:
    [email] = send(api, {"filename": "a.bin", "content": b64encode(bytes(10 * MEBIBYTE)).decode()})["emails"]
    assert api.get(f"/emails/{email['id']}")["attachments"][0]["size"] == 10 * MEBIBYTE
    [row] = files(store).values()
    assert row["size"] == len(row["content"]) == 10 * MEBIBYTE
