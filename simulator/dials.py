"""The dials: how the simulator misbehaves, decided from a seed so that a run can be repeated."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

OK = "ok"

ACCEPTING = ("accept_and_hang", "accept_and_reset", "accept_and_500", "truncate", "drip")
"""Faults that come after the mail was accepted."""
REFUSING = (
    "refuse_connections",
    "reset_without_accept",
    "refuse_500",
    "400",
    "401",
    "402",
    "403",
    "404",
    "413",
    "429",
    "503",
)
"""Faults instead of accepting. refuse_connections resets before anything is read or counted."""
FAULTS = (*ACCEPTING, *REFUSING)

NUMBERS = {
    "latency_ms": 60_000,
    "jitter_ms": 60_000,
    "hang_seconds": 600,
    "drip_ms": 10_000,
    "requests_per_second": 1_000_000,
    "throttle_seconds": 86_400,
    "index_lag_ms": 3_600_000,
    "index_jitter_ms": 3_600_000,
    "webhook_delay_ms": 3_600_000,
    "webhook_drop": 1,
    "reading_ms": 3_600_000,
    "opens": 1,
    "machine_opens": 1,
    "clicks": 1,
    "hard_bounces": 1,
    "soft_bounces": 1,
    "complaints": 1,
    "unsubscribes": 1,
}
"""Dials that take a number from 0 to this."""
WHOLE = {"seed": 10**18, "webhook_duplicates": 1000}
"""Dials that take a whole number from 0 to this."""
CHOICES = {"throttle_format": ("seconds", "date"), "throttle_header": (False, True), "webhook_shuffle": (False, True)}
SHUFFLE_SECONDS = 1.0


class WrongDials(ValueError):
    """What was asked for is no setting of the dials; the message says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault strikes the next `next` requests, and after them a `share` (0 to 1) of all."""

    share: float = 0.0
    next: int = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """How all dials stand. Untouched ones do no harm."""

    seed: int = 1
    latency_ms: float = 0
    """Before the answer; plus up to `jitter_ms`."""
    jitter_ms: float = 0
    hang_seconds: float = 60
    drip_ms: float = 100
    """Between two bytes of an answer that drips."""
    requests_per_second: float = 0
    """More are throttled (429); 0: no limit."""
    throttle_seconds: float = 1
    """The wait that a 429 asks for, as seconds or as a date in its text, and in Retry-After if `throttle_header`."""
    throttle_format: str = "seconds"
    throttle_header: bool = False
    index_lag_ms: float = 0
    """After which an event can be read; plus up to `index_jitter_ms`, which puts events out of order."""
    index_jitter_ms: float = 0
    webhook_delay_ms: float = 0
    """After which a webhook tells of an event; plus up to a second if `webhook_shuffle`, which puts them out of order."""
    webhook_duplicates: int = 0
    """How many more times each is told."""
    webhook_shuffle: bool = False
    webhook_drop: float = 0
    """The share (0 to 1) of events that nobody is told of."""
    opens: float = 0
    """The share (0 to 1) of the mail that arrives that a person opens; so with the others. Who clicks has opened it, too."""
    machine_opens: float = 0
    """Of which a program fetches the pictures as soon as it is there, a person or not."""
    clicks: float = 0
    complaints: float = 0
    unsubscribes: float = 0
    hard_bounces: float = 0
    """The share of all mail that comes back for good; no more of it arrives than what does not."""
    soft_bounces: float = 0
    """That comes back for now."""
    reading_ms: float = 100
    """Between a mail's arrival and what a person does first, and between that and the next."""
    faults: Mapping[str, Fault] = field(default_factory=lambda: dict.fromkeys(FAULTS, Fault()))

    def as_json(self) -> dict[str, Any]:
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "faults"}
        faults = {name: {"share": fault.share, "next": fault.next} for name, fault in self.faults.items()}
        return {**values, "faults": faults}


@dataclass(frozen=True, slots=True)
class Draw:
    """What happens to one request: `answer` is OK or a fault's name."""

    answer: str
    wait_seconds: float
    setting: Setting


