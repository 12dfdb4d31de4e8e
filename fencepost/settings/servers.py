"""The servers behind us, and how they are reached."""

from typing import Literal

from pydantic import Field, SecretStr

from fencepost.settings.values import Names, Section


class Logging(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"
    """`auto` writes for people on a terminal and JSON lines elsewhere."""


class MongoDB(Section):
    url: str = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
    database: str = "fencepost"
    timeout_seconds: float = Field(5, gt=0)


class Etcd(Section):
    endpoints: Names = ("http://127.0.0.1:2379",)
    prefix: str = "/fencepost/"
    timeout_seconds: float = Field(2, gt=0)


class Redis(Section):
    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    timeout_seconds: float = Field(1, gt=0)
    record_ttl_seconds: int = Field(7 * 86_400, ge=3600)
    """How long the fence remembers a delivery; the epoch lives half as long unless it is renewed."""
