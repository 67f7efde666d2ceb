"""Child processes that do not outlive this one."""

import contextlib
import os
import signal
import subprocess
import sys


class Group:
    """A process and all that it starts, in a session of their own; the terminal's Ctrl-C does not reach them.

    `end` kills: whatever runs here keeps nothing that could be lost.
    """

    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)

    def has_ended(self, wait=False):
        """Looks without taking note: as long as nobody has, the process's number belongs to no other."""
        options = os.WEXITED | os.WNOWAIT | (0 if wait else os.WNOHANG)
        return os.waitid(os.P_PID, self.process.pid, options) is not None

    def end(self):
        """Kills what is left of the group and returns the exit code of its first process."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()


class CommandFailed(Exception):
    """A command that ended with an error; its last lines are the message."""


def run(command, log, **options):
    """Runs a command to its end, its output in the file `log`, and leaves nothing of it behind."""
    with open(log, "w+", encoding="utf-8") as output:
        group = Group(command, stdout=output, stderr=subprocess.STDOUT, **options)
        try:
            group.has_ended(wait=True)
        finally:
            code = group.end()
        if code != 0:
            output.seek(0)
            lines = "".join(output.readlines()[-40:])
            raise CommandFailed(f"{' '.join(map(str, command))} ended with {code}:\n{lines}")


def end_on_signals():
    """Makes Ctrl-C, `kill` and a closed terminal end this process by way of every `finally`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: sys.exit(128 + received))
