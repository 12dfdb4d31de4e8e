"""Files that come with a form. They travel in it, as the API takes them, so that a form that comes back has lost none."""

import json
from base64 import b64encode
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from werkzeug.datastructures import FileStorage

from frontend.formatting import files_of, size

MOST_BYTES: Final = 2_000_000
"""Of all files of one form; a form may be twice as large, and base64 takes a third more."""


def with_files(carried: str, kept: Collection[str], uploaded: Iterable[FileStorage]) -> str:
    """The field `attachments`: those carried that are still ticked (by their number), and the new ones. Empty: none."""
    files: list[Mapping[str, Any]] = [each for number, each in enumerate(files_of(carried)) if str(number) in kept]
    files += [_file(each) for each in uploaded if each.filename]
    return json.dumps(files, separators=(",", ":")) if files else ""


def too_large(attachments: str) -> str | None:
    """What is wrong with the files of the field; None: nothing."""
    total = sum(int(each.get("size") or 0) for each in files_of(attachments))
    if total <= MOST_BYTES:
        return None
    return f"The files are {size(total)} together; from here at most {size(MOST_BYTES)} go with a mail"


def _file(uploaded: FileStorage) -> dict[str, Any]:
    content = uploaded.read()
    return {"filename": uploaded.filename, "content": b64encode(content).decode(), "size": len(content)}
