"""Child processes that do not outlive the tests."""

import contextlib
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]


class Group:
    """A process and all that it starts, in a session of their own; the terminal's Ctrl-C does not reach them.

    The end of the `with` statement kills: whatever runs here keeps nothing that could be lost. With some seconds of
    `grace`, the process may end before what it started in other groups.
    """

    def __init__(self, command, log, grace=0, **options):
        self.command = [str(part) for part in command]
        self.log, self.grace = log, grace
        with log.open("w") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.grace and not self.has_ended():
            os.kill(self.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + self.grace
        while time.monotonic() < deadline and not self.has_ended():
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def has_ended(self, wait=False):
        """Leaves the process unreaped: until the group is killed, its number belongs to no other."""
        options = os.WEXITED | os.WNOWAIT | (0 if wait else os.WNOHANG)
        return os.waitid(os.P_PID, self.process.pid, options) is not None

    def wait_until(self, ready, seconds):
        """Polls `ready` until it returns something, and returns that."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.has_ended():
            if found := ready():
                return found
            time.sleep(0.05)
        raise RuntimeError(f"{self} did not start")

    def end(self, number):
        """Sends it a signal; its exit status, and what is left of all that it had started."""
        started = below(self.process.pid)
        os.kill(self.process.pid, number)
        status = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT).si_status
        deadline = time.monotonic() + self.grace
        while (left := started & {(pid, command) for pid, _, command in running()}) and time.monotonic() < deadline:
            time.sleep(0.05)
        return status, left

    def output(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def __str__(self):
        return f"{self.output()[-4000:]}\n{' '.join(self.command)} ({self.log})"


def run(command, log, **options):
    """Runs a command to its end, its output in the file `log`, and leaves no process of it behind."""
    with Group(command, log, **options) as group:
        group.has_ended(wait=True)
    if group.process.returncode != 0:
        raise RuntimeError(f"{group} ended with {group.process.returncode}")


def run_script(name, *arguments, stdin="", **options):
    """Runs a program of scripts/ as a user would; the result has what it printed."""
    command = [sys.executable, SCRIPTS / name, *map(str, arguments)]
    content = stdin if isinstance(stdin, bytes) else stdin.encode()
    done = subprocess.run(command, input=content, capture_output=True, timeout=600, check=False, **options)
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    return done


def paste(commands, **variables):
    """Runs commands as somebody who pastes them into a new shell, in the checkout; the result has what they printed."""
    # As if nobody's make ran the tests: a nested one prints the directory, too.
    inherited = {name: text for name, text in os.environ.items() if name not in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")}
    options = {"cwd": SCRIPTS.parent, "env": inherited | variables, "capture_output": True, "text": True}
    return subprocess.run(["bash", "-c", commands], check=False, **options)


def running():
    """The ID, the parent's ID and the command of each process."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    return [line.split(maxsplit=2) for line in listed.splitlines()]


def below(parent):
    """The IDs and commands of all that a process has started."""
    children = {(pid, command) for pid, above, command in running() if above == str(parent)}
    return children.union(*(below(pid) for pid, _ in children))


def end_as_by_ctrl_c():
    """`kill` and a closed terminal end this process through every `with` statement, as Ctrl-C does.

    So does Ctrl-C itself where a shell runs this in the background: there it, and all that is started, would ignore it.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def free_port():
    """A port outside the range from which connections get theirs, so that none takes it before its server does."""
    while True:
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", random.randrange(10_000, 32_768)))
            return listener.getsockname()[1]


def is_served(port):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
