"""Three runs of `make chaos`, side by side with the report that it writes."""

import subprocess
import sys
from pathlib import Path

import pytest

from devstack.binaries import NotInstalled
from tests.chaos.ground import versions
from tests.support.missing import missing


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_three_seeds_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    try:
        versions()
    except NotInstalled as reason:
        missing(reason)
    report = tmp_path / "report.md"
    command = [sys.executable, "-m", "tests.chaos", "--seeds", "3", "--first-seed", "2"]
    done = subprocess.run([*command, "--report", report], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "| **duplicated** | **0** |" in report.read_text()
