"""A script, `leash.py PARENT_PID PROGRAM ARGUMENT...`: becomes that program, which Linux will end when its parent dies.

Only the child itself can ask for this, and Python code between fork and exec is unsafe when the supervisor has threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main() -> None:
    """Tie this process to its parent, then replace it by the program; the process id stays the same."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"leash: prctl refused: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("leash: the process that started this one is gone")
    for changed in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, and an ignored signal outlives exec
        signal.signal(changed, signal.SIG_DFL)
    os.execvp(program[0], program)


if __name__ == "__main__":
    main()
