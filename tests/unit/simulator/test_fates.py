"""What becomes of a mail in the simulator: as often as the dials say, and the same for the same seed."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from simulator.dials import Setting, WrongDials, parse
from simulator.fates import Happening, fate
from simulator.ledger import Entry, Mail

MAIL = Mail("example.com", "m", "a@example.com", ("b@example.com",), (), (), ("b@example.com",), "x", "y", None)


def fates(count: int, **dials: Any) -> list[list[Happening]]:
    setting = parse(dials)
    return [fate(Entry(number, 100.0, "eml_1", 1, "ok", MAIL), setting) for number in range(1, count + 1)]


def counted(found: list[list[Happening]]) -> Counter[str]:
    return Counter("machine" if each.by_machine else each.kind for one in found for each in one)


def test_untouched_mail_arrives_and_is_read_by_nobody() -> None:
    assert counted(fates(20)) == {"accepted": 20, "delivered": 20}


@pytest.mark.parametrize(
    ("dial", "kind"),
    [
        ("opens", "opened"),
        ("machine_opens", "machine"),
        ("clicks", "clicked"),
        ("complaints", "complained"),
        ("unsubscribes", "unsubscribed"),
        ("hard_bounces", "bounced"),
        ("soft_bounces", "bounced"),
    ],
)
def test_each_share_is_kept(dial: str, kind: str) -> None:
    assert 250 < counted(fates(1000, **{dial: 0.3}))[kind] < 350
    assert counted(fates(50, **{dial: 1}))[kind] == 50


def test_mail_that_bounces_does_not_arrive_and_who_clicks_has_opened_it() -> None:
    found = counted(fates(1000, hard_bounces=0.2, soft_bounces=0.3, clicks=1))
    assert found["delivered"] == 1000 - found["bounced"] == found["clicked"] == found["opened"]
    hard = [
        each.is_hard
        for one in fates(1000, hard_bounces=0.2, soft_bounces=0.3)
        for each in one
        if each.kind == "bounced"
    ]
    assert 150 < sum(hard) < 250 < len(hard) - sum(hard) < 350


def test_the_same_seed_makes_the_same_fate_and_one_dial_changes_nothing_else() -> None:
    dials = {"seed": 7, "opens": 0.5, "unsubscribes": 0.3}
    assert fates(100, **dials) == fates(100, **dials) != fates(100, **{**dials, "seed": 8})
    without = [[each for each in one if each.kind == "opened"] for one in fates(100, **dials)]
    more = [[each for each in one if each.kind == "opened"] for one in fates(100, **dials, complaints=0.5)]
    assert without == more


def test_each_recipient_has_a_fate_of_their_own_in_its_order_of_time() -> None:
    mail = replace(MAIL, recipients=tuple(f"r{number}@example.com" for number in range(50)))
    found = fate(Entry(1, 100.0, "eml_1", 1, "ok", mail), Setting(opens=0.5, clicks=0.2, complaints=0.2))
    assert 5 < sum(each.kind == "opened" for each in found) < 45
    for recipient in mail.recipients:
        own = [each.at for each in found if each.recipient == recipient]
        assert own == sorted(own)
    assert len({each.id for each in found}) == len(found)


def test_mail_in_test_mode_is_taken_and_no_more() -> None:
    entry = Entry(1, 100.0, "eml_1", 1, "ok", replace(MAIL, test_mode=True))
    assert [each.kind for each in fate(entry, Setting(opens=1, hard_bounces=1))] == ["accepted"]


@pytest.mark.parametrize("dials", [{"opens": 1.1}, {"clicks": True}, {"hard_bounces": 0.6, "soft_bounces": 0.6}])
def test_shares_that_are_none_are_refused(dials: dict[str, Any]) -> None:
    with pytest.raises(WrongDials):
        parse(dials)
