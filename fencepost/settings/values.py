"""What the values of settings have in common: how several are written, and that a name which does not exist is an error."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Several values; in a variable they are separated by commas."""


def _ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(value <= 0 for value in values) or list(values) != sorted(set(values)):
        raise ValueError("write seconds above 0, each more than the one before, separated by commas")
    return values


Seconds = Annotated[tuple[float, ...], BeforeValidator(_split), AfterValidator(_ascending)]
"""Several waits, ascending."""


class Section(BaseModel):
    """A group of settings: frozen, and a name that does not exist is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
