"""`python -m auditor`: one auditor, configured by the environment. SIGTERM and SIGINT end it.

Exit status: 0 after a signal, 2 if the settings can't be used.
"""

import sys

from auditor.process import AuditorProcess
from fencepost import logs
from fencepost.errors import Misconfigured
from fencepost.settings import load


def main() -> int:
    try:
        settings = load()
        logs.configure(settings.logging, process="auditor")
        return AuditorProcess(settings).run()
    except Misconfigured as error:
        sys.stderr.write(f"auditor: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
