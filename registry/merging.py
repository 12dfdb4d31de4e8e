"""JSON merge patch (RFC 7396), and what it means for a schedule."""

from collections.abc import Mapping
from typing import Any


def merged(target: Any, patch: Any) -> Any:
    """The target with the patch's values; null takes a field away, lists are replaced whole."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def changed(definition: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule's text with the patch merged in; a field that is taken away falls back to its default.

    A recurrence of another type replaces the old one whole, so that nobody has to null the old type's fields.
    """
    base, recurrence = dict(definition), patch.get("recurrence")
    if (
        isinstance(recurrence, Mapping)
        and recurrence.get("type", base["recurrence"]["type"]) != base["recurrence"]["type"]
    ):
        del base["recurrence"]
    found: dict[str, Any] = merged(base, patch)
    return found
