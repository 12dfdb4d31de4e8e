"""A sender's own address, asked by probes that lose patience."""

import socket
import struct
from threading import Event
from urllib.parse import urlsplit

import pytest
import requests

from fencepost.status_server import Checks, StatusServer
from tests.support.eventually import eventually


def test_a_probe_that_goes_away_leaves_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    gone, answered = Event(), Event()

    def checks() -> Checks:
        gone.wait(10)
        answered.set()
        return {"mongodb": (True, "answers" * 1000)}

    server = StatusServer(
        "127.0.0.1",
        0,
        setting="FENCEPOST_SENDER",
        alive=lambda: True,
        checks=checks,
        metrics=lambda: b"",
        metrics_type="text/plain",
    )
    try:
        address = urlsplit(server.address)
        probe = socket.create_connection((address.hostname, address.port))
        probe.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        # Closed so, it sends a reset, and the server can't write any more.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        probe.close()
        gone.set()
        assert answered.wait(10)
        assert eventually(lambda: requests.get(f"{server.address}/readyz", timeout=5)).json()["status"] == "ready"
    finally:
        server.stop()
    assert "Traceback" not in capfd.readouterr().err
