"""Where settings come from: files and variables, read and laid over one another. What they say is judged elsewhere."""

import tomllib
from collections.abc import Collection, Mapping
from functools import reduce
from pathlib import Path
from typing import Any


def from_file(path: Path, problems: list[str]) -> dict[str, Any]:
    """The values of a TOML file, none if it is not there; one that can't be read is among the `problems`."""
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        problems.append(f"{path}: {error}")
        return {}


def from_variables(
    prefix: str, environment: Mapping[str, str], passed_over: Collection[str], problems: list[str]
) -> dict[str, Any]:
    """The values of the variables with this prefix, two underscores between the levels of their names; `NAME_FILE` names a
    file that holds the value of NAME."""
    values: dict[str, Any] = {}
    # A file wins over the plain variable: sorted, NAME comes before NAME_FILE.
    for name in sorted(environment):
        if not name.startswith(prefix) or name in passed_over:
            continue
        path, value = name.removeprefix(prefix).lower().split("__"), environment[name]
        if path[-1].endswith("_file"):
            path[-1] = path[-1].removesuffix("_file")
            try:
                value = Path(value).read_text().strip()
            except OSError as error:
                problems.append(f"{name}: {error.strerror}: {value}")
                continue
        section = reduce(lambda found, part: found.setdefault(part, {}), path[:-1], values)
        section[path[-1]] = value
    return values


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Both, section by section; where they differ, `over` wins."""
    nested = {
        key: merge(base[key], value)
        for key, value in over.items()
        if isinstance(value, dict) and isinstance(base.get(key), dict)
    }
    return {**base, **over, **nested}
