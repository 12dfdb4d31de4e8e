"""What happens in one run, decided from its seed alone: schedules, what people do to them, and the faults meanwhile."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

SENDERS = 3
PEOPLE = 3
SECONDS = 15
"""From the first due instant to the last."""

_INTERVALS, _ONCE, _LONG_INTERVALS = 44, 14, 24
_CALLS = 45
_POSTS, _LONG_POSTS_SECONDS = 40, 2

PROCESSES = {
    "sender.kill": (3, 0, 0),
    "sender.stop": (3, 2, 7),
    "sender.term": (2, 0, 0),
    "mongodb.kill": (2, 1, 3),
    "mongodb.stop": (1, 2, 6),
    "mongodb.lost_primary": (1, 1, 1.6),
    "etcd.kill": (1, 0.5, 2),
    "etcd.stop": (1, 2, 6),
    "redis.kill": (2, 0.3, 2),
    "redis.stop": (1, 1, 4),
    "redis.flushall": (2, 0, 0),
    "registry.kill": (1, 0, 0),
    "notifier.kill": (1, 0, 0),
}
NETWORK = {
    f"{server}.{what}": (1, 1, 4)
    for server in ("mongodb", "etcd", "redis", "provider")
    for what in ("cut", "delay", "lose_replies", "swallow_replies", "swallow_requests")
}
PROVIDERS = {"provider.bad": (2, 2, 5), "provider.down": (2, 2, 6), "provider.refuses": (2, 2, 6)}
"""One of them is at its worst; answers 503; refuses our key. Each has others take its mail."""
FAULTS = {**PROCESSES, **NETWORK, **PROVIDERS}
"""Each kind with its weight, and the least and the most seconds that it lasts."""

DIALS = {
    "accept_and_hang": 0.04,
    "accept_and_500": 0.04,
    "accept_and_reset": 0.03,
    "truncate": 0.01,
    "refuse_500": 0.03,
    "reset_without_accept": 0.03,
    "429": 0.05,
    "400": 0.01,
}
"""How the provider misbehaves all the time, as shares of the requests."""
BAD = {name: share * 2.5 for name, share in DIALS.items()}
"""And at its worst."""


@dataclass(frozen=True)
class Fault:
    """`at` is in seconds after the first due instant; `choice` picks the victim."""

    at: float
    kind: str
    seconds: float
    choice: int


@dataclass(frozen=True)
class Action:
    """What one of the people does: `verb` to the schedule, or the mail, of that name, with these new values of its fields."""

    at: float
    person: int
    verb: str
    schedule: str
    sets: Mapping[str, Any]


@dataclass(frozen=True)
class Scenario:
    """One run. `first` are the schedules that are written before it begins; it `begins` when the first instant is due, and
    `ends` when the last is, in seconds since 1970."""

    seed: int
    begins: int
    ends: int
    first: tuple[Action, ...]
    actions: tuple[Action, ...]
    faults: tuple[Fault, ...]
    index_lag_ms: int


def scenario(seed: int, begins: int) -> Scenario:
    """The run of this seed whose first instant is due at `begins`, seconds since 1970."""
    chance = random.Random(seed)
    first = tuple(_creations(chance, begins))
    mails = _mails(random.Random(f"mail {seed}"), begins, _POSTS, SECONDS)
    actions = sorted([*_actions(chance, begins, first), *mails], key=lambda action: action.at)
    faults = tuple(_faults(chance, SECONDS, pause=(0.7, 2)))
    return Scenario(seed, begins, begins + SECONDS, first, tuple(actions), faults, chance.randrange(0, 1500))


def long_scenario(seed: int, begins: int, seconds: int) -> Scenario:
    """A run of that length: a few mails a second, a fault every six seconds or so, and somebody who edits, pauses or resumes as
    often."""
    chance = random.Random(seed)
    ends = begins + seconds
    first = [
        _creation(-3, number, f"every-{number}", _interval(begins, f"{3 + number % 7}s", number % 3, ends), chance, 1)
        for number in range(_LONG_INTERVALS)
    ]
    actions: list[Action] = []
    for number in range(seconds // 6):
        of = chance.choice(first)
        verb, at = chance.choice(["edit", "edit", "pause", "resume", "resume", "trigger"]), chance.uniform(0.5, seconds)
        sets = (
            {"text": f"Text {number}."} if verb == "edit" else _changes(chance, verb, number, of.sets["rule"], begins)
        )
        actions.append(Action(at, of.person, verb, of.schedule, sets))
    actions += _mails(random.Random(f"mail {seed}"), begins, seconds // _LONG_POSTS_SECONDS, seconds)
    actions.sort(key=lambda action: action.at)
    faults = tuple(_faults(chance, seconds, pause=(3, 9)))
    return Scenario(seed, begins, ends, tuple(first), tuple(actions), faults, index_lag_ms=500)


def _creations(chance: random.Random, begins: int) -> Iterator[Action]:
    for number in range(_INTERVALS):
        rule = _interval(begins, f"{chance.choice([1, 2, 2, 3])}s", chance.randrange(3), begins + SECONDS)
        yield _creation(-3, number, f"every-{number}", rule, chance, recipients=1)
    for number in range(_ONCE):
        rule = {"type": "once", "at": _iso(begins + chance.randrange(1, SECONDS))}
        yield _creation(-3, number, f"once-{number}", rule, chance, recipients=chance.choice([1, 2, 3]))


def _mails(chance: random.Random, begins: int, count: int, seconds: int) -> Iterator[Action]:
    """Mail by API, at once or a little later; some of the latter is cancelled, in time or not."""
    for number in range(count):
        name, at = f"mail-{number}", chance.uniform(0, seconds - 1)
        later = chance.choice([0, 0, 0, chance.uniform(2, 6)])
        sets = {
            "to": [f"{name}-{index}@example.com" for index in range(chance.choice([1, 1, 1, 2, 3]))],
            "text": f"The text of {name}.",
            "on_unknown": chance.choice(["hold", "resend"]),
            "priority": chance.choice(["high", "normal", "low"]),
            "at": _iso(begins + at + later) if later else None,
        }
        yield Action(at, number % PEOPLE, "post", name, sets)
        if later and chance.random() < 0.7:
            yield Action(at + chance.uniform(0.5, later + 0.5), number % PEOPLE, "cancel", name, {})


def _interval(begins: int, every: str, offset: int, ends: int) -> dict[str, Any]:
    return {"type": "interval", "every": every, "starts_at": _iso(begins + offset), "ends_at": _iso(ends)}


def _creation(
    at: float, number: int, name: str, rule: Mapping[str, Any], chance: random.Random, recipients: int
) -> Action:
    sets = {
        "rule": rule,
        "text": f"The first text of {name}.",
        "paused": False,
        "deleted": False,
        "to": [f"{name}-{index}@example.com" for index in range(recipients)],
        "on_unknown": chance.choice(["hold", "resend"]),
    }
    return Action(at, number % PEOPLE, "create", name, sets)


def _actions(chance: random.Random, begins: int, first: tuple[Action, ...]) -> Iterator[Action]:
    verbs = ["edit"] * 6 + ["pause"] * 3 + ["resume"] * 3 + ["delete", "trigger", "trigger"]
    for number in range(_CALLS):
        of = chance.choice(first)
        verb, at = chance.choice(verbs), chance.uniform(0.5, SECONDS - 1)
        yield Action(at, of.person, verb, of.schedule, _changes(chance, verb, number, of.sets["rule"], begins))
    for number in range(5):
        at = chance.uniform(1, SECONDS - 5)
        rule = {"type": "once", "at": _iso(begins + int(at) + chance.randrange(2, 5))}
        yield _creation(at, number, f"late-{number}", rule, chance, recipients=2)


def _changes(chance: random.Random, verb: str, number: int, rule: Mapping[str, Any], begins: int) -> Mapping[str, Any]:
    match verb:
        case "edit":
            text = {"text": f"Text {number}."}
            if chance.random() < 0.5:
                return text
            if rule["type"] == "once":
                return {**text, "rule": {"type": "once", "at": _iso(begins + chance.randrange(SECONDS // 2, SECONDS))}}
            return {**text, "rule": {**rule, "every": f"{chance.choice([1, 2, 3])}s"}}
        case "pause":
            return {"paused": True}
        case "resume":
            return {"paused": False}
        case "delete":
            return {"deleted": True}
    return {}


def _faults(chance: random.Random, until: float, pause: tuple[float, float]) -> Iterator[Fault]:
    at, busy = 0.5, dict[str, float]()
    kinds, weights = list(FAULTS), [weight for weight, _, _ in FAULTS.values()]
    while at < until - 1:
        kind = chance.choices(kinds, weights)[0]
        target = kind.partition(".")[0]
        _, least, most = FAULTS[kind]
        seconds, choice = chance.uniform(least, most), chance.randrange(1 << 16)
        # One thing at a time to one server; of the senders there are several.
        if target == "sender" or busy.get(target, 0) <= at:
            busy[target] = at + seconds + 1
            yield Fault(at, kind, seconds, choice)
            at += chance.uniform(*pause)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
