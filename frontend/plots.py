"""Charts as the templates draw them: bars and lines in a box of 0 to 1000 by 0 to 100, which is stretched over whatever room there is.
Texts stand beside the box, so that they are not stretched with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 1000.0, 100.0
_ROUND = (1, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a stack."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Stack:
    """All parts over one place of the axis. `x` and `width`: the whole place, for the pointer."""

    label: str
    x: float
    width: float
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Line:
    kind: str
    points: str


def top_of(largest: float) -> int:
    """A round number at or above it, and even, so that half of it is whole: what the scale ends with."""
    if largest <= 2:
        return 2
    size = 10.0 ** (len(str(int(largest))) - 1)
    return int(next(step * size for step in _ROUND if step * size >= largest and step * size % 2 == 0))


def stacks(labels: Sequence[str], parts: Mapping[str, Sequence[int]], top: int) -> list[Stack]:
    """Bars upright, the first of `parts` at the bottom."""
    step = WIDTH / max(1, len(labels))
    gap = min(step * 0.3, 6.0)
    found = []
    for index, label in enumerate(labels):
        bars, base = [], HEIGHT
        for kind, values in parts.items():
            if height := HEIGHT * values[index] / top:
                base -= height
                bars.append(Bar(kind, _short(index * step + gap / 2), _short(base), _short(step - gap), _short(height)))
        found.append(Stack(label, _short(index * step), _short(step), bars))
    return found


def lines(series: Mapping[str, Sequence[int]], top: int) -> list[Line]:
    """One for each kind, through the middle of each place."""
    found = []
    for kind, values in series.items():
        step = WIDTH / max(1, len(values))
        points = [
            f"{_short((index + 0.5) * step)},{_short(HEIGHT - HEIGHT * value / top)}"
            for index, value in enumerate(values)
        ]
        found.append(Line(kind, " ".join(points)))
    return found


def across(parts: Mapping[str, int], top: int) -> list[Bar]:
    """One stack that lies, from the left."""
    bars, x = [], 0.0
    for kind, value in parts.items():
        if width := WIDTH * value / max(1, top):
            bars.append(Bar(kind, _short(x), 0, _short(width), HEIGHT))
            x += width
    return bars


def _short(value: float) -> float:
    return round(value, 2)
