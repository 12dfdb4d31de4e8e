"""From the simulator to real Mailgun by config/secrets.env.template, against a stand-in that checks the key."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import requests

from cli.environment import read_env_file
from devstack.probes import http_is_ready
from devstack.processes import Process, free_port
from devstack.stack import ROOT
from fencepost.settings import CONFIG_DIR
from tests.conftest import StartsDev
from tests.support.dev import Run, ledger
from tests.support.eventually import eventually

DOMAIN, SENDING_KEY, ACCOUNT_KEY = "mail.example.org", "key-that-a-person-got", "key-of-the-account"


@pytest.fixture
def mailgun(tmp_path: Path) -> Iterator[Process]:
    """Knows one domain and its two keys."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"PORT": str(port), "DOMAINS": DOMAIN, "API_KEY": SENDING_KEY, "EVENTS_API_KEY": ACCOUNT_KEY}
    process = Process(
        "mailgun",
        [sys.executable, "-m", "simulator"],
        url=url,
        log=tmp_path / "mailgun.log",
        ready=partial(http_is_ready, f"{url}/healthz"),
        environment={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(tmp_path),
            **{f"FENCEPOST_SIMULATOR__{name}": value for name, value in settings.items()},
        },
    )
    yield process.start().wait_ready()
    process.kill()


def fill_in(path: Path, mailgun_url: str, sending_key: str) -> Path:
    """As a person does it: the values behind the names, and for this test the address."""
    values = {"BASE_URL": mailgun_url, "DOMAIN": DOMAIN, "API_KEY": sending_key, "EVENTS_API_KEY": ACCOUNT_KEY}
    template = (CONFIG_DIR / "secrets.env.template").read_text()
    for name, value in values.items():
        variable = f"FENCEPOST_PROVIDERS__MAILGUN__{name}="
        (line,) = (line for line in template.splitlines() if line.startswith(variable))
        template = template.replace(f"{line}\n", f"{variable}{value}\n")
    path.write_text(template)
    return path


def schedule_soon(run: Run) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    schedule = {
        "name": "To the real one",
        "recurrence": {"type": "once", "at": at.isoformat().replace("+00:00", "Z"), "timezone": "UTC"},
        "message": {"from": f"me@{DOMAIN}", "to": ["ada@example.com"], "subject": "To the real one", "text": "Hello."},
    }
    requests.post(run.address("API"), json=schedule, timeout=10).raise_for_status()


@pytest.mark.timeout(300)
def test_a_wrong_key_burns_no_mail_and_the_right_one_sends_it_once(
    mailgun: Process, dev: StartsDev, tmp_path: Path
) -> None:
    secrets = fill_in(tmp_path / "secrets.env", mailgun.url, "key-with-a-slip")
    wrong = dev("--keep", "--senders", "1", "--env-file", str(secrets)).ready()
    schedule_soon(wrong)
    eventually(lambda: wrong.get("/cluster")["alarms"], seconds=30)
    assert [email["state"] for email in wrong.get("/emails")["data"]] == ["pending"]
    assert ledger(mailgun.url) == []
    assert wrong.address("Provider") == mailgun.url
    assert wrong.end() == 0

    fill_in(secrets, mailgun.url, SENDING_KEY)
    right = dev("--keep", "--senders", "1", "--env-file", str(secrets)).ready()
    eventually(lambda: ledger(mailgun.url), seconds=60)
    eventually(lambda: right.get("/cluster")["alarms"] == [], seconds=30)
    assert "simulator" not in requests.get(right.address("Pages"), timeout=10).text.lower()
    assert right.end() == 0
    assert [mail["subject"] for mail in ledger(mailgun.url)] == ["To the real one"]
    for run in (wrong, right):
        assert "key-" not in run.screen


def test_the_template_asks_for_the_keys_and_the_region() -> None:
    template = read_env_file(CONFIG_DIR / "secrets.env.template")
    prefix = "FENCEPOST_PROVIDERS__MAILGUN__"
    assert {name for name in template if name.startswith(prefix)} == {
        f"{prefix}{name}" for name in ("BASE_URL", "DOMAIN", "API_KEY", "EVENTS_API_KEY", "WEBHOOK_SIGNING_KEY")
    }
    assert "api.eu.mailgun.net" in (CONFIG_DIR / "secrets.env.template").read_text()
