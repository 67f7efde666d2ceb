"""The programs for AWS, run as a user would, and the emulated AWS that they use."""

import json
import pathlib
import secrets
import subprocess
import sys

import pytest

from proxy import AwsProxy

SCRIPTS = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def start_script():
    def start(script, *arguments):
        command = [sys.executable, SCRIPTS / script, *map(str, arguments)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)

    return start


@pytest.fixture
def run_script(emulator, start_script):
    """Runs a program behind a proxy with the rules given; the result has its output and its calls of AWS."""

    def run(script, *arguments, rules=None, stdin=""):
        with AwsProxy(emulator.endpoint, rules) as proxy:
            process = start_script(script, *arguments, "--endpoint", proxy.url)
            content = stdin if isinstance(stdin, bytes) else stdin.encode()
            process.out, process.err = (output.decode() for output in process.communicate(content, timeout=180))
        process.calls = proxy.calls
        return process

    return run


@pytest.fixture(scope="session")
def database(emulator):
    return emulator.client("dynamodb")


@pytest.fixture
def create_table(database):
    """Makes a table of this name with these key attributes, for the time of the test; returns the name."""
    names = []

    def create(name, *keys):
        database.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": role} for key, role in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
        names.append(name)
        return name

    yield create
    for name in names:
        database.delete_table(TableName=name)


@pytest.fixture
def deploy(emulator):
    """Deploys a stack of one function with these environment variables and what else its template has, for the time of
    the test; returns its name."""
    formation = emulator.client("cloudformation")
    name = f"stack-{secrets.token_hex(4)}"

    def create(variables, **template):
        properties = {
            "Runtime": "python3.12",
            "Handler": "index.handler",
            "Role": "arn:aws:iam::000000000000:role/none",
            "Code": {"ZipFile": "def handler(event, context): pass"},
            "Environment": {"Variables": variables},
        }
        template["Resources"] = {"Function": {"Type": "AWS::Lambda::Function", "Properties": properties}}
        formation.create_stack(StackName=name, TemplateBody=json.dumps(template))
        formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
        return name

    yield create
    formation.delete_stack(StackName=name)
