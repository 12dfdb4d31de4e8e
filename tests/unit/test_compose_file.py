"""What can be seen of docker-compose.yml without an engine; tests/compose runs it on one."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fencepost.settings import load

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
REPLICAS = ROOT / "docker-compose.replicas.yml"
OURS = {"set_up", "registry", "hooks", "sender", "auditor", "notifier", "frontend", "simulator"}
SCALED = {"registry", "hooks", "sender", "notifier", "frontend"}
# What the public images have: no curl anywhere, often no shell.
PROGRAMS = {"python", "etcdctl", "redis-cli"}

FILE: dict[str, Any] = YAML(typ="safe").load(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]


def test_it_follows_the_schema() -> None:
    files = [COMPOSE, REPLICAS, *(ROOT / "tests").glob("**/compose*.yml"), *(ROOT / "tests" / "compose").glob("*.yml")]
    assert "ok" in checked(*files).stdout


def test_the_schema_refuses_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text("services: {registry: {healthcheck: {tests: []}}}\n")
    assert checked(wrong).returncode != 0


def test_nothing_in_it_is_unknown_to_one_of_the_two_versions() -> None:
    """docker-compose 1.29 knows no top-level `name` and no absent `env_file`; names of containers forbid scaling."""
    assert "name" not in FILE
    for service in SERVICES.values():
        assert not {"container_name", "env_file", "version"} & service.keys()


def test_only_what_is_not_scaled_has_ports_and_these_are_on_loopback() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert not [name for name in SCALED if "ports" in SERVICES[name]]
    assert {"${REGISTRY_PORT:-5000}:5000", "${FRONTEND_PORT:-3000}:3000"} < {
        port[len("127.0.0.1:") :] for port in published
    }


def test_health_checks_need_nothing_but_the_images_own_program() -> None:
    checks = {name: service["healthcheck"]["test"] for name, service in SERVICES.items() if "healthcheck" in service}
    assert set(checks) == {
        "registry",
        "hooks",
        "sender",
        "auditor",
        "notifier",
        "frontend",
        "simulator",
        "etcd1",
        "etcd2",
        "etcd3",
        "redis",
    }
    for test in checks.values():
        assert (test[0], test[1] in PROGRAMS) == ("CMD", True)


def test_our_processes_have_no_privileges_and_time_to_end_their_calls() -> None:
    drain = load({}).sender.drain_seconds
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert float(service["stop_grace_period"].removesuffix("s")) > drain
    assert "\nUSER 10001:10001\n" in (ROOT / "Dockerfile").read_text()


def test_logs_are_rotated() -> None:
    for service in SERVICES.values():
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys()


def test_settings_are_known_and_no_secret_stands_in_the_file_or_on_a_command_line() -> None:
    for name in OURS:
        variables = {key: value for key, value in SERVICES[name]["environment"].items() if "${" not in value}
        files = {key.removesuffix("_FILE"): path for key, path in variables.items() if key.endswith("_FILE")}
        plain = {key: value for key, value in variables.items() if key.removesuffix("_FILE") not in files}
        load({**plain, **dict.fromkeys(files, "what is in the file")})
        assert not [key for key in plain if re.search("KEY(?!_HINT)|PASSWORD|SECRET", key)]
        assert all(path.startswith("/var/lib/fencepost-keys/") for path in files.values())
    for words in commands():
        assert not [word for word in words if "key" in word.lower() or "password" in word.lower()]


def test_nobody_is_trusted_without_a_key_and_only_those_who_need_the_keys_see_them() -> None:
    assert SERVICES["registry"]["environment"]["FENCEPOST_REGISTRY__TRUST_LOOPBACK"] == "false"
    assert SERVICES["frontend"]["environment"]["FENCEPOST_FRONTEND__TRUST_LOOPBACK"] == "false"
    production = load({"FENCEPOST_ENVIRONMENT": "production"})
    assert not production.registry.trust_loopback
    assert not production.frontend.trust_loopback
    mounted = {
        name: [path for path in SERVICES[name].get("volumes", ()) if path.startswith("keys:")] for name in SERVICES
    }
    assert {name: paths for name, paths in mounted.items() if paths} == {
        "set_up": ["keys:/var/lib/fencepost-keys"],
        "registry": ["keys:/var/lib/fencepost-keys:ro"],
        "frontend": ["keys:/var/lib/fencepost-keys:ro"],
    }
    assert "keys" in FILE["volumes"]


def test_what_providers_call_is_served_by_processes_of_their_own() -> None:
    serves = {name: SERVICES[name]["environment"]["FENCEPOST_REGISTRY__SERVES"] for name in ("registry", "hooks")}
    assert serves == {"registry": "api", "hooks": "hooks"}
    assert SERVICES["hooks"]["command"] == SERVICES["registry"]["command"]


def test_the_balancer_leads_each_address_to_its_own() -> None:
    text = (ROOT / "docker" / "haproxy.cfg").read_text()
    sections = [section.splitlines() for section in re.split(r"\n\n(?=\w)", text)]
    lines = {head: [line.strip() for line in rest if "#" not in line] for head, *rest in sections}
    assert len(lines) == len(sections), "no section comes twice"
    assert lines["frontend api"] == [
        "bind :5000",
        "use_backend hooks if { path_beg /hooks/ }",
        "default_backend registries",
    ]
    assert lines["frontend pages"] == ["bind :3000", "default_backend frontends"]
    backends = {"registries": "registry- 16 registry:5000", "hooks": "hooks- 16 hooks:5000"}
    backends["frontends"] = "frontend- 16 frontend:3000"
    assert {name: lines[f"backend {name}"] for name in backends} == {
        name: [f"server-template {servers}"] for name, servers in backends.items()
    }


def test_what_holds_data_holds_it_in_a_named_volume() -> None:
    for name in ("mongo", "etcd1", "etcd2", "etcd3", "redis", "simulator"):
        assert SERVICES[name]["volumes"][0].split(":")[0] == name
        assert name in FILE["volumes"]


def test_the_replicas_are_set_up_as_the_one_that_is_there_already() -> None:
    replicas = YAML(typ="safe").load(REPLICAS)
    address = SERVICES["sender"]["environment"]["FENCEPOST_MONGODB__URL"].replace("mongo:27017", "{}")
    all_three = address.format("mongo:27017,mongo2:27017,mongo3:27017")
    for name in ("set_up", "registry", "hooks", "sender"):
        assert replicas["services"][name]["environment"] == {"FENCEPOST_MONGODB__URL": all_three}
    for name in ("mongo2", "mongo3"):
        own = {"volumes": [f"{name}:/data/db"]}
        assert replicas["services"][name] == {**SERVICES["mongo"], **own}
        assert name in replicas["volumes"]


def test_the_servers_are_out_of_reach_of_the_pages_and_of_the_world() -> None:
    assert FILE["networks"]["servers"] == {"internal": True}
    for name in ("mongo", "etcd1", "etcd2", "etcd3", "redis"):
        assert SERVICES[name]["networks"] == ["servers"]
        assert "ports" not in SERVICES[name]
    for name in ("frontend", "simulator", "balancer"):
        assert "networks" not in SERVICES[name]


def test_secrets_and_local_files_never_reach_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in ignored if not line.startswith("#")) == "*"
    for path in ("config/secrets.env", "frontend/node_modules", "frontend/static/vendor"):
        assert path in ignored
    assert not any(line.startswith("!") for line in ignored[ignored.index("config/secrets.env") :])


def test_all_that_the_image_copies_reaches_the_builder() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    lines = [line.split()[1:-1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    copied = {path for paths in lines if not paths[0].startswith("--") for path in paths}
    assert {"fencepost", "auditor", "docs"} <= copied
    for path in copied:
        assert (ROOT / path).exists(), path
        # Itself, the folder that it is in, or something in it.
        assert any(path == let or path.startswith(f"{let}/") or let.startswith(f"{path}/") for let in let_through), path


@pytest.mark.parametrize("requirement", ["requirements/local.txt", "requirements/run.txt", "requirements/dev.txt"])
def test_the_image_gets_no_servers_and_no_tools(requirement: str) -> None:
    assert requirement not in (ROOT / "Dockerfile").read_text()


def commands() -> Iterator[list[str]]:
    for service in SERVICES.values():
        command = service.get("command", [])
        assert isinstance(command, list)
        yield command


def checked(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True)
