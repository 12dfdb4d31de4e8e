"""Recipients, one a line or pasted as a table."""

import pytest

from frontend.recipients import addresses_of, from_table, lines_of, parse, text_of


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ada@example.com", {"email": "ada@example.com"}),
        (" Ada Lovelace  < ada@example.com > ", {"email": "ada@example.com", "name": "Ada Lovelace"}),
        ('"Lovelace, Ada" <ada@example.com>', {"email": "ada@example.com", "name": "Lovelace, Ada"}),
        ("<ada@example.com>", {"email": "ada@example.com"}),
        ("no address", {"email": "no address"}),
        ("Ada <ada@example.com", {"email": "Ada <ada@example.com"}),
    ],
)
def test_a_line_is_a_name_and_an_address(line: str, found: dict[str, str]) -> None:
    assert parse(line) == found


def test_addresses_side_by_side_are_taken_apart() -> None:
    assert lines_of("a@x.example, b@x.example; c@x.example\r\n\n") == ["a@x.example", "b@x.example", "c@x.example"]


def test_a_comma_in_a_name_parts_nothing() -> None:
    assert lines_of("Lovelace, Ada <ada@example.com>") == ["Lovelace, Ada <ada@example.com>"]


def test_what_is_shown_is_read_back() -> None:
    people = [
        {"email": "ada@example.com", "name": "Lovelace, Ada"},
        {"email": "b@example.com"},
        {"email": "c@example.com", "name": "C"},
    ]
    assert addresses_of(text_of(people)) == people


def test_an_edit_keeps_the_variables_of_those_who_stay() -> None:
    known = [{"email": "ada@example.com", "name": "Ada", "variables": {"city": "Rome"}}]
    kept, new = addresses_of("Countess <ADA@example.com>\nb@example.com", known)
    assert kept == {"email": "ADA@example.com", "name": "Countess", "variables": {"city": "Rome"}}
    assert new == {"email": "b@example.com"}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_with_a_heading_is_read_by_it(separator: str) -> None:
    table = "\r\n".join(separator.join(row) for row in [("City", "Name", "E-Mail"), ("Rome", "Ada", "ada@example.com")])
    assert from_table(table).lines == ["Ada <ada@example.com>"]


def test_a_table_without_a_heading_is_read_by_the_at() -> None:
    assert from_table("Ada,ada@example.com\nBob,bob@example.com").lines == [
        "Ada <ada@example.com>",
        "Bob <bob@example.com>",
    ]


def test_a_table_says_what_it_left_out() -> None:
    pasted = from_table('email,name\nada@example.com,Ada\nADA@example.com,Ada\nnothing,"B, C"\n\n', ["x@example.com"])
    assert pasted.lines == ["Ada <ada@example.com>"]
    assert pasted.repeated == 1
    assert pasted.problems == ["Line 4 has no address in column 1: nothing B, C"]


def test_who_is_on_the_list_is_not_added_again() -> None:
    assert from_table("a@example.com\nb@example.com", ["A <A@example.com>"]).lines == ["b@example.com"]


@pytest.mark.parametrize("table", ["", "  \n ", "\x00", '"', "a\rb"])
def test_nonsense_adds_nobody(table: str) -> None:
    assert from_table(table).lines == []
