"""The Markdown of our own reports, read strictly: headings, paragraphs, lists, tables and code. Pure.

Nothing of it becomes markup here: a template writes each block, and escapes its text. What is none of these, HTML or a link say,
stays the text that it is.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_HEADING = re.compile(r"(#{1,6}) +(.+?) *#*$")
_ITEM = re.compile(r"[-*] +(.+)")
_RULE = re.compile(r":?-+:?")
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")
_CELLS = re.compile(r"(?<!\\)\|")


class Span(NamedTuple):
    """A run of text: `kind` is text, code or strong."""

    kind: str
    text: str


Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """`kind` is heading, paragraph, list, table or code; what does not belong to it is empty."""

    kind: str
    level: int = 0
    lines: tuple[Line, ...] = ()
    """The one of a heading or a paragraph, the items of a list, the cells of a table's head."""
    rows: tuple[tuple[Line, ...], ...] = ()
    """Those of a table, each as wide as its head."""
    right: tuple[bool, ...] = ()
    """For each column of a table, whether it stands to the right."""
    code: str = ""


def read(text: str) -> list[Block]:
    """The blocks of a document, in order."""
    return list(_blocks(text.splitlines()))


def _blocks(lines: Sequence[str]) -> Iterator[Block]:
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        if not line:
            at += 1
        elif line.startswith("```"):
            end = next((number for number in range(at + 1, len(lines)) if lines[number].startswith("```")), len(lines))
            yield Block("code", code="\n".join(lines[at + 1 : end]))
            at = end + 1
        elif heading := _HEADING.fullmatch(line):
            yield Block("heading", level=len(heading[1]), lines=(spans(heading[2]),))
            at += 1
        elif _is_table(lines, at):
            end = _end(lines, at, lambda found: found.strip().startswith("|"))
            yield _table([line.strip() for line in lines[at:end]])
            at = end
        elif _ITEM.fullmatch(line):
            end = _end(lines, at, lambda found: bool(found.strip()))
            yield Block("list", lines=tuple(spans(item) for item in _items(lines[at:end])))
            at = end
        else:
            end = _end(lines, at, lambda found: bool(found.strip()) and not _opens(found))
            end = max(end, at + 1)
            yield Block("paragraph", lines=(spans(" ".join(line.strip() for line in lines[at:end])),))
            at = end


def spans(text: str) -> Line:
    """`code` and **strong** in a line; the rest is text."""
    found: list[Span] = []
    at = 0
    for match in _INLINE.finditer(text):
        found.append(Span("text", text[at : match.start()]))
        found.append(Span("code", match[1]) if match[1] else Span("strong", match[2]))
        at = match.end()
    found.append(Span("text", text[at:]))
    return tuple(span for span in found if span.text)


def _opens(line: str) -> bool:
    """Whether a line begins a block of another kind, so that a paragraph ends before it."""
    text = line.strip()
    return text.startswith(("```", "|")) or bool(_HEADING.fullmatch(text) or _ITEM.fullmatch(text))


def _items(lines: Sequence[str]) -> list[str]:
    """The items of a list; a line that opens none goes on with the one before."""
    items: list[str] = []
    for line in lines:
        if item := _ITEM.fullmatch(line.strip()):
            items.append(item[1])
        else:
            items[-1] += f" {line.strip()}"
    return items


def _is_table(lines: Sequence[str], at: int) -> bool:
    if not lines[at].strip().startswith("|") or at + 1 == len(lines):
        return False
    rules = _cells(lines[at + 1].strip())
    return bool(rules) and all(_RULE.fullmatch(rule) for rule in rules)


def _table(lines: Sequence[str]) -> Block:
    head = _cells(lines[0])
    right = [rule.endswith(":") and not rule.startswith(":") for rule in _cells(lines[1])]
    rows = [[*_cells(line), *[""] * len(head)][: len(head)] for line in lines[2:]]
    return Block(
        "table",
        lines=tuple(spans(cell) for cell in head),
        rows=tuple(tuple(spans(cell) for cell in row) for row in rows),
        right=tuple([*right, *[False] * len(head)][: len(head)]),
    )


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in _CELLS.split(inner)]


def _end(lines: Sequence[str], at: int, belongs: Callable[[str], bool]) -> int:
    while at < len(lines) and belongs(lines[at]):
        at += 1
    return at
