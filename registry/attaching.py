"""Files on their way in: put on record before the text that names them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from fencepost.attachments import by_id, named
from fencepost.errors import Problem, TooLarge
from fencepost.store.files import NEVER
from fencepost.store.mongodb import bytes_on_record
from registry.caller import owner
from registry.parts import Parts

_MOST_BYTES = 15_728_640
"""Of a text on record; it is a part of one document, of which MongoDB takes 16 MB."""


def attached(p: Parts, definition: Mapping[str, Any], root: str, purge_at: datetime = NEVER) -> dict[str, Any]:
    """The text as it is stored, whose files are on record until `purge_at` at least. `root` is the pointer to its message. Raises
    Invalid for a file that is not on record, TooLarge for more than a mail may carry or a text may hold."""
    known = p.store.files.keep(owner(), named(definition), purge_at)
    stored, contents = by_id(definition, known, p.settings.registry.max_attachments_bytes, root)
    if (size := bytes_on_record(stored)) > _MOST_BYTES:
        # Nothing else in it may be as long as the list of recipients and their values.
        raise TooLarge(Problem(f"{root}/to", f"makes {size} bytes on record, and {_MOST_BYTES} is the most"))
    p.store.files.put(owner(), contents, purge_at, p.clock.now())
    return stored


def keep_until(p: Parts, text_ids: Collection[str], purge_at: datetime) -> None:
    """Keep these messages of requests, and their files, until then at least: their mail was put off, or is sent again."""
    p.store.messages.keep_until(text_ids, purge_at)
    for text in p.store.messages.find(text_ids).values():
        p.store.files.keep(owner(), named(text.definition), purge_at)
