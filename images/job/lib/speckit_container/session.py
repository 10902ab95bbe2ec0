"""``speckit-session git`` and ``speckit-session job INTEGRATION``: serve one container until the worker hangs up."""

from __future__ import annotations

import subprocess
import sys
import traceback

from speckit_container import syscall_filter
from speckit_container.frames import Channel, Refused
from speckit_container.git_role import GitRole
from speckit_container.job_role import JobRole


def main() -> None:
    """Answer requests one after the other. What went wrong is an answer too: only a broken pipe ends the session."""
    try:
        syscall_filter.install()
    except OSError:
        # The self-test finds out, and it is for the worker to say what that means.
        traceback.print_exc()
    channel = Channel()
    role: GitRole | JobRole = GitRole(channel) if sys.argv[1] == "git" else JobRole(channel, sys.argv[2])
    for request in channel.requests():
        try:
            channel.result(**role.answer(request))
        except Refused as refused:
            channel.result(**refused.facts)
        except subprocess.TimeoutExpired as expired:
            channel.result(refused="slow", seconds=expired.timeout)
        except BrokenPipeError:
            raise
        except OSError as error:
            traceback.print_exc()
            channel.result(refused="system", said=str(error), errno=error.errno)


if __name__ == "__main__":
    main()
