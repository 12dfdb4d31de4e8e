"""People's templates: Liquid without files and unknown names, and with bounds on all that a text could make grow. Pure.

The library bounds loops and output. What it leaves open is closed here: filters that multiply what they are given, numbers of a
million digits, ranges that a filter unrolls, loops one after the other, and sources at which its own patterns take for ever.
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any

from liquid import BoundTemplate, Environment, Mode, StrictUndefined
from liquid.exceptions import LiquidError

__all__ = ["LiquidError", "Template", "TooMuch", "compiled"]

MOST_CHARACTERS = 1_000_000
"""Of the result, of any value on the way, and of all variables together."""
MOST_ELEMENTS = 10_000
MOST_BITS = 2048
"""Of a whole number."""
MOST_WORK = 5_000_000
"""What the filters of one rendering may be given and give, in characters and elements."""
MOST_STEPS = 2_500_000
"""Characters of markup times rounds of a loop: each is done at most so often."""
LONGEST_MARKUP, LONGEST_GAP, MOST_VERBATIM = 20_000, 50, 20
SLOW_FILTERS = {"strip_html": 5_000, "escape_once": 100_000, "squish": 100_000, "truncatewords": 100_000}
"""Those whose patterns try again and again; what they take, in characters."""
_BRACES = re.compile(r"\{\{|\{%|\}\}|%\}")
_VERBATIM = re.compile(r"\{%-?\s{0,9}(?:raw|doc)\b")
_GAP = re.compile(rf"\s{{{LONGEST_GAP + 1}}}")
_left: ContextVar[list[int]] = ContextVar("left")
"""What is left of the work of the rendering under way."""


class TooMuch(LiquidError):
    """The template wants more than it may."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, token=None)


class Template:
    """A compiled template. Threads may share it."""

    def __init__(self, template: BoundTemplate) -> None:
        self._template = template

    def render(self, **values: Any) -> str:
        """Raises LiquidError, whatever goes wrong."""
        token = _left.set([MOST_WORK])
        try:
            return self._template.render(**values)
        except LiquidError:
            raise
        except Exception as error:
            raise TooMuch(f"it can't be filled in: {type(error).__name__}") from error
        finally:
            _left.reset(token)


def compiled(source: str, *, html: bool) -> Template:
    """`html`: values are escaped. Raises LiquidError, whatever is wrong."""
    rounds = max(10, min(10_000, MOST_STEPS // max(1, _markup(source))))
    tier = next(tier for tier in (10_000, 1_000, 100, 10) if tier <= rounds)
    try:
        return Template(_environment(tier, html).from_string(source))
    except LiquidError:
        raise
    except Exception as error:
        raise TooMuch(f"it is nested too deeply: {type(error).__name__}") from error


def _markup(source: str) -> int:
    """How many characters stand in braces. Raises TooMuch for what the library would look at for too long."""
    total, opened = 0, None
    for match in _BRACES.finditer(source):
        if opened is None and match[0][0] == "{":
            opened = match
        elif opened is not None and match[0] == opened[0].replace("{{", "}}").replace("{%", "%}"):
            inner = source[opened.end() : match.start()]
            if len(inner) > LONGEST_MARKUP or _GAP.search(inner):
                raise TooMuch(f"what stands between {opened[0]} and {match[0]} is too long")
            total, opened = total + len(inner) + 4, None
    if opened is not None:
        raise TooMuch(f"a {opened[0]} is never closed")
    if len(_VERBATIM.findall(source)) > MOST_VERBATIM:
        raise TooMuch(f"it has more than {MOST_VERBATIM} parts that are raw or doc")
    return total


@cache
def _environment(rounds: int, html: bool) -> Environment:
    class Bounded(Environment):
        loop_iteration_limit = rounds
        output_stream_limit = MOST_CHARACTERS
        local_namespace_limit = 8 * MOST_CHARACTERS
        context_depth_limit = 20

    made = Bounded(undefined=StrictUndefined, tolerance=Mode.STRICT, autoescape=html)
    made.filters = {name: _bounded(name, each) for name, each in made.filters.items()}
    return made


def _bounded(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, given and giving no more than it may."""

    @wraps(work)
    def bounded(*given: Any, **options: Any) -> Any:
        sizes = [_size(value) for value in given]
        _spend(sum(sizes) + _growth(name, given, sizes))
        if sizes and sizes[0] > SLOW_FILTERS.get(name, MOST_CHARACTERS):
            raise TooMuch(f"{name} is given too much")
        result = work(*given, **options)
        _spend(_size(result))
        return result

    return bounded


def _growth(name: str, given: tuple[Any, ...], sizes: list[int]) -> int:
    """What this filter may add to what it is given, as far as it multiplies. Raises TooMuch before it does."""
    grown = 0
    if name.startswith("replace") and len(given) > 2:
        grown = str(given[0]).count(str(given[1])) * sizes[2]
    elif name == "join" and isinstance(given[0], list | tuple | range):
        grown = len(given[0]) * (sizes[1] if len(given) > 1 else 1)
    elif name == "uniq" and isinstance(given[0], list | tuple):
        return len(given[0]) ** 2 // 10  # each is compared with all before it
    if grown > MOST_CHARACTERS:
        raise TooMuch(f"{name} would make it too long")
    return grown


def _spend(work: int) -> None:
    left = _left.get()
    left[0] -= work + 1
    if left[0] < 0:
        raise TooMuch("it takes too much work to fill in")


def _size(value: object) -> int:
    """In characters and elements. Raises TooMuch."""
    size = 1
    if isinstance(value, str):
        size = len(value)
    elif isinstance(value, int):
        if value.bit_length() > MOST_BITS:
            raise TooMuch("a number is too large")
    elif isinstance(value, range):
        if value.stop - value.start > MOST_ELEMENTS:
            raise TooMuch("a range is too long")
        size = len(value)
    elif isinstance(value, list | tuple):
        if len(value) > MOST_ELEMENTS:
            raise TooMuch("a list is too long")
        size = len(value) + sum(_size(each) for each in value)
    if size > MOST_CHARACTERS:
        raise TooMuch("a value is too long")
    return size
