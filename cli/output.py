"""What a command shows: the API's own JSON, or tables and sentences for people.

On a terminal tables fold into its width and may have colours; in a pipe each row is one line, however long, without colours.
Nothing is cut. Progress and complaints go to standard error.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, Literal

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.texts import moment, plain

_NARROW: Final = 70
_WIDE: Final = 110
_ENDLESS: Final = 1_000_000
_DATE_WIDTH: Final = 14

_STYLES: Mapping[str, str] = {
    **dict.fromkeys(("accepted", "delivered", "active", "closed", "done", "enabled", "passes"), "green"),
    **dict.fromkeys(("failed", "bounced", "complained", "quarantined", "open", "holds", "revoked", "expired"), "red"),
    **dict.fromkeys(("unknown", "held", "paused", "half_open", "disabled", "draining"), "yellow"),
    **dict.fromkeys(("pending", "sending", "planned", "recovering"), "cyan"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """Of a table. `word` keeps its line, `time` may break between day and hour, `text` folds anywhere that is left for it."""

    title: str
    kind: Literal["word", "number", "time", "text", "state"] = "text"


class Output:
    """Where one command writes."""

    def __init__(self, *, as_json: bool, utc: bool) -> None:
        self.utc = utc
        self._as_json = as_json
        self._terminal = sys.stdout.isatty()
        self._console = _console(sys.stdout, None if self._terminal else _ENDLESS)

    def show(self, answer: Any, render: Callable[["Output", Any], None]) -> None:
        """The answer as JSON if that is wanted, else as `render` puts it."""
        if self._as_json:
            click.echo(json.dumps(answer, indent=2, ensure_ascii="utf" not in (sys.stdout.encoding or "").lower()))
        else:
            render(self, answer)

    def say(self, sentence: str) -> None:
        """A line for people, on standard output."""
        self._console.print(Text(plain(sentence)), soft_wrap=True)

    def note(self, sentence: str) -> None:
        """Progress, and what is good to know, on standard error."""
        click.echo(plain(sentence), err=True)

    def time(self, instant: str | None, *, exact: bool = False) -> str:
        return moment(instant, utc=self.utc, exact=exact)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[object]], nothing: str) -> None:
        """Rows under titles; the sentence `nothing` if there are none."""
        table = _grid(show_header=True)
        narrow = self._console.width < _WIDE
        for column in columns:
            breaks = column.kind == "time" and narrow  # between day and hour
            table.add_column(
                column.title,
                no_wrap=column.kind in ("word", "state", "number") and self._console.width >= _NARROW,
                max_width=_DATE_WIDTH if breaks else None,
                min_width=_DATE_WIDTH if breaks else None,
                justify="right" if column.kind == "number" else "left",
                overflow="fold",
            )
        for row in rows:
            table.add_row(*(_cell(column, value) for column, value in zip(columns, row, strict=True)))
        if table.row_count:
            self._print(table)
        else:
            self.say(nothing)

    def facts(self, facts: Iterable[tuple[str, object]]) -> None:
        """A line for each: a name, and what it is. Those that are None are left out."""
        table = _grid(show_header=False)
        table.add_column(style="bold", no_wrap=self._console.width >= _NARROW, overflow="fold")
        table.add_column(overflow="fold")
        for name, value in facts:
            if value is not None:
                table.add_row(name, _cell(Column(name, "state"), value))
        self._print(table)

    def everything(self, thing: Mapping[str, Any]) -> None:
        """All fields of a document of which this command knows no more than that."""
        self.facts((name, self._instant_or_text(name, value)) for name, value in flat(thing))

    def heading(self, title: str) -> None:
        self._console.print()
        self._console.print(Text(plain(title), style="bold"))

    def more(self, answer: Mapping[str, Any]) -> None:
        """Say that a list goes on."""
        if answer.get("next_cursor"):
            self.note("There are more: --limit shows more of them, --all all.")

    def _instant_or_text(self, name: str, value: object) -> object:
        return self.time(value) if isinstance(value, str) and name.endswith(("_at", "_since", "_until")) else value

    def _print(self, table: Table) -> None:
        with self._console.capture() as captured:
            self._console.print(table)
        # rich fills the last column up with spaces, which nobody wants to paste.
        lines = captured.get().rstrip("\n").split("\n")
        self._console.file.write("".join(f"{line.rstrip()}\n" for line in lines))


def flat(thing: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, object]]:
    """The fields of a document, those within others by a dotted name; lists as one line."""
    for name, value in thing.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield f"{prefix}{name}", ", ".join(map(_short, value)) or "-"
        else:
            yield f"{prefix}{name}", "-" if value in (None, {}, "") else _short(value)


def yes_or_no(value: object) -> str:
    return "yes" if value else "no"


def _short(value: object) -> str:
    if isinstance(value, bool):
        return yes_or_no(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _cell(column: Column, value: object) -> Text:
    text = plain("-" if value in (None, "") else value)
    return Text(text, style=_STYLES.get(text, "") if column.kind == "state" else "")


def _grid(*, show_header: bool) -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=show_header)


def _console(file: IO[str], width: int | None) -> Console:
    """NO_COLOR takes away bold as well: whoever sets it wants no escape codes."""
    bare = bool(os.environ.get("NO_COLOR")) or not file.isatty()
    return Console(
        file=file, width=width, color_system=None if bare else "auto", highlight=False, markup=False, emoji=False
    )
