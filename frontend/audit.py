"""The audit: whether every occurrence that should exist does, and ended in one way; and what the auditor has found."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from frontend.formatting import parse
from frontend.shapes import Audit, Finding
from frontend.states import FINDINGS, Look, look
from frontend.views import now, registry, render_fragment

bp = Blueprint("audit", __name__, url_prefix="/audit")

STALE_AFTER = timedelta(minutes=5)
"""An auditor that has not ended a round for so long does not run, or does not get through."""
SHOWN_RESOLVED = 50


@bp.get("")
def index() -> ResponseReturnValue:
    """The whole page."""
    return render_template("audit/index.html", **live())


@bp.get("/live")
def show_live() -> ResponseReturnValue:
    """The part that changes: all of it but the head."""
    return render_fragment("audit/_live.html", "Audit", **live())


def live() -> dict[str, Any]:
    audit = registry().audit()
    unresolved = [finding for finding in audit["findings"] if not finding["resolved_at"]]
    resolved = [finding for finding in audit["findings"] if finding["resolved_at"]]
    return {
        "audit": audit,
        "open_by_kind": by_kind(unresolved),
        "resolved": sorted(resolved, key=lambda finding: finding["resolved_at"] or "", reverse=True)[:SHOWN_RESOLVED],
        "stale": is_stale(audit, now()),
    }


def by_kind(findings: Sequence[Finding]) -> list[tuple[Look, list[Finding]]]:
    """What each kind means, and the findings of it; in the order of states.py, unknown kinds last."""
    kinds = dict.fromkeys([*FINDINGS, *(finding["kind"] for finding in findings)])
    groups = [(look(FINDINGS, kind), [each for each in findings if each["kind"] == kind]) for kind in kinds]
    return [(kind, found) for kind, found in groups if found]


def is_stale(audit: Audit, instant: datetime) -> bool:
    """Whether the auditor's last round is too long ago for what it says to hold."""
    last = audit["last_round_at"]
    return bool(last) and instant - parse(last or "") > STALE_AFTER
