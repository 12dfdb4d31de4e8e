"""Secrets are compared by hmac.compare_digest: `==` tells by its time how much of them was right."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("fencepost", "registry", "frontend", "sender", "auditor", "cli")
SECRET = re.compile(r"secret|signature|csrf|digest|hmac|password|pepper|(^|_)(sig|mac|api_key)($|_)", re.IGNORECASE)
TOKEN = re.compile(r"token", re.IGNORECASE)
LEASE_TOKENS = ("fencepost", "sender", "auditor")
"""Where a token is the number of a lease, which is no secret."""


def test_no_secret_is_compared_in_a_time_that_tells() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "node_modules" not in path.parts
        for line in comparisons(path.read_text(), tokens=package not in LEASE_TOKENS)
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "given == secret",
        "self.signature != given",
        'row["digest"] == made',
        "request.form['csrf'] == token()",
        "given in (api_key, other)",
        "options.secret_key.get_secret_value() == given",
        "session.token == given",
    ],
)
def test_such_a_comparison_is_found(code: str) -> None:
    assert list(comparisons(code, tokens=True)) == [1]


@pytest.mark.parametrize(
    "code", ["secret is None", "hmac.compare_digest(secret, given)", "len(secret) == 64", "digest == ''", "a == b"]
)
def test_what_tells_nothing_is_let_through(code: str) -> None:
    assert list(comparisons(code, tokens=True)) == []


def comparisons(code: str, *, tokens: bool) -> Iterator[int]:
    """The lines on which something by the name of a secret is compared with something that is not written there."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn):
            continue
        sides = [side for each in (node.left, *node.comparators) for side in _members(each)]
        names = [name for side in sides if (name := _name(side))]
        if any(isinstance(side, ast.Constant) for side in sides):
            continue
        if any(SECRET.search(name) or (tokens and TOKEN.search(name)) for name in names):
            yield node.lineno


def _members(node: ast.expr) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]


def _name(node: ast.expr) -> str:
    """What it is called: a name, the last part of `a.b`, the key of `a["b"]`, and of `a.b()` what `a` is called."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case ast.Call(func=ast.Attribute(value=value, attr="get_secret_value")):
            return _name(value)
    return ""
