"""The options that a mail is written with, and the message that the API gets for them."""

import base64
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import getaddresses
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cli.documents import refuse_two_of_stdin, text_of
from cli.values import HEADER, PAIR, given

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option("--from", "sender", metavar="ADDRESS", help='Who writes: "Shop <shop@example.com>".'),
    click.option("--to", multiple=True, metavar="ADDRESS", help="Who gets it; give it again for more."),
    click.option("--cc", multiple=True, metavar="ADDRESS"),
    click.option("--bcc", multiple=True, metavar="ADDRESS"),
    click.option("--reply-to", metavar="ADDRESS"),
    click.option("--together", is_flag=True, help="One mail to all of --to, who see one another."),
    click.option("--subject"),
    click.option("-m", "--message", "words", metavar="TEXT", help="The text itself."),
    click.option("--text", "text_file", metavar="FILE", help="The text in this file; - for standard input."),
    click.option("--html", "html_file", metavar="FILE", help="The HTML in this file; - for standard input."),
    click.option(
        "--var",
        "variables",
        type=PAIR,
        multiple=True,
        metavar="NAME=VALUE",
        help="A value for {{ NAME }} in subject and texts, which are Liquid templates then.",
    ),
    click.option("--attach", "attached", type=_FILE, multiple=True, metavar="FILE", help="Attach this file."),
    click.option(
        "--inline",
        "inlined",
        type=_FILE,
        multiple=True,
        metavar="FILE",
        help='An image for the HTML, which shows it by its name: <img src="cid:FILE">.',
    ),
    click.option("--header", "headers", type=HEADER, multiple=True, metavar="NAME:VALUE"),
    click.option("--tag", "tags", multiple=True, metavar="TAG"),
    click.option("--metadata", type=PAIR, multiple=True, metavar="NAME=VALUE"),
)


@dataclass(frozen=True, slots=True)
class Written:
    """What those options came to: `message` has the fields that were given, and no others."""

    message: dict[str, Any]
    together: bool


def written(*, stdin: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The command, with the options of a mail; it gets `mail`, a Written. `stdin` names another parameter of it that may be `-`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(*args: Any, **options: Any) -> None:
            own = {name: options.pop(name) for name in _NAMES}
            refuse_two_of_stdin(own["text_file"], own["html_file"], options[stdin] if stdin else None)
            command(*args, mail=_read(**own), **options)

        decorated: Callable[..., None] = run
        for option in reversed(_OPTIONS):
            decorated = option(decorated)
        return decorated

    return decorate


_NAMES = (
    *("sender", "to", "cc", "bcc", "reply_to", "together", "subject", "words", "text_file", "html_file"),
    *("variables", "attached", "inlined", "headers", "tags", "metadata"),
)


def _read(
    *,
    sender: str | None,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    bcc: tuple[str, ...],
    reply_to: str | None,
    together: bool,
    subject: str | None,
    words: str | None,
    text_file: str | None,
    html_file: str | None,
    variables: tuple[tuple[str, str], ...],
    attached: tuple[Path, ...],
    inlined: tuple[Path, ...],
    headers: tuple[tuple[str, str], ...],
    tags: tuple[str, ...],
    metadata: tuple[tuple[str, str], ...],
) -> Written:
    """Raises click.UsageError."""
    if words is not None and text_file is not None:
        raise click.UsageError("give --message or --text, not both")
    if variables and not to:
        raise click.UsageError("--var is for those of --to; name one")
    message = given(
        to=[recipient(address, dict(variables)) for address in to],
        cc=list(cc),
        bcc=list(bcc),
        reply_to=reply_to,
        subject=subject,
        text=words if words is not None else text_of(text_file),
        html=text_of(html_file),
        headers=dict(headers),
        tags=list(tags),
        metadata=dict(metadata),
        attachments=[*map(attachment, attached), *(attachment(file, inline=True) for file in inlined)],
    )
    return Written({**given(**{"from": sender}), **message}, together)


def recipient(address: str, variables: dict[str, str]) -> Any:
    """An address as the API takes it; with variables it is an object."""
    if not variables:
        return address
    # What is not one address, whole, is the API's to refuse: nobody may be dropped here.
    found = getaddresses([address])
    name, email = found[0] if len(found) == 1 and found[0][1] in address else ("", address)
    return {"email": email, "name": name, "variables": variables}


def attachment(file: Path, *, inline: bool = False) -> dict[str, str]:
    """The file as the API takes it. Raises click.UsageError."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{file} can't be read: {error.strerror}") from None
    found = {
        "filename": file.name,
        "content": base64.b64encode(content).decode(),
        "content_type": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
    }
    return {**found, "content_id": file.name} if inline else found
