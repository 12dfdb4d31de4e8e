"""Servers of several members, any of which a test may kill or freeze."""

from collections.abc import Iterator

from devstack.processes import Process


def lent(members: list[Process]) -> Iterator[list[Process]]:
    """The members for as long as a fixture needs them."""
    yield members
    for member in members:
        member.kill()


def come_back(members: list[Process]) -> None:
    """All of these well again, whatever was done to them."""
    for member in members:
        if member.alive:
            member.resume()
        else:
            member.start()
    for member in members:
        member.wait_ready()
