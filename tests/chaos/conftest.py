"""Senders that are killed and frozen."""

from tests.support.worlds import _fallback, _provider, fallback, make_world, nursery, provider, world

__all__ = ["_fallback", "_provider", "fallback", "make_world", "nursery", "provider", "world"]
