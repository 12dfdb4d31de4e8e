"""Who is taken for the user of this machine, what a key may do, and that every view says what it needs."""

from datetime import UTC, datetime

import pytest
from flask import Flask

from fencepost import ids
from fencepost.api_keys import ApiKey, Scope, digest_of, secret_of
from registry import access
from registry.access import Forbidden, Need, refuse_unless_allowed
from registry.caller import Caller
from registry.keyring import KEPT_SECONDS, Keyring, Unauthenticated
from tests.support.api import MovableClock

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_a_key_without_the_scope_is_told_which_it_lacks() -> None:
    with pytest.raises(Forbidden, match="schedules:write") as refusal:
        refuse_unless_allowed(
            Caller("ann", frozenset({Scope.SCHEDULES_READ})), Need(Scope.SCHEDULES_WRITE, False), safe=False
        )
    assert refusal.value.scope is Scope.SCHEDULES_WRITE


def test_a_key_for_tests_reads_and_writes_only_what_reaches_no_provider() -> None:
    tester = Caller("ann", frozenset({Scope.ADMIN}), test=True)
    refuse_unless_allowed(tester, Need(Scope.SCHEDULES_READ, test_keys=False), safe=True)
    refuse_unless_allowed(tester, Need(Scope.EMAILS_SEND, test_keys=True), safe=False)
    with pytest.raises(Forbidden, match="for tests"):
        refuse_unless_allowed(tester, Need(Scope.SCHEDULES_WRITE, test_keys=False), safe=False)


def test_a_view_that_declares_nothing_keeps_the_application_from_starting() -> None:
    app = Flask("example", static_folder=None)
    app.add_url_rule("/open", "open", access.public("it says nothing")(lambda: ""))
    app.add_url_rule("/kept", "kept", access.needs(Scope.ADMIN)(lambda: ""))
    access.check(app)
    app.add_url_rule("/forgotten", "forgotten", lambda: "")
    with pytest.raises(RuntimeError, match="/forgotten"):
        access.check(app)


class Records:
    """Keys on record, and how often they were read."""

    def __init__(self) -> None:
        self.id = ids.new_id(ids.API_KEY)
        self.secret = secret_of(self.id, bytes(32), test=False)
        self.revoked_at: datetime | None = None
        self.reads = 0

    def find(self, key_id: str) -> ApiKey | None:
        self.reads += 1
        if key_id != self.id:
            return None
        return ApiKey(
            key_id,
            "ann",
            "Shop",
            frozenset(),
            test=False,
            digest=digest_of(self.secret, "pepper"),
            created_at=NOW,
            revoked_at=self.revoked_at,
        )


class SteppedClock(MovableClock):
    """Whose steady time stands still as well."""

    seconds = 0.0

    def steady(self) -> float:
        return self.seconds


def test_a_key_is_read_again_in_time_to_refuse_a_revoked_one_within_a_second() -> None:
    records, clock = Records(), SteppedClock(NOW)
    keyring = Keyring(records.find, clock, "pepper")
    assert keyring.key_of(records.secret).owner_id == "ann"
    records.revoked_at = NOW
    clock.seconds = KEPT_SECONDS - 0.01
    keyring.key_of(records.secret)
    assert records.reads == 1
    clock.seconds = KEPT_SECONDS
    with pytest.raises(Unauthenticated, match="revoked"):
        keyring.key_of(records.secret)
    assert KEPT_SECONDS < 1


def test_whoever_revokes_a_key_reads_it_anew_at_once() -> None:
    records, clock = Records(), SteppedClock(NOW)
    keyring = Keyring(records.find, clock, "pepper")
    keyring.key_of(records.secret)
    keyring.forget(records.id)
    keyring.key_of(records.secret)
    assert records.reads == 2


def test_what_is_no_key_is_refused_without_asking_for_it() -> None:
    records = Records()
    keyring = Keyring(records.find, SteppedClock(NOW), "pepper")
    for wrong in ("", "fp_live_", "ümlaut", records.secret + "0", records.secret.upper(), "Bearer x"):
        with pytest.raises(Unauthenticated):
            keyring.key_of(wrong)
    assert records.reads == 0
    with pytest.raises(Unauthenticated):
        keyring.key_of(secret_of(ids.new_id(ids.API_KEY), bytes(32), test=False))
    with pytest.raises(Unauthenticated):
        keyring.key_of(secret_of(records.id, bytes(31) + b"x", test=False))


def test_a_use_is_noted_once_a_minute() -> None:
    clock = SteppedClock(NOW)
    keyring = Keyring(Records().find, clock, None)
    assert [keyring.notes_use("key_1"), keyring.notes_use("key_1"), keyring.notes_use("key_2")] == [True, False, True]
    clock.seconds = 60
    assert keyring.notes_use("key_1")
