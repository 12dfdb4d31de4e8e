"""The judge of a run's logs sees what does not belong there."""

import json
from pathlib import Path

import pytest

from tests.chaos.logs import complaints

STARTED = {"at": "2026-03-02T09:00:00Z", "level": "info", "action": "sender.started", "message": "A sender started."}
BROKEN = {
    **STARTED,
    "level": "error",
    "action": "delivery.unsettled",
    "exception": "Traceback (most recent call last):",
}
HELD = {**STARTED, "level": "error", "action": "delivery.held", "message": "Mails wait for a person's decision."}
GUNICORN = {**STARTED, "action": "library.log", "message": "Listening at: http://127.0.0.1:8080"}


def written(folder: Path, *lines: object) -> Path:
    (folder / "sender-1.log").write_text(
        "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    )
    return folder


def test_a_story_has_nothing_to_complain_of_though_its_process_was_killed(tmp_path: Path) -> None:
    assert complaints(written(tmp_path, GUNICORN, STARTED, HELD, '{"at": "2026-03-02T09:0')) == []


@pytest.mark.parametrize("line", [BROKEN, "Traceback (most recent call last):", {**GUNICORN, "level": "warning"}])
def test_what_does_not_belong_into_a_log_is_named(tmp_path: Path, line: object) -> None:
    found = complaints(written(tmp_path, STARTED, line, STARTED))
    assert found
    assert all(problem.startswith("log: sender-1: ") for problem in found)
