"""Mailgun's webhooks: what shows that it was Mailgun who called."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost.providers.mailgun_hooks import Hook, Unacceptable, Unsigned, read_hook, sign
from tests.support.schedules import at

KEY, OLD_KEY, FOREIGN = "key-signing", "key-signing-before", "key-of-another"
NOW = at("2026-03-02 09:00:00")
EXPECTED = "6cba946e84b958e2f3b14c6301201817b3393655816cbabdcdd2063726313638"
TOKEN = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"


def body(age: timedelta = timedelta(0), key: str = KEY, token: str = TOKEN) -> dict[str, Any]:
    stamp = str(int((NOW - age).timestamp()))
    name = {"timestamp": stamp, "token": token, "signature": sign(key, stamp, token)}
    return {"signature": name, "event-data": {"event": "accepted"}}


def test_the_signature_is_mailguns() -> None:
    """Its figures come from another program: openssl dgst -sha256 -hmac key-signing."""
    assert sign("key-signing", "1529006854", TOKEN) == EXPECTED


@pytest.mark.parametrize("key", [KEY, OLD_KEY])
def test_a_call_that_one_of_our_keys_signed_is_read(key: str) -> None:
    assert read_hook(body(key=key), [KEY, OLD_KEY], NOW) == Hook(TOKEN, {"event": "accepted"})


def test_a_timestamp_may_be_a_number() -> None:
    given_ = body()
    given_["signature"]["timestamp"] = int(given_["signature"]["timestamp"])
    assert read_hook(given_, [KEY], NOW).token == TOKEN


def test_another_key_signs_nothing() -> None:
    with pytest.raises(Unsigned, match="not made with our key"):
        read_hook(body(key=FOREIGN), [KEY, OLD_KEY], NOW)


@given(field=st.sampled_from(["timestamp", "token", "signature"]), place=st.integers(0, 9), bit=st.integers(0, 6))
def test_a_flipped_bit_anywhere_is_noticed(field: str, place: int, bit: int) -> None:
    spoilt = body()
    text = spoilt["signature"][field]
    spoilt["signature"][field] = text[:place] + chr(ord(text[place]) ^ (1 << bit)) + text[place + 1 :]
    with pytest.raises((Unsigned, Unacceptable)):
        read_hook(spoilt, [KEY], NOW)


@pytest.mark.parametrize(("age", "taken"), [(-5, True), (-6, False), (0, True), (9 * 60, True), (9 * 60 + 1, False)])
def test_a_signature_is_good_for_as_long_as_mailgun_repeats(age: int, taken: bool) -> None:
    """In minutes."""
    signed = body(timedelta(minutes=age))
    if taken:
        assert read_hook(signed, [KEY], NOW).token == TOKEN
        return
    with pytest.raises(Unacceptable if age > 0 else Unsigned):
        read_hook(signed, [KEY], NOW)


@pytest.mark.parametrize("digits", range(1, 10))
def test_moving_the_border_of_timestamp_and_token_makes_no_second_call_of_one_signature(digits: int) -> None:
    signed = body(token="1234567890")["signature"]
    text = signed["timestamp"] + signed["token"]
    for cut in {len(signed["timestamp"]) - digits, len(signed["timestamp"]) + digits} - {0}:
        moved = {**signed, "timestamp": text[:cut], "token": text[cut:]}
        with pytest.raises((Unsigned, Unacceptable)):
            read_hook({"signature": moved}, [KEY], NOW)


ANYTHING = st.none() | st.booleans() | st.integers() | st.text() | st.just("٣" * 5) | st.just(10**5000)


@given(
    document=st.fixed_dictionaries(
        {},
        optional={
            "signature": ANYTHING
            | st.fixed_dictionaries(
                {}, optional={"timestamp": ANYTHING, "token": ANYTHING, "signature": ANYTHING, "more": ANYTHING}
            )
        },
    )
)
def test_whatever_else_comes_is_unsigned(document: dict[str, Any]) -> None:
    with pytest.raises(Unsigned):
        read_hook(document, [KEY], NOW)
