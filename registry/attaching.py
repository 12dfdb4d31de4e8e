"""Files on their way in: put on record before the text that names them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from fencepost.attachments import by_id, named
from fencepost.store.files import NEVER
from registry.caller import owner
from registry.parts import Parts


def attached(p: Parts, definition: Mapping[str, Any], root: str, purge_at: datetime = NEVER) -> dict[str, Any]:
    """The text as it is stored, whose files are on record until `purge_at` at least. `root` is the pointer to its message. Raises
    Invalid for a file that is not on record, TooLarge for more than a mail may carry."""
    known = p.store.files.keep(owner(), named(definition), purge_at)
    stored, contents = by_id(definition, known, p.settings.registry.max_attachments_bytes, root)
    p.store.files.put(owner(), contents, purge_at, p.clock.now())
    return stored


def keep_until(p: Parts, text_ids: Collection[str], purge_at: datetime) -> None:
    """Keep these messages of requests, and their files, until then at least: their mail was put off, or is sent again."""
    p.store.messages.keep_until(text_ids, purge_at)
    for text in p.store.messages.find(text_ids).values():
        p.store.files.keep(owner(), named(text.definition), purge_at)
