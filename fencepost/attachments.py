"""Attachments: the files that go with a mail. Pure.

A client sends each with its content. What is stored names it by that content's SHA-256 instead, so that texts, claims and lists
stay light, and all mails of a schedule share one file.
"""

import binascii
import hashlib
import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from fencepost.errors import Invalid, Problem, TooLarge
from fencepost.fields import not_empty, one_line, wrong
from fencepost.messages import Attachment, Mail

MOST = 20
"""How many may go with one mail."""
_LONGEST_NAME, _LONGEST_TYPE = 255, 78
_TYPE = re.compile(r"([a-z0-9][a-z0-9!#$&^_.+-]*)/[a-z0-9][a-z0-9!#$&^_.+-]*", re.IGNORECASE)
_STRUCTURES = ("multipart", "message")
_CONTENT_ID = "[A-Za-z0-9._-]{1,64}"
_FILE_ID = "[0-9a-f]{64}"
_UNKNOWN_TYPE = "application/octet-stream"

# The module's own table: what the machine's files say would differ from one machine to the other.
_TYPES = mimetypes.MimeTypes()
for _ending, _kind in {
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".ics": "text/calendar",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}.items():
    _TYPES.add_type(_kind, _ending)


def _filename(text: str) -> str:
    if "/" in text or "\\" in text or text in (".", ".."):
        raise wrong("must be the name of a file, without a path: no / and no \\")
    return text


def _content(value: object) -> bytes:
    try:
        content = binascii.a2b_base64(value, strict_mode=True) if isinstance(value, str) else b""
    except ValueError as error:
        raise wrong(f"must be standard base64, in one line: {error}") from None
    if not content:
        raise wrong("must be a file that holds something, in standard base64")
    return content


def _content_type(text: str) -> str:
    found = _TYPE.fullmatch(text)
    if not found:
        raise wrong("must be a media type without parameters, such as application/pdf")
    if found[1].lower() in _STRUCTURES:
        raise wrong(f"{found[1].lower()} can't be attached: it would be a part of the mail's own structure")
    return text.lower()


Filename = Annotated[
    str, Field(max_length=_LONGEST_NAME), AfterValidator(one_line), AfterValidator(not_empty), AfterValidator(_filename)
]
Content = Annotated[
    bytes,
    BeforeValidator(_content),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "pattern": "^[A-Za-z0-9+/]+={0,2}$"}),
]
ContentType = Annotated[str, Field(max_length=_LONGEST_TYPE), AfterValidator(_content_type)]
ContentId = Annotated[str, Field(pattern=f"^{_CONTENT_ID}$")]
FileId = Annotated[str, Field(pattern=f"^{_FILE_ID}$")]


def guessed_type(filename: str) -> str:
    """The media type that a file of this name has, the same on every machine."""
    _, dot, ending = filename.rpartition(".")
    if not dot:
        return _UNKNOWN_TYPE
    kind, packed = _TYPES.guess_type(f"x.{ending}")
    if packed:
        return "application/gzip" if packed == "gzip" else _UNKNOWN_TYPE
    return kind if kind and kind.partition("/")[0] not in _STRUCTURES else _UNKNOWN_TYPE


def named(definition: Mapping[str, Any]) -> set[str]:
    """The ids of the files that a text names: in place of a content, or because it is stored like that."""
    return {entry["file_id"] for entry in _entries(definition) if entry["file_id"]}


def by_id(
    definition: Mapping[str, Any], known: Mapping[str, int], most_bytes: int, root: str
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The text as it is stored, with ids in place of contents; and the contents by id.

    `known` are the sizes of those files on record that it names, `root` is the pointer to its message. Raises Invalid for an id
    that is not among them, and TooLarge for more than `most_bytes` together.
    """
    contents = {_id(entry["content"]): entry["content"] for entry in _entries(definition) if entry["content"]}
    sizes = {**known, **{file_id: len(content) for file_id, content in contents.items()}}
    unknown = [
        Problem(f"{root}/attachments/{index}/file_id", "is no file of yours on record; send its `content`")
        for index, entry in enumerate(_entries(definition))
        if entry["file_id"] and entry["file_id"] not in sizes
    ]
    if unknown:
        raise Invalid(*unknown)
    stored = [_stored(entry, sizes) for entry in _entries(definition)]
    total = sum(entry["size"] for entry in stored)
    if total > most_bytes:
        detail = f"are {total} bytes together, and {most_bytes} is the most"
        raise TooLarge(Problem(f"{root}/attachments", detail))
    return {**definition, "message": {**definition["message"], "attachments": stored}}, contents


def repeated_ids(content_ids: Sequence[str | None], root: str) -> Iterator[Problem]:
    """What is wrong with these content ids taken together: each names one file. `root` is the pointer to the message."""
    for index, content_id in enumerate(content_ids):
        if content_id is not None and content_id in content_ids[:index]:
            yield Problem(f"{root}/attachments/{index}/content_id", "is given to an earlier file already")


def filled(mail: Mail, contents: Mapping[str, bytes]) -> Mail:
    """The mail with what its attachments hold, by file id. Raises KeyError for one that is not there."""
    attachments = (replace(each, content=contents[each.file_id]) for each in mail.attachments)
    return replace(mail, attachments=tuple(attachments))


def missing(mail: Mail, contents: Mapping[str, bytes]) -> list[Attachment]:
    """Those of its attachments whose files are not there."""
    return [each for each in mail.attachments if each.file_id not in contents]


def _entries(definition: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = definition["message"].get("attachments", ())
    return found


def _stored(entry: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, Any]:
    file_id = entry["file_id"] or _id(entry["content"])
    return {
        "filename": entry["filename"],
        "content_type": entry["content_type"] or guessed_type(entry["filename"]),
        "content_id": entry["content_id"],
        "size": sizes[file_id],
        "file_id": file_id,
    }


def _id(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
