"""What tests measure on their way, for a report: each figure is printed, and kept in the file that TEST_FIGURES names."""

import json
import os
from pathlib import Path


def note(what: str, seconds: float, bound: float) -> None:
    """`seconds` were measured where at most `bound` were promised."""
    print(f"{what}: {seconds:.2f} s (bound {bound:.2f} s)")
    if "TEST_FIGURES" in os.environ:
        with Path(os.environ["TEST_FIGURES"]).open("a") as file:
            file.write(json.dumps({"what": what, "seconds": round(seconds, 2), "bound": round(bound, 2)}) + "\n")
