"""The registry's answers as the pages read them."""

import pytest

from fencepost.settings import Frontend
from frontend.registry_client import FieldProblem, Registry, RegistryDown, refusal


def test_a_problem_document_is_read() -> None:
    found = refusal(
        422,
        {
            "type": "/problems#invalid",
            "title": "The input can't be taken as it is",
            "detail": "/name: is required",
            "request_id": "req_1",
            "errors": [{"pointer": "/name", "detail": "is required"}, "nonsense"],
        },
    )
    assert found.problems == (FieldProblem("/name", "is required"),)
    assert (found.kind, found.request_id, str(found)) == ("invalid", "req_1", "/name: is required")


@pytest.mark.parametrize("document", [None, [], {}, {"errors": None, "title": None, "type": None}])
def test_what_a_problem_lacks_is_left_empty(document: object) -> None:
    found = refusal(500, document)
    assert (found.title, found.detail, found.problems, found.kind) == ("Status 500", "", (), "")


def test_a_registry_that_is_not_there_is_down() -> None:
    # Port 9 is the discard service: nothing listens there.
    registry = Registry(Frontend(registry_url="http://127.0.0.1:9"))
    with pytest.raises(RegistryDown, match="does not answer"):
        registry.cluster()
    alive, said = registry.is_alive()
    assert not alive
    assert "127.0.0.1:9" in said
