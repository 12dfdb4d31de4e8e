"""Every `sh` block in the documentation runs. `console` blocks only illustrate.

The blocks of one file run in their order, in a copy of the tree, beside a stack of their own. Commands that would run this
test within itself, never end, or need an engine are stood in for by tests/support/shims, which say what is checked instead.
"""

import shutil
from pathlib import Path

import pytest

from devstack.stack import ROOT
from tests.conftest import StartsStack
from tests.support.documents import Block, blocks, copy_of_tree, run
from tests.support.territory import Territory

DOCUMENTS = [
    path for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))] if blocks(path.read_text())
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_runs(document: Path, tmp_path: Path, stack: StartsStack, territory: Territory) -> None:
    found = blocks(document.read_text())
    folder = copy_of_tree(ROOT, tmp_path / "tree")
    addresses: dict[str, str] = {}
    if any(port in block.code for block in found for port in (":5000", ":3000", ":5080")):
        running = stack(senders=1)
        for port, url in ((5000, running.registry_url), (3000, running.frontend_url), (5080, running.simulator_url)):
            addresses |= {f"{host}:{port}": url.removeprefix("http://") for host in ("127.0.0.1", "localhost")}
    for block in found:
        run(block, folder=folder, variables=territory.variables, addresses=addresses)


def test_blocks_are_found_where_they_are() -> None:
    text = "# A\n\n```sh\none\n```\n\n```console\n$ two\n```\n\n- item\n\n  ```sh\n  three\n  ```\n"
    assert blocks(text) == [Block(4, "one\n"), Block(14, "three\n")]


@pytest.mark.parametrize(
    "code", ["false\ntrue\n", "false | true\n", "make nonsense\n", "echo $undefined\n", "fencepost dev --nonsense\n"]
)
def test_a_block_that_fails_is_noticed(code: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "cli").symlink_to(ROOT / "cli")
    for package in ("fencepost", "devstack"):
        (tmp_path / package).symlink_to(ROOT / package)
    with pytest.raises(AssertionError, match="the block at line 1 ended with status"):
        run(Block(1, code), folder=tmp_path, variables={}, addresses={})
