"""Settings: their sources and order, their problems, and the files that document them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.configuration import lines
from cli.environment import read_env_file
from fencepost.errors import Misconfigured
from fencepost.settings import CONFIG_DIR, Section, Settings, load, masked


def config_dir(tmp_path: Path, **files: str) -> dict[str, str]:
    for name, text in files.items():
        (tmp_path / f"{name}.toml").write_text(text)
    return {"FENCEPOST_CONFIG_DIR": str(tmp_path)}


def test_later_sources_win_and_leave_the_rest_alone(tmp_path: Path) -> None:
    variables = config_dir(
        tmp_path,
        default="[sender]\nseats = 1\nshards = 2\ndeliveries_per_claim = 3\n",
        development="[sender]\nseats = 10\nshards = 20\n",
    )
    sender = load({**variables, "FENCEPOST_SENDER__SEATS": "100"}).sender
    assert (sender.seats, sender.shards, sender.deliveries_per_claim) == (100, 20, 3)
    assert sender.schedules_per_claim == Settings().sender.schedules_per_claim


def test_a_secret_comes_from_a_file_that_a_variable_names(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("key-from-file\n")
    settings = load(
        {
            "FENCEPOST_PROVIDERS__MAILGUN__API_KEY": "key-from-variable",
            "FENCEPOST_PROVIDERS__MAILGUN__API_KEY_FILE": str(secret),
        }
    )
    assert settings.providers.mailgun.api_key.get_secret_value() == "key-from-file"


def test_all_problems_are_told_at_once_each_with_the_name_to_set(tmp_path: Path) -> None:
    variables = {
        **config_dir(tmp_path, default="[sender\n"),
        "FENCEPOST_SENDER__SEATS": "many",
        "FENCEPOST_SENDER__SAETS": "5",
        "FENCEPOST_REDIS__URL_FILE": str(tmp_path / "nowhere"),
    }
    with pytest.raises(Misconfigured) as problem:
        load(variables)
    text = str(problem.value)
    for name in ("default.toml", "FENCEPOST_SENDER__SEATS", "FENCEPOST_SENDER__SAETS", "FENCEPOST_REDIS__URL_FILE"):
        assert name in text


def test_what_can_not_be_laid_out_is_a_problem_like_others(tmp_path: Path) -> None:
    pepper = tmp_path / "pepper"
    pepper.write_bytes(b"\xff\xfe secret")
    with pytest.raises(Misconfigured) as refused:
        load(
            {
                "FENCEPOST_MONGODB": "mongodb://127.0.0.1",
                "FENCEPOST_MONGODB__TIMEOUT_SECONDS": "1",
                "FENCEPOST_REGISTRY__KEY_PEPPER_FILE": str(pepper),
            }
        )
    assert "FENCEPOST_MONGODB__TIMEOUT_SECONDS: a variable with a shorter name" in str(refused.value)
    assert f"FENCEPOST_REGISTRY__KEY_PEPPER_FILE: {pepper} holds bytes" in str(refused.value)
    assert "secret" not in str(refused.value).replace(str(pepper), "")


def test_masked_settings_hold_no_secret() -> None:
    settings = load(
        {
            "FENCEPOST_PROVIDERS__MAILGUN__API_KEY": "key-secret1",
            "FENCEPOST_PROVIDERS__MAILGUN__EVENTS_API_KEY": "key-secret2",
            "FENCEPOST_REDIS__URL": "redis://:secret3@redis.internal:6379/0",
            "FENCEPOST_MONGODB__URL": "mongodb://fencepost:secret4@one.internal,two.internal/?replicaSet=rs0",
        }
    )
    text = json.dumps(masked(settings))
    assert not re.search(r"secret[-0-9]", text)
    assert "one.internal,two.internal" in text


def test_printed_settings_are_read_back_as_the_same() -> None:
    settings = Settings.model_validate({"sender": {"seats": 7}, "etcd": {"endpoints": ["http://a:1", "http://b:2"]}})
    printed = dict(
        line.split("=", 1) for line in lines(masked(settings)) if "*****" not in line and not line.endswith("=")
    )
    assert load(printed) == settings


def test_the_example_names_every_setting_with_its_default() -> None:
    example = re.findall(r"^#(FENCEPOST_\w+=.*)$", (CONFIG_DIR / "env.example").read_text(), re.MULTILINE)
    assert sorted(example) == sorted(f"{name}={value}" for name, value in _defaults(Settings()))


def test_the_secrets_template_names_settings_that_exist_and_leaves_secrets_empty() -> None:
    template = read_env_file(CONFIG_DIR / "secrets.env.template")
    filled = {name: value or "filled-in" for name, value in template.items()}
    mailgun = load(filled).providers.mailgun
    assert mailgun.api_key.get_secret_value() == "filled-in"
    assert mailgun.events_api_key is not None
    assert mailgun.base_url == "https://api.mailgun.net"
    assert [name for name, value in template.items() if value and "KEY" in name] == []


@pytest.mark.parametrize("environment", [path.stem for path in CONFIG_DIR.glob("*.toml")])
def test_every_environment_can_be_loaded(environment: str) -> None:
    assert load({"FENCEPOST_ENVIRONMENT": environment}).environment == environment


def _defaults(section: Section, prefix: str = "FENCEPOST_") -> Iterator[tuple[str, str]]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _defaults(value, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}", _text(value)


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return "" if value is None else str(value)
