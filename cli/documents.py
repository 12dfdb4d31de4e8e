"""Texts and documents from files and from standard input, which can be read once."""

import json
import sys
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import click

STDIN = "-"


def refuse_two_of_stdin(*names: str | None) -> None:
    """Raises click.UsageError if more than one of them is `-`."""
    if names.count(STDIN) > 1:
        raise click.UsageError("standard input (-) can be read for one option only")


def text_of(name: str | None) -> str | None:
    """The text in the file of this name, or of standard input for `-`; None for None. Raises click.UsageError."""
    if name is None:
        return None
    try:
        return sys.stdin.read() if name == STDIN else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{name} can't be read: {getattr(error, 'strerror', None) or error}") from None


def document_of(name: str | None) -> dict[str, Any]:
    """The JSON or TOML document in this file, or of standard input; empty for None. What begins with a brace is JSON. Raises
    click.UsageError."""
    text = text_of(name)
    if text is None:
        return {}
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else _as_json(tomllib.loads(text))
    except ValueError as error:
        raise click.UsageError(f"{name} is neither JSON nor TOML: {error}") from None
    return dict(found)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both, object by object; where they differ, `over` wins."""
    nested = {
        name: merged(base[name], value)
        for name, value in over.items()
        if isinstance(value, Mapping) and isinstance(base.get(name), Mapping)
    }
    return {**base, **over, **nested}


def _as_json(value: Any) -> Any:
    """TOML's dates as the texts that JSON has for them."""
    if isinstance(value, dict):
        return {name: _as_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return value.isoformat() if isinstance(value, datetime | date | time) else value
