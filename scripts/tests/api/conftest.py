"""The documents for callers, and the whole service on free ports of this machine with the demo data."""

import pathlib
import re

import pytest
import requests
import yaml

from processes import Group, run

PROJECT = pathlib.Path(__file__).resolve().parents[3]

# `make local`, without what make prints.
LOCAL = ["cargo", "run", "--quiet", "--locked", "--package", "local", "--"]

TOKEN = "demo-token"

# The first time it compiles.
STARTED_WITHIN = 1200
ENDED_WITHIN = 10


@pytest.fixture(scope="session")
def document():
    """docs/openapi.yaml"""
    return yaml.safe_load((PROJECT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    with Service(tmp_path_factory.mktemp("service")) as running:
        guide = running.wait_until(running.guide, STARTED_WITHIN)
        running.url = re.search(r"^The function .* at (\S+)$", guide, re.MULTILINE)[1]
        running.database_port = re.search(r"--show(?: --db-port (\d+))?$", guide, re.MULTILINE)[1] or "8000"
        yield running


class Service(Group):
    """The process of the whole service."""

    token = TOKEN

    def __init__(self, directory):
        self.directory = directory
        super().__init__([*LOCAL, "--port", "0", "--db-port", "0"], directory / "service.log", cwd=PROJECT)

    def __exit__(self, *_):
        self.stop(ENDED_WITHIN)
        super().__exit__()

    def guide(self):
        """What it prints once everything runs."""
        text = self.output()
        return text if "Ctrl-C" in text else None

    def request(self, method, url, body, **headers):
        """Sends bytes, or anything else as JSON."""
        headers = {"X-Token": TOKEN, "Content-Type": "application/json", **headers}
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        return requests.request(method, url, headers=headers, timeout=60, **content)

    def memberships(self):
        """The memberships of the demo tenant, as (customer, group)."""
        log = self.directory / "memberships.log"
        run([*LOCAL, "--show", "--db-port", self.database_port], log, cwd=PROJECT)
        # Columns are 10, 16 and 20 wide, or wider where a value is.
        rows = (line.split() for line in log.read_text(encoding="utf-8").splitlines()[1:])
        return {(row[1], row[2]) for row in rows if len(row) == 5 and row[0] == "demo"}
