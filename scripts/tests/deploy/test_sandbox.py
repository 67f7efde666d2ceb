"""`make sandbox`, as an operator uses it who pastes what it prints. The tests build on each other, in this order."""

import contextlib
import csv
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import boto3
import pytest

from deploy.stack import PROJECT
from emulator import CREDENTIALS, REGION
from processes import Group

COMMAND = [sys.executable, "-B", PROJECT / "scripts" / "sandbox"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PROJECT / "scripts" / "tests")}


class Sandbox(Group):
    def __init__(self, directory):
        self.folders_before = folders()
        super().__init__(COMMAND, directory / "sandbox.log", env=ENVIRONMENT, cwd=directory)

    def __exit__(self, *exception):
        # What it started is in groups of their own.
        self.stop(30)
        super().__exit__(*exception)

    def guide(self):
        self.wait_until(lambda: "Ctrl-C ends everything" in self.output(), 300)
        return self.output()

    def folder(self):
        (folder,) = folders() - self.folders_before
        return folder

    def blocks(self):
        """The printed commands by their titles."""
        return dict(re.findall(r"^# (.*)\n((?:.+\n)+)", self.guide(), re.MULTILINE))

    def commands(self, title):
        (commands,) = [commands for name, commands in self.blocks().items() if name.startswith(title)]
        return commands

    def paste(self, title):
        return self.shell(self.commands(title))

    def shell(self, commands):
        """Pastes commands after the first block into a new shell; the lines of its standard output."""
        first = next(iter(self.blocks().values()))
        # As if nobody's make ran the tests: a nested one prints the directory, too.
        script = f"unset MAKELEVEL MAKEFLAGS MFLAGS\n{first}\n{commands}"
        done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, text=True, check=False)
        return done.stdout.splitlines()

    def call(self, token="demo-token"):
        """The status of a call, by the printed function."""
        *_, status = self.shell(f"call {token}")
        return status

    def client(self, service):
        endpoint = re.search(r"AWS_ENDPOINT_URL=(\S+)", self.guide())[1]
        return boto3.Session(*CREDENTIALS.values(), region_name=REGION).client(service, endpoint_url=endpoint)

    def resource(self, name):
        cloudformation = self.client("cloudformation")
        found = cloudformation.describe_stack_resource(StackName="group-import", LogicalResourceId=name)
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def timeout(self):
        """That of the deployed function."""
        function = self.resource("Function")
        return self.client("lambda").get_function_configuration(FunctionName=function)["Timeout"]

    def memberships(self):
        items = self.client("dynamodb").scan(TableName=self.resource("MembershipsTable"))["Items"]
        return {(item["audienceUserId"]["S"], item["groupName"]["S"]) for item in items}

    def end(self, number):
        """Sends a signal and returns the exit status."""
        os.kill(self.process.pid, number)
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT).si_status


def folders():
    return set((PROJECT / ".local").glob("sandbox-*"))


def processes_of(folder):
    """The processes with the sandbox's folder in their environment: the emulator, its functions, sam."""
    found = set()
    for environ in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in environ.read_bytes():
                found.add(environ.parent.name)
    return found


def files():
    """What git sees in the checkout, with what it ignores; not what was built."""
    command = ["git", "status", "--porcelain", "--ignored", "--", ":!.local", ":!target"]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def files_before():
    return files()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory, files_before):
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


def test_call_imports_two_records(sandbox):
    response, status = sandbox.paste("A call")
    data = json.loads(response)["data"]
    assert (status, data["importSuccessNum"], data["importFailNum"]) == ("200", 2, 1)


def test_new_token_is_listed_and_accepted(sandbox):
    demo, rival, token, *listed = sandbox.paste("Tokens")
    assert (demo, rival) == ("demo  enabled  tokens: 1, valid: 1", "rival  enabled  tokens: 1, valid: 1")
    assert len(listed) == 2
    assert sandbox.call(token) == "200"


def test_disabled_tenant_gets_403_until_it_is_enabled(sandbox):
    *_, status = sandbox.paste("A tenant")
    assert status == "403"
    assert sandbox.call("rival-token") == "200"


def test_customer_is_counted_then_erased(sandbox):
    counts = [("memberships", 2), ("customers", 1), ("idempotency keys", 0)]
    assert sandbox.paste("Erasing") == [
        f"{part}: {number} {outcome}" for outcome in ("to delete", "deleted") for part, number in counts
    ]


def test_bulk_import_writes_and_returns_the_failed_row(sandbox):
    sandbox.paste("A bulk import")
    with (sandbox.folder() / "rows.failed.csv").open(encoding="utf-8-sig", newline="") as file:
        (failed,) = csv.DictReader(file)
    assert (failed["audienceUserId"], failed["errorCode"]) == ("nobody", "NOT_MATCHED")
    assert {("c0002", "spring"), ("c0003", "vip")} <= sandbox.memberships()


def test_stopped_function_serves_no_call_until_the_start(sandbox):
    *_, status = sandbox.paste("The emergency stop")
    assert status in ("429", "503")
    assert sandbox.call() == "200"


def test_parameter_limits_the_request(sandbox):
    *_, status = sandbox.paste("A parameter")
    assert status == "413"
    assert sandbox.call() == "200"


def test_new_version_is_deployed_and_gone_back_from(sandbox):
    build, deploy = re.findall(r"^(?:.+\\\n)*.+\n", sandbox.commands("A new version"), re.MULTILINE)
    sandbox.shell(build)
    # As if the checkout had changed.
    template = sandbox.folder() / "new" / "template.yaml"
    text = template.read_text(encoding="utf-8")
    assert "Timeout: 29\n" in text
    template.write_text(text.replace("Timeout: 29\n", "Timeout: 28\n"), encoding="utf-8")
    sandbox.shell(deploy)
    assert sandbox.timeout() == 28
    sandbox.paste("Going back")
    assert sandbox.timeout() == 29
    assert sandbox.call() == "200"


def test_ctrl_c_leaves_nothing(sandbox, files_before):
    folder, port = sandbox.folder(), int(re.search(r"AWS_ENDPOINT_URL=\S+:(\d+)", sandbox.guide())[1])
    assert len(processes_of(folder)) > 1
    assert sandbox.end(signal.SIGINT) == 0
    assert (processes_of(folder), folder.exists()) == (set(), False)
    with socket.socket() as connection:
        assert connection.connect_ex(("127.0.0.1", port)) != 0
    assert files() == files_before


def test_sigterm_while_it_starts_leaves_nothing(tmp_path):
    with Sandbox(tmp_path) as starting:
        starting.wait_until(lambda: "deploying" in starting.output(), 60)
        folder = starting.folder()
        assert processes_of(folder)
        assert starting.end(signal.SIGTERM) == 0
        assert (processes_of(folder), folder.exists()) == (set(), False)
