"""One sender, or a few, and what the servers around them do."""

from tests.support.worlds import _provider, make_world, nursery, provider, world

__all__ = ["_provider", "make_world", "nursery", "provider", "world"]
