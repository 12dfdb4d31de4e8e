"""The gate's own checks: that they can fail. That they pass is `make check`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("fencepost", "registry", "sender", "auditor", "notifier", "frontend", "simulator", "cli", "devstack")
FORBIDDEN = {
    "registry/bad.py": "import sender, pymongo, cronsim",
    "sender/bad.py": "import frontend, redis",
    "auditor/bad.py": "import fencepost.providers",
    "notifier/bad.py": "import fencepost.coordination",
    "frontend/bad.py": "import simulator, pycurl",
    "simulator/bad.py": "import devstack",
    "cli/bad.py": "import fencepost.store, frontend",
    "devstack/bad.py": "import cli",
    "fencepost/bad.py": "import flask",
    "fencepost/store/bad.py": "import fencepost.coordination",
    "fencepost/recurrence/bad.py": "import pymongo",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The packages in a folder of their own, to be spoilt."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("node_modules", "static", "__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name(command[0]))
    return subprocess.run([program, *command[1:]], cwd=folder, env={"COLUMNS": "200"}, capture_output=True, text=True)


def test_every_contract_about_imports_can_be_broken(tree: Path) -> None:
    for name, line in FORBIDDEN.items():
        (tree / name).write_text(f"{line}\n")
    answer = run(["lint-imports", "--no-cache"], tree)
    assert answer.returncode != 0
    assert " KEPT" not in answer.stdout


def test_an_import_that_no_requirement_names_is_found(tree: Path) -> None:
    (tree / "sender" / "bad.py").write_text("import six\n")
    answer = run(["deptry", ".", "--config", str(ROOT / ".ci" / "deptry.toml")], tree)
    assert answer.returncode != 0
    assert "'six' imported but" in answer.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import datetime\n\nNOW = datetime.datetime.now()\n",  # a naive instant
        "def f(g):\n    try:\n        g()\n    except Exception:\n        pass\n",  # an error that nobody hears of
        'print("hello")\n',  # not by way of the log
    ],
)
def test_what_the_style_forbids_is_found(tree: Path, code: str) -> None:
    (tree / "sender" / "bad.py").write_text(code)
    assert run(["ruff", "check", "--no-cache", "sender/bad.py"], tree).returncode == 1
