"""Generations: which life of etcd a token comes from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Generation:
    """One life of etcd's data, as MongoDB has it on record. It is over when etcd lost its data or went back in time: then the
    next one begins, so that tokens go on growing.

    `value` only ever rises. `nonce` is a random text that stands in etcd too, and tells this life from every other.
    `highest_revision` is the highest revision of any token that was given out in it; 0 while there is none.
    """

    value: int
    nonce: str
    highest_revision: int = 0
