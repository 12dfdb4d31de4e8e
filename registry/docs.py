"""/openapi.json, and /docs: the reference for people, which loads nothing from other hosts."""

from importlib.resources import files

from flask import Blueprint, Response, current_app, json, send_file

from registry.access import public

bp = Blueprint("docs", __name__)

SPECIFICATION = "openapi"
_SCRIPT = files("flask_openapi_scalar") / "templates/scalar/js/scalar.standalone.js"
_OPTIONS = {
    "withDefaultFonts": False,
    "telemetry": False,
    "hideClientButton": True,
    "showDeveloperTools": "never",
    "agent": {"disabled": True},
}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # The reference styles itself from its script.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fencepost API</title>
<link rel="icon" href="data:,">
</head>
<body>
<script id="api-reference" data-url="/openapi.json" data-configuration='{options}'></script>
<script src="/docs/reference.js"></script>
</body>
</html>
"""


@bp.get("/openapi.json")
@public("what the API looks like is no secret")
def specification() -> Response:
    """The OpenAPI document."""
    return Response(json.dumps(current_app.extensions[SPECIFICATION]()), mimetype="application/json")


@bp.get("/docs")
@public("the document as a page")
def reference() -> Response:
    """The document as a page."""
    page = Response(_PAGE.format(options=json.dumps(_OPTIONS)), mimetype="text/html")
    page.headers["Content-Security-Policy"] = _POLICY
    return page


@bp.get("/docs/reference.js")
@public("the page's program")
def script() -> Response:
    """The page's program, from the package that brings it."""
    return send_file(str(_SCRIPT), mimetype="text/javascript", max_age=3600)
