"""Providers by their names, as FENCEPOST_PROVIDERS__ORDER gives them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fencepost.errors import Misconfigured
from fencepost.providers import NAMES, create
from fencepost.settings import Providers, load, masked
from tests.contract.providers.mails import StandingClock

SECRETS = {
    "mailgun": ("api_key",),
    "sendgrid": ("api_key", "activity_api_key"),
    "mailjet": ("api_key", "secret_key"),
    "ses": ("access_key_id", "secret_access_key"),
    "smtp": ("password",),
}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_its_provider(name: str) -> None:
    assert create(name, Providers(), StandingClock()).name == name


def test_an_order_of_nobody_is_refused() -> None:
    with pytest.raises(Misconfigured, match="FENCEPOST_PROVIDERS__ORDER"):
        load({"FENCEPOST_PROVIDERS__ORDER": " "})


@pytest.mark.parametrize("name", ["pigeon", "Mailgun", ""])
def test_a_wrong_name_is_answered_with_those_that_there_are(name: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        create(name, Providers(), StandingClock())
    assert str(refused.value).endswith(f"no provider {name!r}; there are {', '.join(NAMES)}")


@pytest.mark.parametrize("program", ["sender", "registry"])
def test_who_is_given_an_unknown_name_refuses_to_start(program: str) -> None:
    environment = {**os.environ, "FENCEPOST_PROVIDERS__ORDER": "mailgun,pigeon"}
    command = [sys.executable, "-m", program]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "there is no provider 'pigeon'" in ended.stderr


def test_nothing_else_has_a_section() -> None:
    assert set(Providers.model_fields) - {"order"} == set(NAMES) == set(SECRETS)


@pytest.mark.parametrize(("name", "secret"), [(name, secret) for name in NAMES for secret in SECRETS[name]])
def test_secrets_come_from_files_and_are_not_shown(tmp_path: Path, name: str, secret: str) -> None:
    (tmp_path / "secret").write_text("from-a-file\n")
    settings = load({f"FENCEPOST_PROVIDERS__{name.upper()}__{secret.upper()}_FILE": str(tmp_path / "secret")})
    assert getattr(getattr(settings.providers, name), secret).get_secret_value() == "from-a-file"
    assert "from-a-file" not in str(masked(settings))
