"""What a text holds of its attachments, and what a mail gets of them."""

from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost import attachments
from fencepost.attachments import by_id, guessed_type, named
from fencepost.breaker import content_key
from fencepost.errors import Invalid, TooLarge
from fencepost.messages import Renderer
from tests.support.rows import planned
from tests.support.schedules import at, definition, schedule

WHEN, SLOT = at("2026-03-02 09:00"), timedelta(minutes=1)
HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
"""The SHA-256 of `hello`, as other programs tell it."""


def text(*entries: dict[str, Any]) -> dict[str, Any]:
    """A text with these files, as it comes from the door."""
    files = [{"filename": "a.txt", **entry} for entry in entries]
    for each in files:
        if "content" in each:
            each["content"] = b64encode(each["content"]).decode()
    return definition(message={"attachments": files})


def test_contents_become_ids_and_nothing_else_of_the_text_changes() -> None:
    before = text({"content": b"hello"}, {"content": b"hello", "content_type": "text/csv", "content_id": "x"})
    after, contents = by_id(before, {}, 10, "")
    assert contents == {HELLO: b"hello"}
    assert after["message"]["attachments"] == [
        {"filename": "a.txt", "content_type": "text/plain", "content_id": None, "size": 5, "file_id": HELLO},
        {"filename": "a.txt", "content_type": "text/csv", "content_id": "x", "size": 5, "file_id": HELLO},
    ]
    assert {**after, "message": {**after["message"], "attachments": []}} == definition()
    assert named(after) == {HELLO}


def test_an_id_stands_for_a_file_that_is_on_record_or_comes_with_the_same_text() -> None:
    assert by_id(text({"file_id": HELLO}), {HELLO: 5}, 10, "")[1] == {}
    after, _ = by_id(text({"file_id": HELLO}, {"content": b"hello"}), {}, 10, "")
    assert [entry["size"] for entry in after["message"]["attachments"]] == [5, 5]
    with pytest.raises(Invalid) as refused:
        by_id(text({"content": b"bye"}, {"file_id": HELLO}), {}, 10, "/message")
    assert [problem.pointer for problem in refused.value.problems] == ["/message/attachments/1/file_id"]


def test_what_goes_twice_counts_twice() -> None:
    by_id(text({"content": b"hello"}, {"file_id": HELLO}), {}, 10, "")
    with pytest.raises(TooLarge):
        by_id(text({"content": b"hello"}, {"file_id": HELLO}), {}, 9, "")


def test_a_text_without_attachments_names_none() -> None:
    assert named(definition()) == set()
    assert Renderer(definition()).attachments == ()


@pytest.mark.parametrize(
    ("filename", "kind"),
    [
        ("figures.PDF", "application/pdf"),
        ("logo.png", "image/png"),
        ("invite.ics", "text/calendar"),
        ("book.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("all.tar.gz", "application/gzip"),
        ("all.tar.xz", "application/octet-stream"),
        ("forwarded.eml", "application/octet-stream"),
        ("README", "application/octet-stream"),
        (".png", "image/png"),
        ("data:text/html,x", "application/octet-stream"),
        ("a.nobody-knows", "application/octet-stream"),
    ],
)
def test_a_type_is_guessed_from_the_name(filename: str, kind: str) -> None:
    assert guessed_type(filename) == kind


@given(st.text())
def test_every_name_has_a_type_that_the_door_takes(filename: str) -> None:
    main, slash, sub = guessed_type(filename).partition("/")
    assert (bool(main), slash, bool(sub)) == (True, "/", True)
    assert main not in ("multipart", "message")


def test_a_mail_is_filled_with_what_its_files_hold() -> None:
    stored, contents = by_id(text({"content": b"hello"}), {}, 10, "")
    [row] = planned(schedule(WHEN, stored), WHEN)[1]
    mail = Renderer(stored).mail(row["_id"], 1, row["recipient"])
    assert [each.filename for each in attachments.missing(mail, {})] == ["a.txt"]
    assert not attachments.missing(mail, contents)
    assert [each.content for each in attachments.filled(mail, contents).attachments] == [b"hello"]
    assert "hello" not in repr(attachments.filled(mail, contents)), "what goes into logs stays short"


def test_mails_with_different_files_are_no_copies_of_each_other() -> None:
    keys = set()
    [row] = planned(schedule(WHEN), WHEN)[1]
    for content in (b"hello", b"bye"):
        stored, contents = by_id(text({"content": content}), {}, 10, "")
        mail = Renderer(stored).mail(row["_id"], 1, row["recipient"])
        keys.add(content_key(row, mail, SLOT))
        assert content_key(row, attachments.filled(mail, contents), SLOT) in keys
    assert len(keys) == 2
