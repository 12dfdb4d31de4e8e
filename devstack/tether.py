"""Becomes another program that dies with its parent: `python tether.py PARENT_PID PROGRAM ARGUMENT…`.

Linux sends the signal asked for by PR_SET_PDEATHSIG when the parent ends, however it ends. Asking in a program of its
own, and not in a `preexec_fn`, keeps Python code out of the moment between fork and exec, which is not safe with threads.
Elsewhere there is no such signal and the parent's own cleaning up has to do.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we asked
            sys.exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
