"""`python -m sender`: one sender, configured by the environment. SIGTERM and SIGINT drain it.

Exit status: 0 after a drain, 2 if the settings can't be used, 1 if a part of it died.
"""

import sys

from fencepost import logs
from fencepost.errors import Misconfigured
from fencepost.settings import load
from sender.process import SenderProcess


def main() -> int:
    try:
        settings = load()
        logs.configure(settings.logging, process="sender")
        return SenderProcess(settings).run()
    except Misconfigured as error:
        sys.stderr.write(f"sender: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
