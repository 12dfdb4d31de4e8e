"""Senders on real servers that break in every way that is known, one after the other."""

from tests.support.worlds import _provider, make_world, nursery, provider, world

__all__ = ["_provider", "make_world", "nursery", "provider", "world"]
