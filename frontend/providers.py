"""Providers: how each stands, what it carries, and what became of it."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from flask import Blueprint, abort, render_template
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from fencepost.provider_names import as_written
from frontend.operating import operating
from frontend.operating_shapes import Change, Provider
from frontend.provider_words import next_try, part, since, standing, told, weight_text
from frontend.views import now, render_fragment

bp = Blueprint("providers", __name__, url_prefix="/providers")

SHOWN = 12
"""Changes of all providers on the first page."""


@bp.record_once
def give_words(state: BlueprintSetupState) -> None:
    """What the templates of providers, and those that name one, say it with."""
    state.app.jinja_env.globals.update(
        provider_name=as_written,
        standing=standing,
        since_of=lambda provider: since(provider, now()),
        next_try_of=lambda provider: next_try(provider, now()),
        part_of=part,
        told=told,
        weight_text=weight_text,
    )


@bp.get("")
def index() -> ResponseReturnValue:
    """All of them, in their order."""
    return render_template("providers/index.html", **all_of_them())


@bp.get("/live")
def show_live() -> ResponseReturnValue:
    """The part that changes."""
    return render_fragment("providers/_live.html", "Providers", **all_of_them())


@bp.get("/<provider:name>")
def show(name: str) -> ResponseReturnValue:
    """One, with its history and what can be done."""
    return render_template("providers/show.html", **one(name))


@bp.get("/<provider:name>/live")
def show_one_live(name: str) -> ResponseReturnValue:
    """The part of it that changes."""
    return render_fragment("providers/_one.html", as_written(name), **one(name))


def all_of_them() -> dict[str, Any]:
    providers = operating().providers()
    return {"providers": providers, "history": history(providers)[:SHOWN]}


def one(name: str) -> dict[str, Any]:
    """The provider with all that is on record of it. Aborts with 404 for one that is not set up."""
    providers = operating().providers()
    if name not in {each["name"] for each in providers}:
        abort(404, "No such provider is set up.")
    return {"providers": providers, "provider": operating().provider(name)}


def history(providers: Sequence[Provider]) -> list[tuple[str, Change]]:
    """What became of all of them, each with the name of whose it is, the newest first."""
    found = [(each["name"], change) for each in providers for change in each["changes"]]
    return sorted(found, key=lambda pair: itemgetter("at", "id")(pair[1]), reverse=True)
