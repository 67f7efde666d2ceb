"""The bulk stack beside the stack of the function, and the command as people run it."""

import json
import os
import time

import pytest

from aws_tools.tokens import hash_of
from deploy.bulk import rows
from deploy.stack import PROJECT, TENANT, TOKEN, Stack
from processes import run_script

TEMPLATE = PROJECT / "bulk" / "template.yaml"

HASH = hash_of(TOKEN)
TOPIC = "arn:aws:sns:us-east-1:000000000000:on-call"


@pytest.fixture(scope="session")
def bulk_stack(emulator, stack):
    return Stack("bulk", emulator, TEMPLATE, FunctionArn=stack.outputs()["FunctionArn"])


@pytest.fixture
def bulk(emulator, bulk_stack, tables, tmp_path):
    return Bulk(emulator, bulk_stack, tables, tmp_path)


@pytest.fixture(scope="session")
def pinned_stack(emulator, stack):
    arn = stack.outputs()["FunctionArn"]
    given = {"FunctionArn": arn, "TokenHash": HASH, "AlarmTopicArn": TOPIC, "Mail": "operator@example.com"}
    return Stack("bulk-of-one-tenant", emulator, TEMPLATE, **given)


@pytest.fixture
def pinned(emulator, pinned_stack, tables, tmp_path):
    """The command on a stack for one tenant, which sends mails and notifies a topic."""
    return Bulk(emulator, pinned_stack, tables, tmp_path)


class Bulk:
    """The command on a deployed stack, in a folder."""

    def __init__(self, emulator, stack, tables, folder):
        self.emulator, self.stack, self.tables, self.folder = emulator, stack, tables, folder
        self.s3, self.states = (emulator.client(name) for name in ("s3", "stepfunctions"))
        outputs = stack.outputs()
        self.bucket, self.machine = outputs["Bucket"], outputs["StateMachineArn"]
        self.function = outputs["FunctionArn"]

    def write(self, name, content):
        """Writes a file, of bytes or of rows as CSV, and returns its path."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else rows.comma_separated(content))
        return path

    def run(self, *arguments, states=None):
        """Runs the command, with another address of Step Functions if given. No hash of a token may be shown."""
        done = run_script("bulk", *arguments, "--stack", self.stack.name, **self.surroundings(states))
        assert HASH not in done.out + done.err
        return done

    def surroundings(self, states=None):
        address = {"AWS_ENDPOINT_URL_SFN": states or self.emulator.endpoint}
        return {"cwd": self.folder, "env": {**os.environ, **self.emulator.variables, **address}}

    def import_(self, source, *arguments, status=0, **options):
        """Imports an INPUT, or rows as rows.csv."""
        source = self.write("rows.csv", source) if isinstance(source, list) else source
        ended = self.run(source, "--tenant", TENANT, "--match", "fuzzy", *arguments, **options)
        assert ended.returncode == status, ended.err
        return ended

    def put(self, key, data):
        """Puts an object where runs read, as another program would."""
        self.s3.put_object(Bucket=self.bucket, Key=f"incoming/{key}", Body=data)

    def read(self, key):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def pairs(self, seed):
        """The memberships in the groups of the rows that were made with a seed."""
        return self.tables.pairs(f"{seed}-")

    def assert_imported(self, made, seed, failed="rows.failed.csv", lost=None):
        """That of rows that were made each membership is written and no other, and each failed row is in the file once;
        all in `lost` have the error that it names. Returns the errors."""
        errors = {n: rows.ERRORS[n % 50] for n in range(len(made)) if n % 50 in rows.ERRORS} | (lost or {})
        assert self.pairs(seed) == rows.pairs(made, errors)
        assert rows.errors(self.folder / failed) == errors
        return errors

    def execute(self, given):
        """A run by its input, when it has ended."""
        arn = self.states.start_execution(stateMachineArn=self.machine, input=json.dumps(given))["executionArn"]
        while (run := self.states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            time.sleep(0.1)
        return run

    def last_run(self):
        runs = self.states.list_executions(stateMachineArn=self.machine)["executions"]
        return runs[0]["name"] if runs else None
