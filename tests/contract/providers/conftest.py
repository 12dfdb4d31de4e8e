"""Servers on loopback that misbehave on purpose, and certificates to go with them."""

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fencepost.providers.transport import Transport
from tests.contract.providers.wire import Connection, Wire
from tests.support.missing import missing

StartWire = Callable[..., Wire]


@pytest.fixture
def start_wire() -> Iterator[StartWire]:
    started: list[Wire] = []

    def start(serve: Callable[[Connection], None], tls: ssl.SSLContext | None = None) -> Wire:
        started.append(Wire(serve, tls))
        return started[-1]

    yield start
    for wire in started:
        wire.stop()


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


@dataclass(frozen=True)
class Certificate:
    """Signed by itself, for one name."""

    file: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context


@pytest.fixture(scope="session")
def make_certificate(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Certificate]:
    openssl = shutil.which("openssl") or missing("openssl is not on PATH: apt-get install openssl")

    def make(name: str) -> Certificate:
        folder = tmp_path_factory.mktemp("tls")
        made = Certificate(folder / "cert.pem", folder / "key.pem")
        command = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name} -addext"
        files = ["-keyout", str(made.key), "-out", str(made.file)]
        subprocess.run(
            [openssl, *command.split(), f"subjectAltName=DNS:{name}", *files], check=True, capture_output=True
        )
        return made

    return make
