"""The fault report: what `make chaos` found, as it was written last, under the promise that it is to prove."""

from pathlib import Path
from typing import Final

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from fencepost.logs import get_logger
from frontend import markdown

bp = Blueprint("report", __name__)

log = get_logger(__name__)

PLACE: Final = "fencepost-fault-report"
BESIDE_US: Final = Path(__file__).resolve().parent.parent / "docs" / "fault-report.md"
MAX_CHARACTERS = 1_000_000


@bp.get("/report")
def index() -> ResponseReturnValue:
    """The whole page; where there is no report, how to make one."""
    text = read(current_app.extensions[PLACE])
    return render_template("report/index.html", blocks=None if text is None else without_title(markdown.read(text)))


def without_title(blocks: list[markdown.Block]) -> list[markdown.Block]:
    """All but the title, which the page has already."""
    titled = bool(blocks) and blocks[0].kind == "heading" and blocks[0].level == 1
    return blocks[1:] if titled else blocks


def read(place: Path) -> str | None:
    """The report; None where there is none, or none that can be read."""
    try:
        with place.open(encoding="utf-8") as file:
            return file.read(MAX_CHARACTERS)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        log.warning("The fault report can't be read.", action="frontend.report", path=str(place), detail=str(error))
        return None
