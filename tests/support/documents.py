"""Running the `sh` blocks of a Markdown file."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SHIMS = Path(__file__).with_name("shims")
_BLOCK = re.compile(r"^(?P<indent> *)```sh[^\n]*\n(?P<code>.*?)^ *```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced `sh` block and the line at which it begins."""

    line: int
    code: str


def blocks(text: str) -> list[Block]:
    """The `sh` blocks of a file, in order. `console` and other blocks are not among them."""
    return [
        Block(
            text.count("\n", 0, found.start()) + 2,
            re.sub(rf"^{found['indent']}", "", found["code"], flags=re.MULTILINE),
        )
        for found in _BLOCK.finditer(text)
    ]


def copy_of_tree(root: Path, target: Path) -> Path:
    """What a clone would have, with what is not committed yet."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    return target


def run(block: Block, *, folder: Path, variables: Mapping[str, str], addresses: Mapping[str, str]) -> str:
    """Run a block with bash as a person would, in `folder`, and hand back what it prints. `addresses` replace those that the
    documentation names, such as 127.0.0.1:5000. Raises AssertionError with its output if any command in it fails."""
    code = block.code
    for documented, real in addresses.items():
        code = code.replace(documented, real)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("FENCEPOST_", "MAKE", "MFLAGS"))},
        **variables,
        "PATH": f"{SHIMS}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "REAL_MAKE": shutil.which("make") or "make",
        "REAL_PYTHON": sys.executable,
    }
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, (
        f"the block at line {block.line} ended with status {ran.returncode}:\n{code}\n{ran.stdout}"
    )
    return ran.stdout
