"""Calls to addresses that others gave us go to the public internet alone."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost.egress import Forbidden, is_public, target

PUBLIC = "93.184.216.34"


def names(host: str) -> Sequence[str]:
    """A resolver: whatever is asked for is public."""
    return [PUBLIC]


REFUSED = """
http://example.com/
ftp://example.com/
file:///etc/passwd
gopher://example.com:443/
//example.com/
example.com
https://
https:///path
https://example.com:80/
https://example.com:22/
https://example.com:6379/
https://example.com:0/
https://example.com:99999/
https://example.com:/x y
https://user@example.com/
https://user:pass@example.com/
https://example.com@127.0.0.1/
https://127.0.0.1:443@example.com/
https://example.com#@127.0.0.1/
https://example.com\\@127.0.0.1/
https://example.com\t/
https://exa%6dple.com/
https://localhost/
https://LOCALHOST/
https://localhost./
https://a.localhost/
https://localhost.localdomain/
https://printer.local/
https://metadata.google.internal/computeMetadata/v1/
https://instance-data.ec2.internal/
https://router.lan/
https://nas.home.arpa/
https://redis/
https://mongo:443/
https://example.com./
https://-example.com/
https://exa_mple.com/
https://127.0.0.1/
https://127.0.0.1./
https://127.1/
https://2130706433/
https://017700000001/
https://0177.0.0.1/
https://0x7f000001/
https://0x7f.0.0.1/
https://127.0.0.0x1/
https://127.0.0.01/
https://1.1.1.1.1/
https://256.1.1.1/
https://0/
https://0.0.0.0/
https://0.1.2.3/
https://10.0.0.1/
https://100.64.0.1/
https://100.100.100.200/
https://169.254.169.254/latest/meta-data/
https://168.63.129.16/
https://172.16.0.1/
https://192.168.1.1/
https://192.0.0.1/
https://192.0.2.1/
https://192.88.99.1/
https://198.18.0.1/
https://203.0.113.1/
https://224.0.0.1/
https://240.0.0.1/
https://255.255.255.255/
https://[::]/
https://[::1]/
https://[::ffff:127.0.0.1]/
https://[::ffff:7f00:1]/
https://[::ffff:10.0.0.1]/
https://[::127.0.0.1]/
https://[64:ff9b::127.0.0.1]/
https://[64:ff9b::a9fe:a9fe]/
https://[64:ff9b:1::1]/
https://[2002:7f00:1::]/
https://[2002:a00:1::1]/
https://[2001::1]/
https://[2001:db8::1]/
https://[fc00::1]/
https://[fd00:ec2::254]/
https://[fe80::1]/
https://[fe80::1%25eth0]/
https://[fec0::1]/
https://[ff02::1]/
https://[100::1]/
https://[::1
https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/
https://１２７.0.0.1/
https://127。0。0。1/
""".strip("\n").split("\n")


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_leads_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        target(url, names)


def test_there_are_forty_of_them_at_least() -> None:
    assert len(set(REFUSED)) >= 40


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.com", "example.com", 443),
        ("https://example.com?a=ö", "example.com", 443),
        ("https://EXAMPLE.com:8443/hooks?a=b@c", "example.com", 8443),
        ("https://hooks.bücher.example/x", "hooks.xn--bcher-kva.example", 443),
        ("https://93.184.216.34/x", "93.184.216.34", 443),
        ("https://[2606:2800:220:1:248:1893:25c8:1946]/x", "2606:2800:220:1:248:1893:25c8:1946", 443),
    ],
)
def test_a_public_address_is_taken(url: str, host: str, port: int) -> None:
    found = target(url, names)
    assert (found.host, found.port) == (host, port)
    assert found.url.isascii()
    assert found.url.endswith(url.partition("/x")[1])
    assert target(found.url, names) == found, "what is called is read the same way again"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "::1", "fd00::1", "::ffff:169.254.169.254", "fe80::1%eth0"]
)
def test_a_name_with_one_address_nearby_is_refused(address: str) -> None:
    with pytest.raises(Forbidden):
        target("https://example.com/", lambda _: [PUBLIC, address])


def test_a_name_is_resolved_once_and_its_answer_is_the_address_to_connect_to() -> None:
    """DNS rebinding: the second answer would lead to the metadata service."""
    answers: Iterator[Sequence[str]] = iter([[PUBLIC], ["169.254.169.254"]])

    def rebinding(_: str) -> Sequence[str]:
        return next(answers)

    assert target("https://example.com/", rebinding).address == PUBLIC
    with pytest.raises(Forbidden):
        target("https://example.com/", rebinding)


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(Forbidden, match="has no address"):
        target("https://example.com/", lambda _: [])


def test_this_machine_is_reached_for_development_alone_and_nothing_else_is_opened_by_that() -> None:
    for url in ("http://127.0.0.1:5000/x", "http://localhost:80/", "https://[::1]:9000/"):
        with pytest.raises(Forbidden):
            target(url, lambda _: ["127.0.0.1"])
        assert target(url, lambda _: ["127.0.0.1"], loopback=True).address in ("127.0.0.1", "::1")
    for url in (
        "http://example.com/",
        "https://example.com:22/",
        "http://10.0.0.1/",
        "https://169.254.169.254/",
        "https://0/",
    ):
        with pytest.raises(Forbidden):
            target(url, names, loopback=True)


@given(st.ip_addresses())
def test_nothing_that_the_library_calls_private_is_public(address: object) -> None:
    parsed = ip_address(str(address))
    if parsed.is_private or parsed.is_loopback or parsed.is_link_local or parsed.is_multicast or parsed.is_reserved:
        carries_another = parsed.version == 6 and (parsed.ipv4_mapped or str(parsed).startswith("64:ff9b:"))
        assert carries_another or not is_public(parsed)
