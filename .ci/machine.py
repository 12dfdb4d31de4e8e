"""Says in one line how to install what this machine lacks. Runs before there is a virtual environment: standard library only."""

import ctypes
import importlib.util
import shutil
import sys
from collections.abc import Iterator


def lacking() -> Iterator[tuple[str, str]]:
    """What is missing: Debian's package, and what it is needed for."""
    if importlib.util.find_spec("ensurepip") is None:
        yield f"python{sys.version_info.major}.{sys.version_info.minor}-venv", "a virtual environment"
    if sys.platform == "linux" and shutil.which("mongod") is None:
        for library, package in (("libcurl.so.4", "libcurl4"), ("libssl.so.3", "libssl3")):
            try:
                ctypes.CDLL(library)
            except OSError:
                yield package, "the local MongoDB"


def main() -> None:
    if sys.version_info < (3, 11):
        sys.exit(
            f"Fencepost needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make PYTHON=python3.11 run"
        )
    found = list(lacking())
    if found:
        wanted = ", ".join(f"{package} (for {purpose})" for package, purpose in found)
        packages = " ".join(package for package, _ in found)
        sys.exit(f"This machine lacks {wanted}. Install with:\n\n  sudo apt-get install -y {packages}\n")


main()
