"""Recipients as people write them: one a line, `Ada Lovelace <ada@example.com>`, or a table pasted as CSV. Pure."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from frontend.formatting import address

_NAMED = re.compile(r"^\s*(?P<name>[^<>]*?)\s*<\s*(?P<email>[^<>]*?)\s*>\s*$")
_EMAIL_COLUMNS = {"email", "e-mail", "mail", "address", "email address", "e-mail address"}
_NAME_COLUMNS = {"name", "full name", "recipient"}


@dataclass(slots=True)
class Pasted:
    """What a pasted table gave: lines for the list, and what was left out and why."""

    lines: list[str] = field(default_factory=list)
    repeated: int = 0
    problems: list[str] = field(default_factory=list)


def lines_of(text: str) -> list[str]:
    """The recipients in `text`, one each. Several plain addresses on one line, `a@b, c@d`, are taken apart."""
    found: list[str] = []
    for line in text.splitlines():
        parts = [part.strip() for part in re.split(r"[,;]", line)]
        apart = len(parts) > 1 and all(part.count("@") == 1 for part in parts if part)
        found += [part for part in parts if part] if apart else [line.strip()] if line.strip() else []
    return found


def parse(line: str) -> dict[str, Any]:
    """`Ada <a@b>` -> {"email": "a@b", "name": "Ada"}; what is no such thing is passed on for the registry to judge."""
    match = _NAMED.match(line)
    if match is None:
        return {"email": line.strip()}
    name = match["name"].strip().strip('"')
    return {"email": match["email"], "name": name} if name else {"email": match["email"]}


def addresses_of(text: str, known: Iterable[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """The API's list of addresses. `known` are those of the schedule that is edited: their variables are kept."""
    variables = {str(item["email"]).lower(): item["variables"] for item in known if item.get("variables")}
    parsed = [parse(line) for line in lines_of(text)]
    return [
        {**item, "variables": variables[item["email"].lower()]} if item["email"].lower() in variables else item
        for item in parsed
    ]


def text_of(values: Iterable[Mapping[str, Any]] | None) -> str:
    return "\n".join(address(value) for value in values or ())


def from_table(text: str, already: Iterable[str] = ()) -> Pasted:
    """Read pasted CSV (comma, semicolon or tab) with the address in the column `email`, or in the one with an @."""
    pasted = Pasted()
    seen = {parse(line)["email"].lower() for line in already}
    try:
        rows = _rows(text)
    except csv.Error as error:
        return Pasted(problems=[f"This is no table that can be read: {error}"])
    if not rows:
        return pasted
    email_at, name_at, has_header = _columns(rows[0])
    for number, row in enumerate(rows[1:] if has_header else rows, 2 if has_header else 1):
        cells = [cell.strip() for cell in row]
        email = cells[email_at] if email_at < len(cells) else ""
        if email.count("@") != 1 or re.search(r"\s", email):
            pasted.problems.append(f"Line {number} has no address in column {email_at + 1}: {' '.join(cells)[:60]}")
        elif email.lower() in seen:
            pasted.repeated += 1
        else:
            seen.add(email.lower())
            name = cells[name_at] if name_at is not None and name_at < len(cells) else ""
            pasted.lines.append(address({"email": email, "name": re.sub(r'[<>"]', "", name)}))
    return pasted


def _rows(text: str) -> list[list[str]]:
    lines = io.StringIO("\n".join(text.strip().splitlines()))
    return [row for row in csv.reader(lines, delimiter=_delimiter(text)) if any(cell.strip() for cell in row)]


def _delimiter(text: str) -> str:
    first = text.strip().splitlines()[0] if text.strip() else ""
    return max(",;\t", key=first.count)


def _columns(first: list[str]) -> tuple[int, int | None, bool]:
    """Where the address and the name are, and whether the first row is a heading."""
    names = [cell.strip().lower() for cell in first]
    for position, name in enumerate(names):
        if name in _EMAIL_COLUMNS:
            return position, next((at for at, other in enumerate(names) if other in _NAME_COLUMNS), None), True
    position = next((at for at, cell in enumerate(first) if "@" in cell), 0)
    others = [at for at in range(len(first)) if at != position]
    return position, others[0] if others else None, False
