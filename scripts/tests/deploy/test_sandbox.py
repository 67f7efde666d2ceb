"""`make sandbox`, as an operator uses it who pastes what it prints. The tests build on each other, in this order."""

import os
import re
import signal
import sys

import pytest

from deploy.stack import PROJECT
from processes import Group, below, is_served, paste

COMMAND = [sys.executable, "-B", PROJECT / "scripts" / "sandbox"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PROJECT / "scripts" / "tests")}


class Sandbox(Group):
    def __init__(self, directory):
        self.before = traces()
        super().__init__(COMMAND, directory / "sandbox.log", grace=30, env=ENVIRONMENT, cwd=directory)

    def guide(self):
        self.wait_until(lambda: "Ctrl-C ends everything" in self.output(), 300)
        return self.output()

    def commands(self, title):
        """The printed commands below a title."""
        return re.search(rf"^# {title}.*\n((?:.+\n)+)", self.guide(), re.MULTILINE)[1]

    def paste(self, commands):
        """Pastes commands after the first ones into a new shell; what they print."""
        done = paste(f"{self.commands('Before all others')}\n{commands}")
        print(done.stderr)
        return done.stdout

    def call(self, token="demo-token"):
        """The status of a call, by the printed function."""
        return self.paste(f"call {token}").splitlines()[-1]


def traces():
    """The folders of sandboxes, and what git sees in the checkout, with what it ignores; not what was built."""
    files = paste("git status --porcelain --ignored -- ':!.local' ':!target'").stdout
    return set((PROJECT / ".local").glob("sandbox-*")), files


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


ERASURE = "memberships: 2 {0}\ncustomers: 1 {0}\nidempotency keys: 0 {0}\n"

PRINTED = {
    "A call": r'.*"importSuccessNum":2,.*"importFailNum":1,.*\n200\n',
    "Tokens": r"demo  enabled  .*\nrival  enabled  .*\n(?P<token>\S{43})\n[0-9a-f]{64}  .*\n[0-9a-f]{64}  .*\n",
    "A tenant": r".*\n403\n",
    "Erasing": ERASURE.format("to delete") + ERASURE.format("deleted"),
    "A bulk import": r"3 rows: 2 imported, 1 failed, .*\nThe failed rows and their reasons: .*/rows.failed.csv\n",
    "The emergency stop": r".*\n(429|503)\n",
    "A parameter": r".*\n413\n",
}


@pytest.mark.parametrize("title", PRINTED)
def test_pasted_commands_do_what_their_title_says_and_undo_it(sandbox, title):
    found = re.fullmatch(PRINTED[title], output := sandbox.paste(sandbox.commands(title)))
    assert found, output
    # A function that knows the token of rival would accept it for a minute more.
    token = found.groupdict().get("token", "rival-token" if title == "A tenant" else "demo-token")
    assert sandbox.call(token) == "200"


def test_new_version_is_deployed_and_gone_back_from(sandbox):
    build, deploy = re.findall(r"^(?:.+\\\n)*.+\n", sandbox.commands("A new version"), re.MULTILINE)
    sandbox.paste(build)
    # As if the checkout had changed.
    folder = re.search(r"^Ctrl-C ends everything and deletes (\S+)\.$", sandbox.guide(), re.MULTILINE)[1]
    template = PROJECT / folder / "new" / "template.yaml"
    old, new = "MAX_RECORDS: !Ref MaxRecords\n", 'MAX_RECORDS: "2"\n'
    text = template.read_text(encoding="utf-8")
    assert old in text
    template.write_text(text.replace(old, new), encoding="utf-8")
    sandbox.paste(deploy)
    assert sandbox.call() == "413"
    sandbox.paste(sandbox.commands("Going back"))
    assert sandbox.call() == "200"


def test_ctrl_c_leaves_nothing(sandbox):
    port = int(re.search(r"AWS_ENDPOINT_URL=\S+:(\d+)", sandbox.guide())[1])
    # The emulator and its functions.
    assert len(below(sandbox.process.pid)) > 1
    assert sandbox.end(signal.SIGINT) == (0, set())
    assert traces() == sandbox.before
    assert not is_served(port)


def test_sigterm_while_it_starts_leaves_nothing(tmp_path):
    with Sandbox(tmp_path) as starting:
        starting.wait_until(lambda: "deploying" in starting.output(), 60)
        assert below(starting.process.pid)
        assert starting.end(signal.SIGTERM) == (0, set())
        assert traces() == starting.before
