"""Taking mail, the same way in every dialect: what the dials decide, what is booked, and what the caller is told."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from simulator.breaking import Hang, Reset, Truncated, dripping
from simulator.dials import ACCEPTING, OK, Dials, Setting
from simulator.ledger import Asked, Entry, Ledger, Mail


class Refused(Exception):
    """The request can't be taken; the message is the provider's. `answer` is the fault as which it is booked."""

    def __init__(self, text: str, answer: str = "400") -> None:
        super().__init__(text)
        self.answer = answer


class Dialect(Protocol):
    """How one provider speaks about one request for mail."""

    def asked(self) -> Asked:
        """The delivery that it is for, whether it will be accepted or not."""
        ...

    def read(self, at: float) -> Mail:
        """The mail in it, which came at `at`. Raises Refused: for a key that may not send before anything else."""
        ...

    def acceptance(self, mail: Mail) -> Response:
        """What a caller is told whose mail was accepted."""
        ...

    def refusal(self, answer: str, setting: Setting, reason: str) -> Response:
        """What a caller is told whose mail was not: `answer` names a fault that is an answer, `reason` may be empty."""
        ...


@dataclass(frozen=True, slots=True)
class Counter:
    """Where requests for mail are handed in. `index` hears of every mail that was accepted."""

    ledger: Ledger
    dials: Dials
    index: Callable[[Entry], None] = lambda _: None

    def take(self, listen: Callable[[bytes], Dialect]) -> Response:
        """Answer the request that is being served; `listen` makes a dialect of its body."""
        drawn = self.dials.draw(time.monotonic())
        if drawn.answer == "refuse_connections":
            return Reset()
        try:
            body = request.get_data(cache=False)
        except RequestEntityTooLarge:
            # An answer that comes while the caller still writes may never be read: the closing connection eats it.
            while request.environ["wsgi.input"].read(1_048_576):
                pass
            self.ledger.record(Asked(), time.time(), "413", None)
            return listen(b"").refusal("413", drawn.setting, "")
        dialect = listen(body)
        asked, at = dialect.asked(), time.time()
        answer, mail, reason = drawn.answer, None, ""
        try:
            read = dialect.read(at)
        except Refused as refused:
            # A fault that refuses comes before what is wrong with the mail, but not before the key.
            if answer == OK or answer in ACCEPTING or refused.answer != "400":
                answer, reason = refused.answer, str(refused)
        else:
            mail = read if answer == OK or answer in ACCEPTING else None
        entry = self.ledger.record(asked, at, answer, mail)
        if entry:
            self.index(entry)
        if drawn.wait_seconds:
            time.sleep(drawn.wait_seconds)
        if mail is None:
            return Reset() if answer == "reset_without_accept" else dialect.refusal(answer, drawn.setting, reason)
        return told(answer, dialect.acceptance(mail), dialect, drawn.setting)


def told(answer: str, truth: Response, dialect: Dialect, setting: Setting) -> Response:
    """What a caller is told whose mail was accepted: the truth, or a fault."""
    match answer:
        case "accept_and_hang":
            return Hang(setting.hang_seconds)
        case "accept_and_reset":
            return Reset()
        case "accept_and_500":
            return dialect.refusal("refuse_500", setting, "")
        case "truncate":
            return Truncated(truth)
        case "drip":
            return dripping(truth, setting.drip_ms / 1000)
    return truth