class Dials:
    """The dials as they stand, and the dice. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._second, self._in_second = 0, 0
        self.turn(Setting())

    @property
    def setting(self) -> Setting:
        """How they stand now; of each `next`, what is left."""
        with self._lock:
            faults = {
                name: replace(fault, next=self._left.get(name, 0)) for name, fault in self._setting.faults.items()
            }
            return replace(self._setting, faults=faults)

    def turn(self, setting: Setting) -> None:
        """Set all dials; the dice start anew from the seed."""
        with self._lock:
            self._setting = setting
            self._left = {name: fault.next for name, fault in setting.faults.items() if fault.next}
            self._dice = random.Random(setting.seed)
            # Of its own: whether somebody listens must not change what happens to requests.
            self._webhook_dice = random.Random(setting.seed)

    def draw(self, now: float) -> Draw:
        """Decide on one request that came at `now` (seconds)."""
        with self._lock:
            setting = self._setting
            wait = (setting.latency_ms + setting.jitter_ms * self._dice.random()) / 1000
            return Draw(self._fault(now), wait, setting)

    def index_delay_seconds(self) -> float:
        """How long an event that happens now stays out of sight."""
        with self._lock:
            return (self._setting.index_lag_ms + self._setting.index_jitter_ms * self._dice.random()) / 1000

    def webhook_delays_seconds(self) -> list[float]:
        """After how long each webhook about an event is to come: none if it is dropped, one, or several."""
        with self._lock:
            setting, dice = self._setting, self._webhook_dice
            if dice.random() < setting.webhook_drop:
                return []
            spread = SHUFFLE_SECONDS if setting.webhook_shuffle else 0.0
            delay = setting.webhook_delay_ms / 1000
            return [delay + spread * dice.random() for _ in range(1 + setting.webhook_duplicates)]

    def _fault(self, now: float) -> str:
        dice = self._dice.random()
        for name in self._left:
            self._left[name] -= 1
            if not self._left[name]:
                del self._left[name]
            return name
        if self._too_many(now):
            return "429"
        for name, fault in self._setting.faults.items():
            dice -= fault.share
            if dice < 0:
                return name
        return OK

    def _too_many(self, now: float) -> bool:
        limit = self._setting.requests_per_second
        if not limit:
            return False
        if int(now) != self._second:
            self._second, self._in_second = int(now), 0
        self._in_second += 1
        return self._in_second > limit


def parse(asked: object) -> Setting:
    """A setting from JSON; a dial that is not named goes back to where it does no harm. A fault is a share (0 to 1), or
    {"share": …, "next": …}. Raises WrongDials."""
    if not isinstance(asked, dict):
        raise WrongDials('write an object, such as {"latency_ms": 50, "faults": {"accept_and_hang": 0.1}}')
    values: dict[str, Any] = {}
    for name, value in asked.items():
        if name in WHOLE:
            values[name] = _whole(name, value, WHOLE[name])
        elif name in NUMBERS:
            values[name] = _number(name, value, NUMBERS[name])
        elif name in CHOICES:
            values[name] = _choice(name, value)
        elif name == "faults":
            values[name] = _faults(value)
        else:
            raise WrongDials(f"there is no dial {name!r}; there are faults, {', '.join([*WHOLE, *NUMBERS, *CHOICES])}")
    if values.get("hard_bounces", 0) + values.get("soft_bounces", 0) > 1 + 1e-9:
        raise WrongDials("the shares of hard and soft bounces come to more than 1")
    return Setting(**values)


def _faults(asked: object) -> dict[str, Fault]:
    if not isinstance(asked, dict):
        raise WrongDials("faults is an object of names and shares")
    faults = dict.fromkeys(FAULTS, Fault())
    for name, value in asked.items():
        if name not in faults:
            raise WrongDials(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
        parts = value if isinstance(value, dict) else {"share": value}
        if not parts.keys() <= {"share", "next"}:
            raise WrongDials(f"{name}: a fault has a share and a next")
        share, count = _number(name, parts.get("share", 0), 1), _whole(name, parts.get("next", 0))
        faults[name] = Fault(share, count)
    if sum(fault.share for fault in faults.values()) > 1 + 1e-9:
        raise WrongDials("the shares of all faults come to more than 1")
    return faults


def _number(name: str, value: object, highest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= highest:
        raise WrongDials(f"{name} is a number from 0 to {highest:g}, not {value!r}")
    return value


def _whole(name: str, value: object, highest: int = 10**18) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise WrongDials(f"{name} takes a whole number that is not negative, not {value!r}")
    if value > highest:
        raise WrongDials(f"{name} takes at most {highest}")
    return value


def _choice(name: str, value: object) -> object:
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in CHOICES[name]):
        raise WrongDials(
            f"{name} is one of {', '.join(str(choice).lower() for choice in CHOICES[name])}, not {value!r}"
        )
    return value
