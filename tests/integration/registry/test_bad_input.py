"""What can't be taken: each answer names the field, or the parameter, and says what would be right."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from fencepost.store import Store
from tests.support.api import DAILY, MESSAGE, Api, text

DUPLICATE = "is the same address as /message/to/0/email; name each one once"


def cron(expression: str, zone: str = "UTC") -> dict[str, str]:
    return {"type": "cron", "expression": expression, "timezone": zone}


def rrule(rule: str) -> dict[str, str]:
    return {"type": "rrule", "rule": rule, "timezone": "UTC"}


def once(at: str, zone: str = "UTC") -> dict[str, str]:
    return {"type": "once", "at": at, "timezone": zone}


BERLIN = "Europe/Berlin"
GAP = once("2026-03-29T02:30:00", BERLIN)

WRONG: Mapping[str, tuple[dict[str, Any], str, str]] = {
    # what is wrong: (the fields, the pointer, what the sentence must say)
    "never comes": ({"recurrence": cron("0 9 30 2 *")}, "/recurrence/expression", "never comes"),
    "never comes, rrule": (
        {"recurrence": rrule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=9;BYMINUTE=0;BYSECOND=0")},
        "/recurrence/rule",
        "never comes",
    ),
    "lies in the past": ({"recurrence": once("2026-03-02T07:59:59")}, "/recurrence/at", "instant"),
    "is now": ({"recurrence": once("2026-03-02T08:00:00")}, "/recurrence/at", "later than now"),
    "unknown zone": ({"recurrence": cron("0 9 * * *", "Europe/Berln")}, "/recurrence/timezone", "Europe/Berlin"),
    "zone is a path": ({"recurrence": cron("0 9 * * *", "../../etc/passwd")}, "/recurrence/timezone", "zone"),
    "six fields": ({"recurrence": cron("0 0 9 * * *")}, "/recurrence/expression", "five"),
    "four fields": ({"recurrence": cron("0 9 * *")}, "/recurrence/expression", "five"),
    "cron out of range": ({"recurrence": cron("0 25 * * *")}, "/recurrence/expression", "hour"),
    "cron too long": ({"recurrence": cron("1," * 5000 + "2 * * * *")}, "/recurrence/expression", "400 are the most"),
    "empty cron": ({"recurrence": cron("")}, "/recurrence/expression", "0 9 * * 1-5"),
    "secondly": ({"recurrence": rrule("FREQ=SECONDLY")}, "/recurrence/rule", "MINUTELY"),
    "unreadable rule": ({"recurrence": rrule("every monday")}, "/recurrence/rule", "FREQ"),
    "no interval": ({"recurrence": {"type": "interval", "every": "soon"}}, "/recurrence/every", "15m"),
    "interval of nothing": ({"recurrence": {"type": "interval", "every": "0m"}}, "/recurrence/every", "from 1s"),
    "no such type": ({"recurrence": {"type": "weekly"}}, "/recurrence/type", "'cron'"),
    "no type": ({"recurrence": {"expression": "0 9 * * *"}}, "/recurrence/type", "one of cron"),
    "type is an object": ({"recurrence": {"type": {"$gt": ""}}}, "/recurrence/type", "'cron'"),
    "field of another type": (
        {"recurrence": {**DAILY, "every": "1h"}},
        "/recurrence/every",
        "is not a field here",
    ),
    "single run in the gap": (
        {"recurrence": GAP, "dst": {"gap": "skip"}},
        "/recurrence/at",
        "does not exist",
    ),
    "naive starts_at": ({"starts_at": "2026-04-01T00:00:00"}, "/starts_at", "zone offset"),
    "naive ends_at": ({"ends_at": "2026-04-01T00:00:00"}, "/ends_at", "zone offset"),
    "starts_at is a number": ({"starts_at": 1_800_000_000}, "/starts_at", "2026-03-29T09:00:00Z"),
    "starts_at with a fraction": ({"starts_at": "2026-04-01T00:00:00.5Z"}, "/starts_at", "whole second"),
    "starts_at out of reach": ({"starts_at": "0001-01-01T00:00:00+23:59"}, "/starts_at", "1971 to 2199"),
    "ends before it starts": (
        {"starts_at": "2026-05-01T00:00:00Z", "ends_at": "2026-04-01T00:00:00Z"},
        "/ends_at",
        "starts_at",
    ),
    "ends before it comes": ({"ends_at": "2026-03-02T08:30:00Z"}, "/ends_at", "2026-03-02T09:00:00Z"),
    "ended long ago": ({"ends_at": "2020-03-02T08:30:00Z"}, "/ends_at", "later"),
    "no occurrences": ({"max_occurrences": 0}, "/max_occurrences", "greater than or equal to 1"),
    "max is a text": ({"max_occurrences": "5"}, "/max_occurrences", "valid integer"),
    "max is true": ({"max_occurrences": True}, "/max_occurrences", "valid integer"),
    "together is a text": ({"together": "yes"}, "/together", "valid boolean"),
    "no such policy": ({"misfire": {"policy": "some"}}, "/misfire/policy", "'skip'"),
    "window too long": ({"misfire": {"window_seconds": 10**9}}, "/misfire/window_seconds", "less than"),
    "no such wish": ({"on_unknown": "maybe"}, "/on_unknown", "'hold'"),
    "operator for a text": ({"name": {"$ne": None}}, "/name", "valid string"),
    "operator for an address": ({"message": {"from": {"$ne": None}}}, "/message/from/$ne", "is not a field here"),
    "operator for a subject": ({"message": {"subject": {"$gt": ""}}}, "/message/subject", "valid string"),
    "unknown field": ({"recurence": DAILY}, "/recurence", "is not a field here"),
    "unknown field of the message": ({"message": {"attachment": []}}, "/message/attachment", "is not a field here"),
    "read-only field": ({"next_run_at": "2026-04-01T00:00:00Z"}, "/next_run_at", "is not a field here"),
    "a pointer with a slash": ({"a/b~c": 1}, "/a~1b~0c", "is not a field here"),
    "no name": ({"name": None}, "/name", "is required"),
    "blank name": ({"name": "  "}, "/name", "must not be empty"),
    "name of two lines": ({"name": "one\ntwo"}, "/name", "must be one line"),
    "long name": ({"name": "x" * 201}, "/name", "at most 200 characters"),
    "no message": ({"message": {"subject": None, "text": None}}, "/message/subject", "string"),
    "no body": ({"message": {"text": ""}}, "/message", "`text`, `html` or both"),
    "nobody": ({"message": {"to": []}}, "/message/to", "at least 1 item"),
    "to is a text": ({"message": {"to": "ann@example.com"}}, "/message/to", "list"),
    "too many": ({"message": {"to": [f"a{n}@example.com" for n in range(10_001)]}}, "/message/to", "at most 10000"),
    "not an address": ({"message": {"to": ["ann"]}}, "/message/to/0/email", "ann@example.com"),
    "not an address, object": ({"message": {"to": [{"email": "a@b"}]}}, "/message/to/0/email", "ann@example.com"),
    "long address": ({"message": {"to": [{"email": "a" * 10_000 + "@example.com"}]}}, "/message/to/0/email", "254"),
    "two addresses in one text": (
        {"message": {"to": ["ann@example.com, bob@example.com"]}},
        "/message/to/0",
        "each in an entry of its own",
    ),
    "two addresses behind a semicolon": (
        {"message": {"cc": ["ann@example.com;bob@example.com"]}},
        "/message/cc/0",
        "each in an entry of its own",
    ),
    "two addresses with names": (
        {"message": {"to": ["Ann <ann@example.com>, Bob <bob@example.com>"]}},
        "/message/to/0",
        "each in an entry of its own",
    ),
    "words behind an address": ({"message": {"to": ["Ann <ann@example.com> Bob"]}}, "/message/to/0", "not one address"),
    "a space in an address": ({"message": {"to": ["ann@exa mple.com"]}}, "/message/to/0", "not one address"),
    "a comment in an address": ({"message": {"to": ["ann(a)@example.com"]}}, "/message/to/0/email", "ann@example.com"),
    "from beyond ASCII": ({"message": {"from": "jos\u00e9@example.com"}}, "/message/from", "ASCII before the @"),
    "a header of the body": (
        {"message": {"headers": {"Content-Transfer-Encoding": "base64"}}},
        "/message/headers",
        "set from its own field",
    ),
    "from is no address": ({"message": {"from": "me"}}, "/message/from/email", "ann@example.com"),
    "same address twice": (
        {"message": {"to": ["bob@example.com", "Bob <BOB@example.com>"]}},
        "/message/to/1/email",
        DUPLICATE,
    ),
    "same address in cc": (
        {"message": {"to": ["bob@example.com"], "cc": ["bob@example.com"]}},
        "/message/cc/0/email",
        DUPLICATE,
    ),
    "cc with several to": (
        {"message": {"to": ["a@example.com", "b@example.com"], "cc": ["c@example.com"]}},
        "/message/cc",
        "together",
    ),
    "bcc with several to": (
        {"message": {"to": ["a@example.com", "b@example.com"], "bcc": ["c@example.com"]}},
        "/message/bcc",
        "together",
    ),
    "line break in the subject": ({"message": {"subject": "Hi\r\nBcc: v@example.com"}}, "/message/subject", "one line"),
    "line break of another kind": (
        {"message": {"subject": "Hi\x85Bcc: v@example.com"}},
        "/message/subject",
        "one line",
    ),
    "line break in a value of the subject": (
        {"message": {"subject": "{{ n }}", "to": [{"email": "a@example.com", "variables": {"n": "Hi\u2028there"}}]}},
        "/message/to/0/variables",
        "line break into the subject",
    ),
    "line break in a header": (
        {"message": {"headers": {"X-A": "a\r\nBcc: v@example.com"}}},
        "/message/headers/X-A",
        "one line",
    ),
    "line break in a name": (
        {"message": {"from": {"email": "a@example.com", "name": "A\nBcc: v@example.com"}}},
        "/message/from/name",
        "one line",
    ),
    "line break in an address": (
        {"message": {"to": ["a@example.com\r\nBcc: v@example.com"]}},
        "/message/to/0",
        "one line",
    ),
    "line break in metadata": ({"message": {"metadata": {"a": "x\ny"}}}, "/message/metadata/a", "one line"),
    "NUL in a tag": ({"message": {"tags": ["a\0"]}}, "/message/tags/0", "ASCII"),
    "header that is ours": ({"message": {"headers": {"Bcc": "v@example.com"}}}, "/message/headers", "own field"),
    "header that is none": ({"message": {"headers": {"X A": "b"}}}, "/message/headers", "X-Campaign"),
    "operator in metadata": ({"message": {"metadata": {"$where": "1"}}}, "/message/metadata", "letters, digits"),
    "dot in a variable": (
        {"message": {"to": [{"email": "a@example.com", "variables": {"a.b": 1}}]}},
        "/message/to/0/variables",
        "letters, digits",
    ),
    "number too large": (
        {"message": {"to": [{"email": "a@example.com", "variables": {"a": 10**30}}]}},
        "/message/to/0/variables/a",
        "15 digits",
    ),
    "infinite number": (
        {"message": {"to": [{"email": "a@example.com", "variables": {"a": float("1e400")}}]}},
        "/message/to/0/variables/a",
        "15 digits",
    ),
    "value is a list": (
        {"message": {"to": [{"email": "a@example.com", "variables": {"a": [1]}}]}},
        "/message/to/0/variables/a",
        "must be a text",
    ),
    "template that can't be read": ({"message": {"text": "Dear {{ name"}}, "/message/text", "template"),
    "value that is missing": (
        {"message": {"text": "Dear {{ first_name }}"}},
        "/message/to/0/variables",
        "first_name",
    ),
    "template that never ends": (
        {"message": {"text": "{% for i in (1..100000) %}{% for j in (1..100000) %}x{% endfor %}{% endfor %}"}},
        "/message/text",
        "filled in",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_field_is_named_with_what_would_be_right(api: Api, store: Store, case: str) -> None:
    changes, pointer, sentence = WRONG[case]
    # Infinity is not JSON; a number that large is.
    data = json.dumps(text(**changes)).replace("Infinity", "1e400")
    refused = api.client.post("/schedules", data=data, content_type="application/json").get_json(force=True)
    assert (refused["status"], refused["type"]) == (422, "/problems#invalid")
    found = {error["pointer"]: error["detail"] for error in refused["errors"]}
    assert pointer in found, found
    assert sentence in found[pointer]
    assert store.database.schedules.count_documents({}) == 0


def test_all_that_is_wrong_is_said_at_once(api: Api) -> None:
    body = text(recurrence=cron("0 0 9 * * *"), ends_at="soon", message={"to": ["ann"], "subject": "a\nb"}, extra=1)
    refused = api.post("/schedules", body, status=422)
    assert {error["pointer"] for error in refused["errors"]} == {
        "/ends_at",
        "/extra",
        "/message/subject",
        "/message/to/0/email",
    }
    del body["ends_at"]
    refused = api.post("/schedules", body, status=422)
    assert "/recurrence/expression" in {error["pointer"] for error in refused["errors"]}
    assert "(and 3 more)" in refused["detail"]


@pytest.mark.parametrize(("count", "listed"), [(150, 101), (100_000, 1)])
@pytest.mark.parametrize("path", ["/schedules", "/emails", "/emails/batch"])
def test_no_more_mistakes_are_told_than_anybody_reads(api: Api, path: str, count: int, listed: int) -> None:
    refused = api.post(path, {f"field_{number}": 1 for number in range(count)}, status=422)
    assert len(refused["errors"]) == listed
    assert refused["errors"][-1]["pointer"] == ""
    assert "more" in refused["errors"][-1]["detail"]


@pytest.mark.parametrize("name", ["a/b", "a~b"])
def test_a_name_with_a_slash_is_pointed_to_as_pointers_write_it(api: Api, name: str) -> None:
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    refused = api.post("/emails/batch", {"emails": [MESSAGE], name: 1}, status=422)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]


def test_a_text_that_the_database_would_not_take_is_too_large(api: Api) -> None:
    """Within what a request may have, it is larger on record: of each value more is kept than was sent."""
    values = {f"name_{number:059}": 1e9 for number in range(100)}
    to = [{"email": f"r{number}@example.com", "variables": values} for number in range(2285)]
    for path, body, pointer in (
        ("/emails", {**MESSAGE, "to": to}, "/to"),
        ("/schedules", text(message={"to": to}), "/message/to"),
    ):
        data = json.dumps(body, separators=(",", ":")).replace("1000000000.0", "1e9")
        assert len(data) < 16_777_216
        refused = api.client.post(path, data=data, content_type="application/json")
        assert refused.status_code == 413, refused.text
        assert [error["pointer"] for error in refused.get_json(force=True)["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"recurrence": cron("0 9 30 2 *")}, "/recurrence/expression"),
        ({"recurrence": cron("0 9 * * *", "Mars/Olympus")}, "/recurrence/timezone"),
        ({"starts_at": "2026-04-01T00:00:00"}, "/starts_at"),
        ({"starts_at": "2026-05-01T00:00:00Z", "ends_at": "2026-04-01T00:00:00Z"}, "/ends_at"),
        ({"count": 0}, "/count"),
        ({"count": 501}, "/count"),
        ({"count": "5"}, "/count"),
        ({"after": "yesterday"}, "/after"),
        ({"message": MESSAGE}, "/message"),
    ],
)
def test_a_preview_is_as_strict(api: Api, changes: dict[str, Any], pointer: str) -> None:
    refused = api.post("/schedules/preview", {"recurrence": DAILY, **changes}, status=422)
    assert pointer in {error["pointer"] for error in refused["errors"]}


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("bogus=1", "/bogus"),
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("limit=ten", "/limit"),
        ("limit=", "/limit"),
        ("limit=1&limit=2", "/limit"),
        ("status=sleeping", "/status"),
        ("status[$ne]=active", "/status[$ne]"),
        ("sort=name", "/sort"),
        ("q=%00", "/q"),
        ("q=" + "x" * 201, "/q"),
        ("cursor=nonsense", "/cursor"),
        ("cursor=%F0%9F%92%A9", "/cursor"),
    ],
)
def test_a_wrong_parameter_of_a_list_is_named(api: Api, query: str, pointer: str) -> None:
    assert [error["pointer"] for error in api.get(f"/schedules?{query}", status=422)["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("state=lost", "/state"),
        ("from=2026-04-01T00:00:00", "/from"),
        ("until=1800000000", "/until"),
        ("from=0001-01-01T00:00:00Z", "/from"),
        ("to[$ne]=x", "/to[$ne]"),
        ("from_=2026-04-01T00:00:00Z", "/from_"),
    ],
)
def test_a_wrong_parameter_of_the_emails_is_named(api: Api, query: str, pointer: str) -> None:
    assert [error["pointer"] for error in api.get(f"/emails?{query}", status=422)["errors"]] == [pointer]


def test_parameters_are_refused_where_there_are_none(api: Api) -> None:
    made = api.create()
    for path in (f"/schedules/{made['id']}?verbose=1", "/cluster?full=yes"):
        assert "is not a parameter" in api.get(path, status=422)["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b'{"name":', "application/json", 400),
        (b"", "text/plain", 400),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b"{}", "application/merge-patch+json", 415),
        (b"\xff\xfe{}", "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b'{"name": "\\ud800"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"1" * 5000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b'"{}"', "application/json", 422),
        (b"null", "application/json", 422),
        (b'{"name": "' + b"x" * 17_000_000 + b'"}', "application/json", 413),
    ],
)
def test_a_body_that_is_not_one_json_object_is_refused(api: Api, data: bytes, kind: str, status: int) -> None:
    answer = api.client.post("/schedules", data=data, content_type=kind)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.get_json(force=True)["status"] == status


def test_a_patch_may_say_that_it_is_one(api: Api) -> None:
    path = f"/schedules/{api.create()['id']}"
    answer = api.client.patch(path, data='{"name": "New"}', content_type="application/merge-patch+json")
    assert answer.get_json()["name"] == "New"


def test_a_method_that_an_address_has_not_is_refused_with_those_it_has(api: Api) -> None:
    answer = api.call("PUT", "/schedules")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))
    assert api.call("GET", "/schedules/preview").status_code == 405


@pytest.mark.parametrize("reason", ["x" * 501, {"$ne": None}, "two\nlines"])
def test_a_wrong_reason_for_a_pause_is_named(api: Api, reason: object) -> None:
    path = f"/schedules/{api.create()['id']}"
    refused = api.post(f"{path}/pause", {"reason": reason}, status=422)
    assert [error["pointer"] for error in refused["errors"]] == ["/reason"]
    assert api.get(path)["status"] == "active"


def test_verbs_without_fields_refuse_any(api: Api) -> None:
    path = f"/schedules/{api.create()['id']}"
    for verb in ("resume", "restore", "trigger"):
        refused = api.post(f"{path}/{verb}", {"when": "now"}, status=422)
        assert [error["pointer"] for error in refused["errors"]] == ["/when"]


def test_a_problem_says_where_its_kind_is_explained(api: Api) -> None:
    refused = api.post("/schedules", {}, status=422)
    page, _, anchor = refused["type"].partition("#")
    assert f'id="{anchor}"' in api.client.get(page).text
    assert refused["instance"] == "/schedules"
