"""Secrets of keys: how they are written, recognised and not stored; what scopes cover."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost import ids
from fencepost.api_keys import ApiKey, Scope, allows, digest_of, id_in, is_secret_of, secret_of

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
KEY_ID = ids.new_id(ids.API_KEY)
SECRET = secret_of(KEY_ID, bytes(range(32)), test=False)


def test_a_secret_names_its_key_and_whether_it_is_for_tests() -> None:
    assert SECRET.startswith("fp_live_")
    assert secret_of(KEY_ID, bytes(32), test=True).startswith("fp_test_")
    assert id_in(SECRET, ids.API_KEY) == KEY_ID


def test_a_secret_holds_256_bits_that_nobody_knows() -> None:
    assert bytes.fromhex(SECRET.rpartition("_")[2]) == bytes(range(32))


@pytest.mark.parametrize("pepper", [None, "pepper"])
def test_the_digest_recognises_its_secret_and_does_not_hold_it(pepper: str | None) -> None:
    digest = digest_of(SECRET, pepper)
    assert is_secret_of(SECRET, digest, pepper)
    assert SECRET.rpartition("_")[2] not in digest
    assert not is_secret_of(SECRET.replace("live", "test"), digest, pepper)
    assert not is_secret_of(SECRET[:-1] + "0", digest, pepper)


def test_under_another_pepper_a_digest_recognises_nothing() -> None:
    digest = digest_of(SECRET, "pepper")
    assert not is_secret_of(SECRET, digest, "salt")
    assert not is_secret_of(SECRET, digest, None)


def test_a_key_from_before_there_was_a_pepper_still_opens() -> None:
    assert is_secret_of(SECRET, digest_of(SECRET, None), "pepper")


@given(st.text(), st.text())
def test_no_text_makes_recognising_fail_with_an_error(secret: str, digest: str) -> None:
    try:
        secret.encode(), digest.encode()
    except UnicodeEncodeError:  # lone surrogates can't come by HTTP
        return
    assert not is_secret_of(secret, digest, "pepper")
    assert id_in(secret, ids.API_KEY) is None


def test_a_key_opens_until_it_expires_or_is_revoked() -> None:
    def key(**changes: datetime) -> ApiKey:
        return ApiKey(KEY_ID, "ann", "Shop", frozenset(), test=False, digest="", created_at=NOW, **changes)

    assert key().why_refused(NOW) is None
    assert key(expires_at=NOW + timedelta(seconds=1)).why_refused(NOW) is None
    assert key(expires_at=NOW).why_refused(NOW) == "this key has expired"
    assert key(revoked_at=NOW).why_refused(NOW) == "this key was revoked"


def test_a_scope_covers_itself_alone_and_admin_covers_all() -> None:
    for scope in Scope:
        assert [needed for needed in Scope if allows({scope}, needed)] == (
            [*Scope] if scope is Scope.ADMIN else [scope]
        )
    assert not allows((), Scope.SCHEDULES_READ)
