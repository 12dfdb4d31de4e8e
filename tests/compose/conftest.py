"""One project for all tests of this folder, and what they ask of it."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.compose.people import People
from tests.compose.project import Project
from tests.support.missing import missing


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The documented command has run once, on fresh volumes. Tests leave it running, with three senders."""
    if subprocess.run(["docker", "version"], capture_output=True).returncode != 0:
        missing("no Docker engine answers")
    project = Project(tmp_path_factory.mktemp("compose"))
    try:
        project.down(volumes=True)  # what a run left that was killed
        project.up()
        yield project
    finally:
        project.down(volumes=True)


@pytest.fixture
def people(project: Project) -> People:
    """Those who write schedules and read mail."""
    return People(project.registry_url, project.simulator_url)
