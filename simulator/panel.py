"""The page of the dials."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from simulator.dials import ACCEPTING, CHOICES, NUMBERS, REFUSING, WHOLE, Dials, WrongDials, parse

MEANINGS = {
    "accept_and_hang": "takes the mail and never answers",
    "accept_and_reset": "takes the mail, then resets the connection",
    "accept_and_500": "takes the mail and answers 500",
    "truncate": "takes the mail and sends half of its answer",
    "drip": "takes the mail and answers byte by byte",
    "refuse_connections": "resets the connection before it reads anything",
    "reset_without_accept": "reads the request, takes nothing, resets",
    "refuse_500": "answers 500 and takes nothing",
    "400": "the mail is wrong",
    "401": "the key is wrong",
    "402": "the account has not paid",
    "403": "the key may not do that",
    "404": "the domain is not known",
    "413": "the mail is too large",
    "429": "too many calls; wait a while",
    "503": "down for maintenance",
}

PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "calm": ("All well", {}),
    "slow": ("Slow", {"latency_ms": 1500, "jitter_ms": 1500}),
    "weather": (
        "Bad weather",
        {
            "jitter_ms": 200,
            "index_lag_ms": 1000,
            "index_jitter_ms": 1000,
            "throttle_seconds": 2,
            "faults": {
                "accept_and_hang": 0.08,
                "accept_and_500": 0.04,
                "refuse_500": 0.04,
                "accept_and_reset": 0.04,
                "reset_without_accept": 0.04,
                "429": 0.06,
            },
        },
    ),
    "readers": (
        "Readers",
        {
            "hard_bounces": 0.02,
            "soft_bounces": 0.02,
            "opens": 0.5,
            "machine_opens": 0.3,
            "clicks": 0.15,
            "complaints": 0.005,
            "unsubscribes": 0.01,
            "reading_ms": 3000,
        },
    ),
    "key": ("Wrong key", {"faults": {"401": 1}}),
    "down": ("Down", {"faults": {"refuse_connections": 1}}),
}
"""Settings by one press: what it is called, and what the dials then say."""


def create(dials: Dials) -> Blueprint:
    """`/dials`."""
    bp = Blueprint("panel", __name__)

    @bp.get("/dials")
    def show() -> Response:
        return page(values_of(dials.setting.as_json()), "", 200)

    @bp.post("/dials")
    def turn() -> AnyResponse:
        form = request.form
        try:
            preset = PRESETS.get(form.get("preset", ""))
            dials.turn(parse(preset[1] if preset else asked_by(form)))
        except WrongDials as wrong:
            return page(form, str(wrong), 422)
        return redirect(url_for("panel.show", turned=1), 303)

    def page(values: Mapping[str, str], wrong: str, status: int) -> Response:
        groups = (("After the mail was accepted", ACCEPTING), ("Instead of accepting it", REFUSING))
        shown = {"values": values, "wrong": wrong, "groups": groups, "meanings": MEANINGS, "presets": PRESETS}
        turned = "turned" in request.args and not wrong
        return make_response(render_template("dials.html", **shown, limits={**NUMBERS, **WHOLE}, turned=turned), status)

    return bp


def values_of(setting: Mapping[str, Any]) -> dict[str, str]:
    """The fields of the form for a setting: shares in per cent."""
    values = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in setting.items()}
    for name in ("throttle_header", "webhook_shuffle"):
        values[name] = "yes" if setting[name] else ""
    for name, fault in setting["faults"].items():
        values[f"{name}.share"] = f"{fault['share'] * 100:g}"
        values[f"{name}.next"] = str(fault["next"])
    return values


def asked_by(form: Mapping[str, str]) -> dict[str, Any]:
    """What the form asks of the dials. Raises WrongDials for what is no number."""
    asked: dict[str, Any] = {name: _number(name, form[name]) for name in (*WHOLE, *NUMBERS) if name in form}
    asked["throttle_format"] = form.get("throttle_format", CHOICES["throttle_format"][0])
    for name in ("throttle_header", "webhook_shuffle"):
        asked[name] = form.get(name) == "yes"
    asked["faults"] = {
        name: {
            "share": _number(name, form.get(f"{name}.share", "0")) / 100,
            "next": _number(name, form.get(f"{name}.next", "0")),
        }
        for name in (*ACCEPTING, *REFUSING)
    }
    return asked


def _number(name: str, text: str) -> float:
    try:
        value = float(text or "0")
    except ValueError:
        raise WrongDials(f"{name}: {text!r} is not a number") from None
    return int(value) if value.is_integer() else value
