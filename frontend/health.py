"""/healthz: the process answers. /readyz: it can do its work, and if not, why."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from frontend import assets
from frontend.views import registry

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Alive: looks at nothing but itself."""
    return jsonify(status="ok")


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """503 where the registry does not answer or the files for the browser were not fetched."""
    alive, said = registry().is_alive()
    absent = assets.missing()
    checks = {
        "registry": {"ok": alive, "detail": said},
        "assets": {"ok": not absent, "detail": "run python -m frontend.assets" if absent else "in place"},
    }
    ready = alive and not absent
    return jsonify(status="ok" if ready else "unready", checks=checks), 200 if ready else 503
