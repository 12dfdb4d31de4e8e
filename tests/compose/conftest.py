"""One project for all tests of a module, and what they ask of it."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.compose.people import People
from tests.compose.project import Project
from tests.support.missing import missing


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The documented command has run once, on fresh volumes. Tests leave it running, with three senders."""
    yield from _running(Project(tmp_path_factory.mktemp("compose")))


@pytest.fixture(scope="module")
def replicated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The same with a MongoDB of three members, and with senders that claim no more than 25 at once."""
    project = Project(tmp_path_factory.mktemp("replicas"), "docker-compose.replicas.yml")
    names = ("SCHEDULES_PER_CLAIM", "DELIVERIES_PER_CLAIM")
    (project.config / "secrets.env").write_text("".join(f"FENCEPOST_SENDER__{name}=25\n" for name in names))
    yield from _running(project)


def _running(project: Project) -> Iterator[Project]:
    if subprocess.run(["docker", "version"], capture_output=True).returncode != 0:
        missing("no Docker engine answers")
    try:
        project.down(volumes=True)  # what a run left that was killed
        project.up()
        yield project
    finally:
        project.down(volumes=True)


@pytest.fixture
def people(project: Project) -> People:
    """Those who write schedules and read mail."""
    return People(project.registry_url, project.simulator_url, key=project.first_key)
