"""Tokens: what tells a grant of a shard from every earlier one."""

from dataclasses import dataclass
from typing import Self

_REVISION_BITS = 40


@dataclass(frozen=True, slots=True, order=True)
class Token:
    """A grant of a shard: compared as a pair, so that a new generation outranks every revision of an earlier one.

    The revision is that of the etcd transaction which took the shard. An etcd that lost its data counts from 1 again;
    the generation, kept in MongoDB, then rises in its stead.
    """

    generation: int
    revision: int

    @property
    def number(self) -> int:
        """The pair as one number, in the same order: generation * 2^40 + revision. It stays below 2^53, so Redis's Lua
        can compare it (8,191 generations, and 30 years of revisions at a thousand a second)."""
        return self.generation << _REVISION_BITS | self.revision

    @classmethod
    def from_number(cls, number: int) -> Self:
        return cls(number >> _REVISION_BITS, number & ((1 << _REVISION_BITS) - 1))
