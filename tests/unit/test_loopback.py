"""What is taken for this machine."""

import pytest
from werkzeug.datastructures import Headers

from fencepost.loopback import is_local


@pytest.mark.parametrize(
    ("peer", "host", "local"),
    [
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "[::1]", True),
        ("127.9.9.9", "127.0.0.1", True),
        ("::ffff:127.0.0.1", "localhost", False),
        ("10.0.0.7", "localhost", False),
        ("0.0.0.0", "localhost", False),
        ("", "localhost", False),
        (None, "localhost", False),
        ("unix:", "localhost", False),
        ("127.0.0.1", "registry.example", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "balancer", False),
        ("127.0.0.1", "localhost.example.com", False),
    ],
)
def test_only_loopback_under_a_name_of_loopback_is_this_machine(peer: str | None, host: str, local: bool) -> None:
    assert is_local(peer, host, Headers()) is local


@pytest.mark.parametrize("name", ["X-Forwarded-For", "forwarded", "Via", "X-Real-IP", "x-forwarded-proto"])
def test_a_proxy_on_this_machine_does_not_lend_its_loopback(name: str) -> None:
    assert not is_local("127.0.0.1", "localhost", Headers({name: ""}))
