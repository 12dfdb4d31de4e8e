"""What the death of a sender and the loss of etcd's leader cost in lateness: runs the tests that bound it, and reports the figures.

python -m tests.chaos.costs [--report docs/fault-report.md]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.chaos.report import COSTS, costs_section, with_sections

_TESTS = (
    "tests/chaos/test_lost_senders.py::test_a_killed_and_a_frozen_sender_cost_no_mail_and_double_none",
    "tests/faults/test_etcd.py::test_three_members_under_load",
    "tests/faults/test_etcd.py::test_a_leader_and_a_sender_lost_at_once_cost_at_most_forty_seconds",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.costs")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.jsonl"
        command = [sys.executable, "-m", "pytest", "--quiet", "-m", "chaos or not chaos", *_TESTS]
        status = subprocess.run(command, env={**os.environ, "TEST_FIGURES": str(figures)}, check=False).returncode
        text = costs_section([json.loads(line) for line in figures.read_text().splitlines()])
    print(text)
    if options.report:
        options.report.write_text(with_sections(options.report.read_text(), {COSTS: text}))
    return status


if __name__ == "__main__":
    sys.exit(main())
