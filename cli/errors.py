"""How a command ends that could not do what it was asked: a sentence on standard error, and a status that tells."""

from collections.abc import Mapping
from typing import IO, Any

import click

from cli.texts import plain

STATUSES = """\b
Exit status:
  0  done
  1  the registry refused it, it did not end well, or (status) something is wrong
  2  the command was used or set up wrongly
  3  the registry, or a server behind it, can't be reached
  4  there is no such thing
  5  not allowed: no key, a wrong one, or one without the scope
"""


class Failed(click.ClickException):
    """It could not be done."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"fencepost: {self.format_message()}", file=file, err=True)


class Refused(Failed):
    """The registry has read the request and will not do it: another one is needed."""


class NotReached(Failed):
    """Nothing that can answer has answered: try again later, or at another address."""

    exit_code = 3


class NotFound(Failed):
    """The registry knows no such thing."""

    exit_code = 4


class NotAllowed(Failed):
    """It takes a key, or another one."""

    exit_code = 5


_KINDS: Mapping[int, type[Failed]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    502: NotReached,
    503: NotReached,
    504: NotReached,
}


def refusal(status: int, problem: Mapping[str, Any], asked: str) -> Failed:
    """The error for an answer of this status. `problem` is its problem document, empty if it had none; `asked` is what was asked
    for, such as `GET /emails`."""
    if status == 404 and problem.get("type") != "/problems#not-found":
        return NotFound(
            f"this registry has no {asked}: it is older than this command, or another program answers there"
        )
    return _KINDS.get(status, Refused)(sentences(status, problem))


def sentences(status: int, problem: Mapping[str, Any]) -> str:
    """A problem document for people: what is wrong, then a line for each field with what would be right."""
    errors = problem.get("errors") or []
    summary = problem.get("title") if errors else problem.get("detail") or problem.get("title")
    lines = [f"{plain(summary or 'the registry gave no reason')} (status {status})"]
    lines += [f"  {plain(error.get('pointer') or 'the whole')}: {plain(error.get('detail'))}" for error in errors]
    if status >= 500 and problem.get("request_id"):
        lines.append(f"  its log has it under {plain(problem['request_id'])}")
    return "\n".join(lines)
