"""docs/security.md names a test for each line; each of them must be there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "security.md"


def named(text: str) -> list[tuple[str, str]]:
    """`path::test` as (path, test); without a test, the whole file."""
    return re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)


def missing(tests: list[tuple[str, str]]) -> list[str]:
    def is_there(path: str, test: str) -> bool:
        if not (ROOT / path).is_file():
            return False
        functions = {
            node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)
        }
        return not test or test in functions

    return [f"{path}::{test}" for path, test in tests if not is_there(path, test)]


def test_every_line_names_tests_that_are_there() -> None:
    text = DOCUMENT.read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| rule")]
    assert len(rows) > 15
    assert [row for row in rows if not named(row)] == []
    assert missing(named(text)) == []


def test_a_test_that_is_not_there_is_found() -> None:
    assert missing(named("`tests/unit/test_nothing.py` `tests/unit/test_api_keys.py::test_nothing`")) == [
        "tests/unit/test_nothing.py::",
        "tests/unit/test_api_keys.py::test_nothing",
    ]
