"""`python -m notifier`: one notifier, configured by the environment. SIGTERM and SIGINT end it.

Exit status: 0 after a signal, 2 if the settings can't be used.
"""

import sys

from fencepost import logs
from fencepost.errors import Misconfigured
from fencepost.settings import load
from notifier.process import NotifierProcess


def main() -> int:
    try:
        settings = load()
        logs.configure(settings.logging, process="notifier")
        return NotifierProcess(settings).run()
    except Misconfigured as error:
        sys.stderr.write(f"notifier: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
