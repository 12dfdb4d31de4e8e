"""Errors, named by what the caller does next.

FencepostError
├── Invalid             the caller's input is wrong: tell them which field, and what would be right
│   └── TooLarge        and it is its size that is wrong: send less
├── NotFound            there is no such thing, or it is not theirs
├── Conflict            it has changed since they read it: read again, decide again
├── Unreachable         a server did not answer: nothing is known, try again later
├── LeaseLost           another may own the shard by now: stop at once, hand nothing on
└── Misconfigured       no retry helps: refuse to start, say what to set
"""

from dataclasses import dataclass


class FencepostError(Exception):
    """The root of every error that Fencepost raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input: a JSON Pointer (RFC 6901) to the field, and a sentence that says what
    would be right."""

    pointer: str
    detail: str


class Invalid(FencepostError):
    """The input can't be taken as it is."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{problem.pointer or '/'}: {problem.detail}" for problem in problems))


class TooLarge(Invalid):
    """The input is right, and more than is taken."""


class NotFound(FencepostError):
    """Nothing with this id belongs to this owner."""


class Conflict(FencepostError):
    """The thing has another version, or another state, than the caller acted on."""


class Unreachable(FencepostError):
    """A server is down, slow or cut off. `server` is mongodb, etcd, redis or a provider's name."""

    def __init__(self, server: str, detail: str) -> None:
        self.server = server
        super().__init__(f"{server}: {detail}")


class LeaseLost(FencepostError):
    """This process no longer holds what it was acting on."""


class Misconfigured(FencepostError):
    """The set-up is wrong in a way that only its operator can mend."""
