"""Addresses in one text: who is meant, whole or not at all."""

from contextlib import suppress
from time import perf_counter

import pytest
from pydantic_core import PydanticCustomError

from fencepost.fields import from_text


@pytest.mark.parametrize(
    ("text", "name", "email"),
    [
        ("ann@example.com", "", "ann@example.com"),
        ("  ann@example.com ", "", "ann@example.com"),
        ("<ann@example.com>", "", "ann@example.com"),
        ("Ann <ann@example.com>", "Ann", "ann@example.com"),
        ("Ann<ann@example.com>", "Ann", "ann@example.com"),
        ("Dr. Ann O'Hara (Sales) < ann@example.com >", "Dr. Ann O'Hara (Sales)", "ann@example.com"),
        ("ann@example.com <ann@example.com>", "ann@example.com", "ann@example.com"),
        ('"Hara, Ann" <ann@example.com>', "Hara, Ann", "ann@example.com"),
        ('"Ann \\"A\\" Hara" <ann@example.com>', 'Ann "A" Hara', "ann@example.com"),
        ('Ann "The Boss, Ltd" Hara <ann@example.com>', "Ann The Boss, Ltd Hara", "ann@example.com"),
        ("Änn <änn@bücher.example>", "Änn", "änn@bücher.example"),
    ],
)
def test_one_address_is_read_with_its_name(text: str, name: str, email: str) -> None:
    assert from_text(text) == {"email": email, "name": name}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann@example.com, bob@example.com",
        "ann@example.com;bob@example.com",
        "ann@example.com bob@example.com",
        "Ann <ann@example.com>, Bob <bob@example.com>",
        "Ann <ann@example.com> Bob",
        "ann@example.com, Bob <bob@example.com>",
        "team: ann@example.com;",
        "Ann <ann@example.com",
        "Ann <ann@exa mple.com>",
        'Ann" <ann@example.com>',
        "a" * 601,
    ],
)
def test_what_is_more_than_one_address_or_less_is_refused_and_nobody_is_dropped(text: str) -> None:
    with pytest.raises(PydanticCustomError, match="each in an entry of its own"):
        from_text(text)


@pytest.mark.parametrize(
    "text", ["x " * 300, '"' + "\\" * 599, "<" * 600, '"' * 600, "a <" + " " * 590 + "x", '"a' * 300]
)
def test_no_text_takes_long_to_read(text: str) -> None:
    begun = perf_counter()
    with suppress(PydanticCustomError):
        from_text(text)
    assert perf_counter() - begun < 1
