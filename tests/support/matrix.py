"""The authorisation matrix, made from the OpenAPI document: every operation, with every kind of key."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask

from fencepost.api_keys import Scope
from tests.support.keys import Holder

Ids = Mapping[str, Callable[[], str]]
"""What each parameter of a path may be, asked for before each call."""
NOBODYS = {"name"}
"""Parameters that name what is every owner's alike: a provider."""
_PARAMETER = re.compile(r"{(\w+)}")


class CannotFill(Exception):
    """A path has a parameter of which nobody has said what to put there."""


@dataclass(frozen=True)
class Operation:
    """One method of one path. `scope` is what the document says that it needs; None: any key will do."""

    method: str
    path: str
    scope: Scope | None
    public: bool
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def names_one(self) -> bool:
        """Whether it is about one thing of somebody's."""
        return bool(set(_PARAMETER.findall(self.path)) - NOBODYS)

    def address(self, ids: Ids) -> str:
        """Raises CannotFill."""
        for name in _PARAMETER.findall(self.path):
            if name not in ids:
                raise CannotFill(f"{self}: say in the matrix test what {{{name}}} may be")
        return _PARAMETER.sub(lambda found: ids[found[1]](), self.path)


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """All that the document has, with its own example as the body."""
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            security = said["security"]
            scopes = [Scope(name) for each in security for names in each.values() for name in names]
            assert len(scopes) <= 1, (path, scopes)
            content = said.get("requestBody", {}).get("content", {})
            body = content.get("application/json", {}).get("example")
            yield Operation(method.upper(), path, scopes[0] if scopes else None, not security, body)


@dataclass(frozen=True)
class Keys:
    """Secrets by what they may do. `by_scope` and `admin_of_another` and the like are valid."""

    by_scope: Mapping[Scope, str]
    of_another: Mapping[Scope, str]
    expired: str
    revoked: str


def wrong_answers(app: Flask, found: list[Operation], ids: Ids, keys: Keys) -> list[str]:
    """What is not as it must be: nothing. `ids` are what parameters stand for, all of the owner of `keys.by_scope`. Raises
    CannotFill."""
    wrong: list[str] = []

    def expect(operation: Operation, who: str, secret: str | None, *statuses: int, never: tuple[int, ...] = ()) -> None:
        answer = Holder.of(app, secret).call(operation.method, operation.address(ids), operation.body)
        if (statuses and answer.status_code not in statuses) or answer.status_code in never:
            wrong.append(f"{operation} with {who}: {answer.status_code} {answer.text[:200]}")

    for operation in found:
        if operation.public:
            continue
        for who, secret in {
            "no key": None,
            "an expired": keys.expired,
            "a revoked": keys.revoked,
            "nonsense": "x",
        }.items():
            expect(operation, who, secret, 401)
        for scope in Scope:
            needed = operation.scope in (scope, None) or scope is Scope.ADMIN
            mine = f"{scope.value} alone"
            if not needed:
                expect(operation, mine, keys.by_scope[scope], 403)
            elif operation.names_one:
                # Before its owner: who does something to it may not leave anything for others to find.
                operators = scope is Scope.ADMIN and operation.path.startswith("/api-keys/")
                expect(operation, f"{mine}, another's", keys.of_another[scope], *(() if operators else (404,)))
                expect(operation, mine, keys.by_scope[scope], never=(401, 403, 404))
            else:
                expect(operation, mine, keys.by_scope[scope], never=(401, 403))
    return wrong
