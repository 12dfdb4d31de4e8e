"""The variables that reach the local stack's processes, and the folder that its data lives in."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from devstack.processes import DidNotStart
from fencepost import client_variables
from fencepost.settings import PREFIX

KEPT = Path(".fencepost")


def own_variables(environment: Mapping[str, str], env_file: Path | None) -> dict[str, str]:
    """The settings among the variables of the file and of the environment; the environment wins. The command's own address and
    key are none: no process of the stack needs to know them."""
    both = {**(read_env_file(env_file) if env_file else {}), **environment}
    wanted = {name for name in both if name.startswith(PREFIX) or name == "PUBLIC_URL"} - client_variables.ALL
    return {name: both[name] for name in both if name in wanted}


def read_env_file(path: Path) -> dict[str, str]:
    """NAME=value lines as Docker reads them: no quotes, no expansion; empty lines and those with # in front are skipped."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}


@contextmanager
def data_folder(keep: bool) -> Iterator[Path]:
    """Where data and logs go: a folder that is removed at the end, or the kept one, which one process at a time may use.
    Raises DidNotStart if another uses it."""
    if not keep:
        folder = Path(tempfile.mkdtemp(prefix="fencepost-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    KEPT.mkdir(exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DidNotStart(f"another `fencepost dev --keep` works in {KEPT.resolve()}") from error
        yield KEPT.resolve()
