"""docker-compose.yml as a project of its own on this machine's Docker engine, on free ports."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from devstack.processes import free_port

ROOT = Path(__file__).parents[2]
NAME = "fenceposttest"
FILES = ("docker-compose.yml", "tests/compose.local.yml", "tests/compose/secrets.yml")
DOCUMENTED = ("up", "--build", "--force-recreate", "--remove-orphans", "--scale", "sender=3")
_MINUTES = 60


class Project:
    """Containers, networks and volumes of one name; nobody else's are touched. Nothing runs before up()."""

    def __init__(self, folder: Path, *overrides: str) -> None:
        """`folder` gets the logs, and the config folder that the containers see: empty at first. `overrides` are files that go
        on top of docker-compose.yml."""
        self._files = (FILES[0], *overrides, *FILES[1:])
        self.config = folder / "config"
        self.config.mkdir(mode=0o755)
        self._logs = folder / "logs"
        self._logs.mkdir()
        ports = {name: str(free_port()) for name in ("REGISTRY_PORT", "FRONTEND_PORT", "INBOX_PORT", "MAILGUN_PORT")}
        self._variables = {**os.environ, **ports, "CONFIG_FOLDER": str(self.config)}
        self.registry_url, self.frontend_url, self.simulator_url, self.mailgun_url = (
            f"http://127.0.0.1:{port}" for port in ports.values()
        )

    def up(self) -> None:
        """The documented command, in the background."""
        self.keep_logs()
        self.compose(*DOCUMENTED, "--detach")

    def down(self, *, volumes: bool) -> None:
        self.keep_logs()
        self.compose("down", "--remove-orphans", *(["--volumes"] if volumes else []))

    def compose(self, *arguments: str) -> str:
        """What docker-compose, or else Compose v2, prints. Raises AssertionError with that if it fails."""
        program = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        files = [part for name in self._files for part in ("-f", name)]
        return self._run(*program, "-p", NAME, *files, *arguments)

    def first_key(self) -> str:
        """What set_up has written for the person who runs this."""
        (container, *_) = self.containers("frontend")
        return docker("exec", container, "cat", "/var/lib/fencepost-keys/first_key").strip()

    def containers(self, service: str | None = None) -> list[str]:
        """Ids, of those that have ended too."""
        labels = [f"label=com.docker.compose.project={NAME}"]
        labels += [f"label=com.docker.compose.service={service}"] if service else []
        return docker("ps", "--all", "--quiet", *(part for label in labels for part in ("--filter", label))).split()

    def logs(self, container: str) -> str:
        answer = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
        return answer.stdout + answer.stderr

    def keep_logs(self) -> None:
        """Write down what all containers said so far; those that are recreated take it with them."""
        for container in self.containers():
            (self._logs / f"{inspect(container)['Name'].strip('/')}-{container}.log").write_text(self.logs(container))

    def all_logs(self) -> dict[str, str]:
        """What every container said that was ever there, by its name."""
        self.keep_logs()
        return {path.stem: path.read_text() for path in sorted(self._logs.iterdir())}

    def _run(self, *command: str) -> str:
        answer = subprocess.run(
            command,
            cwd=ROOT,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=8 * _MINUTES,
        )
        assert answer.returncode == 0, f"{' '.join(command)}\n{answer.stdout[-5000:]}"
        return answer.stdout


def docker(*arguments: str) -> str:
    """What the docker command prints. Raises CalledProcessError."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def inspect(container: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("inspect", container))[0]
    return found
