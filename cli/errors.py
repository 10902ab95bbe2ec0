"""What stops a command: one line for the person at the terminal, never a traceback."""

from __future__ import annotations


class CommandError(Exception):
    """The command cannot go on. The message is one line: what is wrong, and the cure. ``exit_code`` as in sysexits."""

    exit_code = 1


class StartError(CommandError):
    """A process cannot start with these settings on this machine."""

    exit_code = 2
