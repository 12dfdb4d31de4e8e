"""The OpenAPI document: valid, complete, and true of the API that serves it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_spec_validator import validate

from devstack.stack import Stack
from tests.conftest import StartsStack

RULES = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def served(stack: StartsStack) -> Stack:
    """The registry with servers and a sender behind it."""
    return stack(senders=1, frontend=False)


@pytest.mark.timeout(240)
def test_the_api_is_as_documented(served: Stack, tmp_path: Path) -> None:
    document = requests.get(f"{served.registry_url}/openapi.json", timeout=10).json()
    validate(document)
    assert document["openapi"] == "3.1.1"
    for path, operation in operations(document):
        assert operation["summary"], path
        for status in ("422", "default"):
            assert list(operation["responses"][status]["content"]) == ["application/problem+json"], path
    described = tmp_path / "openapi.json"
    described.write_text(json.dumps(without_security(document)))
    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", RULES, "run"),
            *(described, "--url", served.registry_url, "--max-examples", "10", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert '"level": "error"' not in served.registry.log.read_text()


def without_security(document: dict[str, Any]) -> dict[str, Any]:
    """This registry trusts loopback, so no call needs a key. tests/integration/registry/test_access.py tries every kind of key."""
    for _, operation in operations(document):
        operation["security"] = []
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, operation) for path, methods in document["paths"].items() for operation in methods.values()]
