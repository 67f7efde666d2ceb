"""The whole service on this machine, on free ports, with the demo data."""

import os
import re
import signal
import subprocess
import time

from processes import Group, run

TOKEN = "demo-token"

# The first time it compiles.
STARTED_WITHIN = 1200
ENDED_WITHIN = 10


class NotStarted(Exception):
    """The service does not answer; its last lines are the message."""


class Service:
    """`make local`, in a `with` statement."""

    def __init__(self, project, directory):
        self.project = project
        self.directory = directory
        self.log = directory / "service.log"

    def __enter__(self):
        command = [*self.command(), "--port", "0", "--db-port", "0"]
        with open(self.log, "w", encoding="utf-8") as log:
            self.group = Group(command, cwd=self.project, stdout=log, stderr=subprocess.STDOUT)
        try:
            self.wait()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def command(self):
        return ["cargo", "run", "--quiet", "--locked", "--example", "local", "--"]

    def wait(self):
        deadline = time.monotonic() + STARTED_WITHIN
        while time.monotonic() < deadline and not self.group.has_ended():
            text = self.log.read_text(encoding="utf-8", errors="replace")
            if "Ctrl-C ends everything." in text:
                self.url = re.search(r"^The function answers at (\S+)$", text, re.MULTILINE)[1]
                self.database_port = re.search(r"--show(?: --db-port (\d+))?$", text, re.MULTILINE)[1] or "8000"
                return
            time.sleep(0.1)
        raise NotStarted(self.log.read_text(encoding="utf-8", errors="replace")[-2000:])

    def end(self):
        """Asks it to end, for what it started has groups of its own, and kills it if it does not."""
        if not self.group.has_ended():
            os.kill(self.group.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + ENDED_WITHIN
        while time.monotonic() < deadline and not self.group.has_ended():
            time.sleep(0.05)
        self.group.end()

    def memberships(self):
        """What was written for the demo tenant, as (customer, group)."""
        log = self.directory / "memberships.log"
        run([*self.command(), "--show", "--db-port", self.database_port], log, cwd=self.project)
        # Columns are 10, 16 and 20 wide, or wider where a value is.
        rows = (line.split() for line in log.read_text(encoding="utf-8").splitlines()[1:])
        return {(row[1], row[2]) for row in rows if len(row) == 5 and row[0] == "demo"}
