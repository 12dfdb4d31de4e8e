"""Where settings come from: files and variables, read and laid over one another. What they say is judged elsewhere."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
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
            except UnicodeDecodeError:
                problems.append(f"{name}: {value} holds bytes that are no text in UTF-8; write base64 or hexadecimal")
                continue
        if not _put(values, path, value):
            problems.append(f"{name}: a variable with a shorter name gives its section a value; one of them has to go")
    return values


def _put(values: dict[str, Any], path: Sequence[str], value: str) -> bool:
    """Write the value where the path leads; False if there is a value in its way."""
    for part in path[:-1]:
        found = values.setdefault(part, {})
        if not isinstance(found, dict):
            return False
        values = found
    values[path[-1]] = value
    return True


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Both, section by section; where they differ, `over` wins."""
    nested = {
        key: merge(base[key], value)
        for key, value in over.items()
        if isinstance(value, dict) and isinstance(base.get(key), dict)
    }
    return {**base, **over, **nested}
