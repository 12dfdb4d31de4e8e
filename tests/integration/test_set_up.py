"""What docker/set_up.py makes besides the database: shared secrets, and the first key."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.stack import ROOT
from docker.set_up import make_keys
from fencepost.api_keys import is_secret_of
from fencepost.settings import load
from fencepost.store import Store
from tests.support.keys import key_id_of
from tests.support.territory import Territory


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in folder.iterdir()}


def test_the_first_key_is_made_once_and_only_its_file_tells_it(
    territory: Territory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = load(territory.variables).mongodb
    store = Store.open(options)
    store.migrate()
    make_keys(options, tmp_path)
    first = contents(tmp_path)
    assert set(first) == {"pepper", "session_secret", "first_key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    key = store.api_keys.find(key_id_of(first["first_key"]))
    assert key
    assert (key.owner_id, sorted(key.scopes)) == ("local", ["admin"])
    assert is_secret_of(first["first_key"], key.digest, first["pepper"])

    make_keys(options, tmp_path)
    assert contents(tmp_path) == first
    assert first["first_key"] not in "".join(capsys.readouterr())

    store.api_keys.revoke(None, key.id, store.now())
    make_keys(options, tmp_path)
    assert contents(tmp_path)["first_key"] != first["first_key"]
    store.close()


def test_whoever_lost_the_key_makes_another(territory: Territory, tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FENCEPOST_")}
    environment = {**inherited, **territory.variables, "PYTHONPATH": str(ROOT)}
    path = tmp_path / "key"

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "registry.first_key", *more]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    assert run(str(path)).returncode == 0
    first = path.read_text()
    again = run(str(path))
    assert (again.returncode, path.read_text()) == (1, first)
    assert "--anyway" in again.stderr
    anyway = run(str(path), "--anyway")
    assert (anyway.returncode, path.read_text() == first) == (0, False)
    assert path.read_text().strip() not in anyway.stdout + anyway.stderr
    assert "usage" in run().stderr
