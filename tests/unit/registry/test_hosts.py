"""Which names are ours, and which pages may write."""

import pytest

from registry.hosts import host_name, is_known_host, is_own_page

ALLOWED = ("127.0.0.1", "localhost", "[::1]", "Registry.Internal")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.example:80", "a.example"),
        ("A.Example", "a.example"),
        ("[::1]:5000", "[::1]"),
        ("[::1]", "[::1]"),
        (":80", ":80"),
        ("", ""),
    ],
)
def test_the_name_of_a_host_is_what_stands_before_its_port(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize("host", ["localhost:5000", "registry.internal", "REGISTRY.INTERNAL:80", "[::1]:1"])
def test_listed_names_are_ours_whatever_their_case_and_port(host: str) -> None:
    assert is_known_host(host, ALLOWED)


@pytest.mark.parametrize(
    "host", ["", ":5000", "localhost.", "localhost:5000:5000", "localhost:x", "x.registry.internal"]
)
def test_other_names_are_not(host: str) -> None:
    assert not is_known_host(host, ALLOWED)


@pytest.mark.parametrize(
    ("origin", "fetch_site", "own"),
    [
        (None, None, True),
        ("http://localhost:5000", None, True),
        ("http://localhost:5000", "same-origin", True),
        (None, "none", True),
        ("http://localhost:3000", None, False),
        ("http://localhost:3000", "same-site", False),
        (None, "cross-site", False),
        ("null", None, False),
        ("", None, False),
    ],
)
def test_a_page_writes_only_to_its_own_host(origin: str | None, fetch_site: str | None, own: bool) -> None:
    assert is_own_page(origin, fetch_site, "localhost:5000") is own
