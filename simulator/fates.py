"""What becomes of a mail after it was accepted, in the words of no provider: decided by the dials and dice from the seed, so that a
run can be repeated. Each recipient has a fate of their own, the same however often it is asked for."""

import hashlib
import random
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Literal

from simulator.dials import Setting
from simulator.ledger import Entry

Kind = Literal["accepted", "delivered", "bounced", "opened", "clicked", "complained", "unsubscribed"]

DELIVERY_SECONDS = 0.05
"""Between the provider's taking a mail and the recipient's server taking it."""
MACHINE_SECONDS = 0.01
"""Between that and a program's fetching of the pictures."""
MACHINE_AGENT = "Mozilla/5.0"
"""All that Apple's proxy says of itself."""
PERSON_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LINK = "https://www.example.com/figures"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a mail, for one recipient."""

    kind: Kind
    at: float
    """In seconds since 1970."""
    recipient: str
    entry: Entry
    is_hard: bool = False
    """A bounce that lasts: there is no such mailbox."""
    by_machine: bool = False

    @property
    def digest(self) -> bytes:
        """Its name: the same whenever it is told, and no other's."""
        name = f"{self.entry.number}/{self.kind}/{self.by_machine:d}/{self.recipient}/{self.entry.at}"
        return hashlib.sha256(name.encode()).digest()

    @property
    def id(self) -> str:
        """That name as providers write theirs."""
        return urlsafe_b64encode(self.digest[:16]).decode().rstrip("=")

    @property
    def agent(self) -> str:
        """The program that opened it, as it calls itself."""
        return MACHINE_AGENT if self.by_machine else PERSON_AGENT


def fate(entry: Entry, setting: Setting) -> list[Happening]:
    """All that will happen to a mail, for one recipient after the other, each in its order of time."""
    found = []
    for index, recipient in enumerate(entry.mail.recipients):
        found.append(Happening("accepted", entry.at, recipient, entry))
        if not entry.mail.test_mode:
            dice = random.Random(f"{setting.seed}/{entry.number}/{index}")
            found += _after_acceptance(entry, recipient, setting, dice)
    return found


def _after_acceptance(entry: Entry, recipient: str, setting: Setting, dice: random.Random) -> list[Happening]:
    # Every die is thrown whatever the others show, so that to turn one dial changes nothing else.
    bounce, machine, opened, clicked, complained, left = (dice.random() for _ in range(6))
    arrived = entry.at + DELIVERY_SECONDS
    if bounce < setting.hard_bounces + setting.soft_bounces:
        return [Happening("bounced", arrived, recipient, entry, is_hard=bounce < setting.hard_bounces)]
    found = [Happening("delivered", arrived, recipient, entry)]
    if machine < setting.machine_opens:
        found.append(Happening("opened", arrived + MACHINE_SECONDS, recipient, entry, by_machine=True))
    acts: list[tuple[Kind, bool]] = [
        ("opened", opened < setting.opens or clicked < setting.clicks),  # nobody clicks in what they have not opened
        ("clicked", clicked < setting.clicks),
        ("complained", complained < setting.complaints),
        ("unsubscribed", left < setting.unsubscribes),
    ]
    step = setting.reading_ms / 1000
    done: list[Kind] = [kind for kind, is_so in acts if is_so]
    return found + [
        Happening(kind, arrived + step * number, recipient, entry) for number, kind in enumerate(done, start=1)
    ]
