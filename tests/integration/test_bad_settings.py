"""Whatever is started with settings that can't be used says which, in a sentence, and ends with status 2."""

import os
import subprocess
import sys

import pytest

PROGRAMS = ("registry", "sender", "auditor", "notifier", "frontend", "simulator")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_with_bad_settings_names_them_and_ends(program: str) -> None:
    environment = {**os.environ, "FENCEPOST_PROVIDERS__ORDER": "mailgun,pigeon", "FENCEPOST_REDIS__URL_": "x"}
    ran = subprocess.run(
        [sys.executable, "-m", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.startswith(f"{program}: the settings can't be used")
    assert "FENCEPOST_PROVIDERS__ORDER" in ran.stderr or "pigeon" in ran.stderr
    assert "FENCEPOST_REDIS__URL_" in ran.stderr
    assert "Traceback" not in ran.stderr
