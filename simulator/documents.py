"""JSON requests, as providers read them: what stands where, and what is no request at all."""

import binascii
import json
import re
from typing import Any

from simulator.ledger import Asked
from simulator.taking import Refused

ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


def parse(body: bytes) -> dict[str, Any]:
    """The object in a body; an empty one where there is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def listed(found: object) -> list[Any]:
    return found if isinstance(found, list) else []


def named(found: object) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def mailbox(found: object, email: str, name: str, wrong: str) -> tuple[str, str]:
    """(as one writes it, bare address) of an object with these two fields. Raises Refused with `wrong` for no address."""
    address, display = named(found).get(email), named(found).get(name)
    if not isinstance(address, str) or not ADDRESS.fullmatch(address):
        raise Refused(wrong)
    return (f"{display} <{address}>" if display else address), address


def decoded(found: object, wrong: str) -> bytes:
    """The bytes of a text in base64. Raises Refused with `wrong` for anything else, and for nothing."""
    try:
        content = binascii.a2b_base64(found, strict_mode=True) if isinstance(found, str) else b""
    except ValueError:
        content = b""
    if not content:
        raise Refused(wrong)
    return content


def asked(delivery_id: object, attempt: object) -> Asked:
    """Which delivery a request is for, as far as its custom fields can be read."""
    known = delivery_id if isinstance(delivery_id, str) and delivery_id else None
    return Asked(known, int(attempt) if isinstance(attempt, str) and attempt.isascii() and attempt.isdigit() else None)
