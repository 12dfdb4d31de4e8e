"""Senders that are killed and frozen."""

from tests.support.worlds import _provider, make_world, nursery, provider, world

__all__ = ["_provider", "make_world", "nursery", "provider", "world"]
