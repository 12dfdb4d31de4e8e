"""Attachments in the text of a mail (RFC 2045, 2387): what is shown within the html stands beside it, the other files follow. Pure.

The email package writes the headers of each part; a file's content is laid out here, in a fraction of the time that it takes there.
"""

import binascii
from collections.abc import Sequence
from email import policy
from email.message import MIMEPart

from fencepost.messages import Attachment, Mail
from fencepost.providers import fields

ASCII = policy.SMTP.clone(cte_type="7bit")
"""Nothing but ASCII on the wire, in lines that end as mail's do."""
_LINE = 76


def with_files(body: bytes, kind: str, mail: Mail) -> bytes:
    """A body, from the headers that tell of it on, together with the attachments of its mail; `kind` is its media type. Raises
    Invalid."""
    attachments = list(fields.attachments(mail))
    shown = [each for each in attachments if each.content_id and mail.html]
    others = [each for each in attachments if not (each.content_id and mail.html)]
    if shown:
        parts = [body, *(_part(each, "inline") for each in shown)]
        body = _multipart(f'related; type="{kind}"', f"=_related_{mail.delivery_id}", parts)
    if others:
        body = _multipart(
            "mixed", f"=_mixed_{mail.delivery_id}", [body, *(_part(each, "attachment") for each in others)]
        )
    return body


def encoded_bytes(size: int) -> int:
    """How long so many bytes are in a mail: base64, in lines."""
    letters = (size + 2) // 3 * 4
    return letters + (letters + _LINE - 1) // _LINE * 2


def _multipart(subtype: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    """No file can hold the boundary: an underscore is no letter of base64."""
    head = f'MIME-Version: 1.0\r\nContent-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    delimiter = f"--{boundary}".encode()
    return b"".join([head, *(b"%s\r\n%s\r\n" % (delimiter, part) for part in parts), delimiter, b"--\r\n"])


def _part(attachment: Attachment, disposition: str) -> bytes:
    head = MIMEPart(ASCII)
    main, _, sub = attachment.content_type.partition("/")
    content_id = f"<{attachment.content_id}>" if attachment.content_id else None
    head.set_content(b"", main, sub, disposition=disposition, filename=attachment.filename, cid=content_id)
    letters = binascii.b2a_base64(attachment.content, newline=False)
    lines = [letters[start : start + _LINE] for start in range(0, len(letters), _LINE)]
    return head.as_bytes().rstrip() + b"\r\n\r\n" + b"\r\n".join(lines)
