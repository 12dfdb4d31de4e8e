"""Tokens: pairs that are ordered like their numbers."""

from hypothesis import given
from hypothesis import strategies as st

from fencepost.coordination.tokens import Token

TOKENS = st.builds(Token, st.integers(0, 2**13 - 1), st.integers(0, 2**40 - 1))


@given(TOKENS, TOKENS)
def test_pairs_are_ordered_like_their_numbers(one: Token, other: Token) -> None:
    assert (one < other) == (one.number < other.number)
    assert (one == other) == (one.number == other.number)


@given(TOKENS)
def test_a_number_gives_its_token_back(token: Token) -> None:
    assert Token.from_number(token.number) == token


@given(TOKENS)
def test_numbers_are_exact_where_numbers_are_doubles(token: Token) -> None:
    assert int(float(token.number)) == token.number < 2**53
