"""Every order of steps, not some: one delivery, two senders, one fault, and time that may pass at any moment.

A scene is played from its beginning along a path of choices; a state that was met before is not gone on from. A state is what
the servers hold, and for each thread what it has been answered since it began its turn, since nothing else decides what it does next.

What is bounded: one instant and one recipient; each sender's threads take turns among themselves (a pass with its call, a rescue,
a round of settling) for a few rounds; time passes in leaps that are longer than an attempt and its settling window; reads that
nothing in the scene can change are no step of their own.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from fencepost.errors import Unreachable
from fencepost.schedules import Schedule
from tests.simulation.plays import Cast, Stage, Thread
from tests.simulation.provider import Fate
from tests.simulation.redis import Server
from tests.simulation.sender import Sender
from tests.simulation.steps import Sleep, Steps, at_once
from tests.simulation.verdict import judge_run, unfinished
from tests.simulation.watch import Violation

LEAP_SECONDS = 14
_UNTOUCHED = (
    "read revisions", "read events", "read skips", "read schedules", "next due", "next queued", "record skips",
    "W1 insert occurrences", "server's time", "look up", "look again", "turn",
)  # fmt: skip


class Numbered(Server):
    """Its epochs have the same names in every scene."""

    def __init__(self) -> None:
        super().__init__()
        self._run_id, self._nonces = "run", count(1)

    def epoch(self) -> str:
        if self._epoch is None:
            self._epoch = f"run:{next(self._nonces)}"
        return self._epoch


@dataclass(frozen=True, slots=True)
class Scene:
    """What is explored."""

    cast: Cast = field(default_factory=lambda: Cast(server=Numbered))
    text: str = "single"
    fate: Fate = Fate.ACCEPTED
    """Of the first call; those after it are accepted."""
    tokens: tuple[int, int] = (1, 2)
    rounds: int = 1
    """How often S2 rescues, settles doubt and makes a pass. S1 makes one pass: it plans, claims and calls."""
    faults: tuple[str, ...] = ("kill S1", "kill S2")
    """One of them comes, or none."""
    leaps: int = 1


class _Player:
    def __init__(self, scene: Scene) -> None:
        self.stage = stage = Stage(scene.cast, scene.text)
        self._scene, self._fates = scene, iter([scene.fate])
        self._leaps, self._fault = scene.leaps, ""
        stage.at(2)
        self._senders = {"S1": stage.s1, "S2": stage.s2}
        for sender, token in zip(self._senders.values(), scene.tokens, strict=True):
            stage.give(sender, token)
        self.threads = {
            name: Thread(self._life(sender, rounds))
            for (name, sender), rounds in zip(self._senders.items(), (0, scene.rounds), strict=True)
        }
        self.histories = dict.fromkeys(self.threads, 0)
        self.recording = True

    def _life(self, sender: Sender, rounds: int) -> Steps[None]:
        yield Sleep(0, "begin")
        for number in range(max(1, rounds)):
            if rounds:
                with suppress(Unreachable):
                    yield from sender.rescue_abandoned()
                yield Sleep(0, f"turn {number} rescued")
                with suppress(Unreachable):
                    yield from sender.reconcile()
                yield Sleep(0, f"turn {number} reconciled")
            with suppress(Unreachable):
                yield from sender.one_pass()
            yield Sleep(0, f"turn {number} passed")
            while seat := self._seat(sender):
                yield from seat
            yield Sleep(0, f"turn {number} ends")

    def _seat(self, sender: Sender) -> Steps[object] | None:
        seats = self.stage.prompter.seats
        own = next((seat for seat in seats if seat[0] is sender.process), None)
        if own:
            seats.remove(own)
        return own[1] if own else None

    def choices(self) -> list[str]:
        living = [name for name, thread in self.threads.items() if not thread.ended]
        if not living:
            return []
        faults = [] if self._fault else [fault for fault in self._scene.faults if self._makes_sense(fault)]
        return [*living, *faults, *(["time"] if self._leaps else [])]

    def _makes_sense(self, fault: str) -> bool:
        verb, _, name = fault.partition(" ")
        if verb == "flush":
            return True
        thread = self.threads[name]
        return not thread.ended and (verb == "kill" or thread.is_command())

    def choose(self, choice: str) -> None:
        stage = self.stage
        match choice.split():
            case ["time"]:
                # The provider has decided within the time of a call, and so before any of this is over.
                stage.decide()
                stage.wait(LEAP_SECONDS)
                self._leaps -= 1
            case ["flush"]:
                stage.redis.master.forget()
                self._fault = choice
            case ["kill", name]:
                self.threads[name].ended = True
                self._fault = choice
            case ["mute", name]:
                self._record(name, self.threads[name].name(), self.threads[name].step_and_lose_the_reply())
                self._fault = choice
            case [name]:
                self._step(name)

    def _step(self, name: str) -> None:
        thread = self.threads[name]
        if thread.name() == "W6":
            self.stage.fate = next(self._fates, Fate.ACCEPTED)
        if thread.name() == "answer" and self.stage.fate is not Fate.ACCEPTED_SILENCE:
            self.stage.decide()
        self._record(name, thread.name(), thread.step())
        while not thread.ended and thread.name().startswith(_UNTOUCHED):
            if self.recording and thread.name().startswith("turn") and not self._waits(name):
                # Of what it was answered it knows no more than this.
                self.histories[name] = hash((thread.name(), self._leaps, self._senders[name].memory()))
            self._record(name, thread.name(), thread.step())

    def _waits(self, name: str) -> bool:
        return any(process is self._senders[name].process for process, _ in self.stage.prompter.seats)

    def _record(self, name: str, step: str, result: object) -> None:
        if self.recording:
            # With the time at which it goes on, where it looks at its clock then.
            time = self._leaps if step.startswith(("W", "scan pending")) else 0
            self.histories[name] = hash((self.histories[name], time, _shown(result)))

    def state(self) -> int:
        stage, redis = self.stage, self.stage.redis.master
        ended = tuple(thread.ended for thread in self.threads.values())
        rows, schedules = list(stage.store.deliveries.rows.values()), list(stage.store.schedules.rows.values())
        fence = redis.epoch_key(), *redis.records().items()
        sent = len(stage.prompter.happenings), sum(map(len, stage.provider.ledger.values()))
        mine = tuple(self.histories.values()), ended, self._leaps, self._fault
        return hash((mine, _shown(rows), _shown(schedules), fence, sent))

    def end(self) -> None:
        """Whatever has become of both, a third sender settles all that is left. Raises Violation."""
        self.stage.decide()
        self.stage.fate = Fate.ACCEPTED
        third = self.stage.sender("S3")
        self.stage.give(third, max(self._scene.tokens) + 1)
        for _ in range(8):
            self.stage.wait(LEAP_SECONDS)
            at_once(third.rescue_abandoned())
            at_once(third.reconcile())
            self.stage.send(third)
            if not unfinished(self.stage.store):
                judge_run(self.stage.store, self.stage.watch)
                return
        raise Violation(f"NO PROGRESS: {unfinished(self.stage.store)}")


def _shown(result: object) -> object:
    """What matters of an answer, to be hashed."""
    if isinstance(result, list):
        return tuple(map(_shown, result))
    if isinstance(result, Schedule):
        return result.last_run_at, result.next_run_at
    if isinstance(result, dict):
        return tuple(str(result.get(name)) for name in _TELLING) if "attempt_id" in result else repr(result)
    return repr(result)


_TELLING = (
    "state", "attempt_no", "attempt_id", "token", "epoch", "sender", "claim_id", "not_before", "unknown_since",
    "look_up_at", "deadline",
)  # fmt: skip


def explore(scene: Scene, most: int = 1_000_000) -> int:
    """Go everywhere; how many states there are. Raises Violation with the way that leads to it, AssertionError beyond `most`."""
    seen: set[int] = set()

    def visit(player: _Player, path: tuple[str, ...]) -> None:
        state = player.state()
        if state in seen:
            return
        seen.add(state)
        assert len(seen) <= most, "more states than there should be"
        choices, histories = player.choices(), dict(player.histories)
        if not choices:
            _or_tell(player.end, path)
        for choice in choices:
            here = player if choice == choices[-1] else replayed(path, histories)
            _or_tell(lambda here=here, choice=choice: here.choose(choice), (*path, choice))  # type: ignore[misc]
            visit(here, (*path, choice))

    def replayed(path: tuple[str, ...], histories: dict[str, int]) -> _Player:
        player = _Player(scene)
        player.recording = False
        for choice in path:
            player.choose(choice)
        player.recording, player.histories = True, dict(histories)
        return player

    visit(_Player(scene), ())
    return len(seen)


def _or_tell(act: Callable[[], None], path: tuple[str, ...]) -> None:
    try:
        act()
    except Violation as violation:
        raise Violation(f"{violation}, by: {', '.join(path)}") from None
