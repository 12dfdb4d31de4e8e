"""What the parts may depend on: pinned, installed together, free to use, and enough for what each part imports."""

import re
import sys
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOYED = ("registry", "sender", "auditor", "notifier", "frontend", "simulator", "cli")
COPYLEFT = re.compile(r"\b(A?GPL|GNU (Affero )?General Public|SSPL|Commons Clause|BUSL)", re.IGNORECASE)


def pinned(part: str) -> dict[str, str]:
    """The packages of requirements/<part>.txt that this machine needs, with their versions."""
    lines = (ROOT / "requirements" / f"{part}.txt").read_text().splitlines()
    requirements = [Requirement(line.removesuffix("\\").strip()) for line in lines if re.match(r"[a-z0-9]", line)]
    return {
        normal(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate()
    }


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(package: Distribution) -> str:
    """All that the package says about its licence in its metadata."""
    data = package.metadata
    classifiers = [value for value in data.get_all("Classifier") or [] if value.startswith("License ::")]
    return "; ".join(
        [(data.get_all("License-Expression") or data.get_all("License") or [""])[0].split("\n")[0], *classifiers]
    )


def is_copyleft(text: str) -> bool:
    return bool(COPYLEFT.search(text)) and "LGPL" not in text.upper()


@pytest.mark.parametrize("part", DEPLOYED)
def test_no_deployed_package_is_under_a_strong_copyleft(part: str) -> None:
    found = {name: licence(distribution(name)) for name in pinned(part)}
    assert {name: text for name, text in found.items() if is_copyleft(text)} == {}
    assert {name for name, text in found.items() if not text} == set(), "these say nothing about their licence"


@pytest.mark.parametrize(
    "text", ["GPL-3.0-or-later", "License :: OSI Approved :: GNU Affero General Public License v3", "SSPL-1.0"]
)
def test_a_strong_copyleft_would_be_found(text: str) -> None:
    assert is_copyleft(text)


@pytest.mark.parametrize("part", [*DEPLOYED, "run", "dev"])
def test_every_package_is_pinned_with_hashes_and_no_index_is_named(part: str) -> None:
    text = (ROOT / "requirements" / f"{part}.txt").read_text()
    for block in re.split(r"\n(?=[a-z0-9])", text):
        assert "==" in block
        assert "--hash=sha256:" in block
    assert "://" not in text
    assert "-index" not in text


def test_all_parts_agree_on_versions() -> None:
    together = pinned("dev")
    for part in (*DEPLOYED, "run"):
        assert pinned(part).items() <= together.items(), part


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("fencepost", *DEPLOYED, "devstack", include_external_packages=True)


def imported_packages(graph: grimp.ImportGraph, part: str) -> set[str]:
    """The packages that a part imports, itself or by way of other modules of ours."""
    own = graph.find_descendants(part) | {part}
    reached = {module for start in own for module in graph.find_upstream_modules(start)}
    providers = packages_distributions()
    external = {module for module in reached if graph.is_module_squashed(module)} - set(sys.stdlib_module_names)
    return {normal(providers[module][0]) for module in external if module in providers}


@pytest.mark.parametrize("part", DEPLOYED)
def test_each_part_pins_all_that_it_imports(graph: grimp.ImportGraph, part: str) -> None:
    """Its image installs that list and nothing else."""
    assert imported_packages(graph, part) - set(pinned(part)) == set()


def test_the_walk_over_imports_sees_what_is_imported_by_way_of_others(graph: grimp.ImportGraph) -> None:
    assert {"pydantic", "pymongo", "redis", "pycurl", "cronsim"} <= imported_packages(graph, "sender")
    assert "pymongo" not in imported_packages(graph, "frontend")
