"""Forms, multipart or urlencoded, as fields in their order. Werkzeug's reader costs ten times as much: it builds regular
expressions for every boundary."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

Fields = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form."""

    field: str
    filename: str
    content_type: str
    content: bytes


_BOUNDARY = re.compile(r'^multipart/form-data\s*;.*?boundary="?([^";,]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'(?:^|;)\s*name="([^"]*)"', re.IGNORECASE)
_FILENAME = re.compile(rb'(?:^|;)\s*filename="([^"]*)"', re.IGNORECASE)
_TYPE = re.compile(rb"^content-type\s*:\s*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_DISPOSITION = re.compile(rb"^content-disposition\s*:\s*form-data(.*)$", re.IGNORECASE | re.MULTILINE)


class Malformed(ValueError):
    """The body is not what its Content-Type says."""


def read(content_type: str, body: bytes) -> tuple[Fields, list[Upload]]:
    """The values of each field, and the files in their order. Raises Malformed."""
    if content_type.lower().startswith("application/x-www-form-urlencoded"):
        parts: list[tuple[str, str] | Upload] = [*parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)]
    else:
        found = _BOUNDARY.match(content_type)
        if not found:
            raise Malformed
        parts = _multipart(found[1].encode("latin-1"), body)
    fields: Fields = {}
    for part in parts:
        if not isinstance(part, Upload):
            fields.setdefault(part[0], []).append(part[1])
    return fields, [part for part in parts if isinstance(part, Upload)]


def _multipart(boundary: bytes, body: bytes) -> list[tuple[str, str] | Upload]:
    delimiter = b"\r\n--" + boundary
    before, *parts = (b"\r\n" + body).split(delimiter)
    if before or not parts or not parts.pop().startswith(b"--"):
        raise Malformed
    return [_part(part) for part in parts]


def _part(part: bytes) -> tuple[str, str] | Upload:
    head, empty, value = part.partition(b"\r\n\r\n")
    disposition = _DISPOSITION.search(head.strip())
    name = disposition and _NAME.search(disposition[1])
    if not (empty and disposition and name):
        raise Malformed
    filename, kind = _FILENAME.search(disposition[1]), _TYPE.search(head)
    if filename is None:
        return _text(name[1]), value.decode("utf-8", "replace")
    content_type = _text(kind[1]) if kind else "application/octet-stream"
    return Upload(_text(name[1]), _text(filename[1]), content_type.strip(), value)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace("%22", '"')
