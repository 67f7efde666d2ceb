"""The stack: deployed, changed, deleted, its tables used by a new one. The tests build on each other, in this order."""

import json
import os
import re

import pytest

from deploy.stack import CUSTOMERS, PROJECT, Stack
from processes import run, run_script

# For cargo: compiles in half of the time, as nothing runs it.
QUICK = {
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
}

# Of an ELF file (e_machine).
AARCH64 = 183

# Each is a variable of the function, too.
CHANGES = {"MaxRecords": "2", "LookupConcurrency": "8", "WriteConcurrency": "9", "TokenCacheSeconds": "100"}


@pytest.fixture(scope="module")
def admin(emulator, stack):
    """Runs a command on the stack; what it said."""

    def run(*arguments, status=0):
        done = run_script("admin", *arguments, "--stack", stack.name, env={**os.environ, **emulator.variables})
        assert done.returncode == status, done.err
        return done.err

    return run


def test_page_builds_the_function_for_its_processors(emulator, tmp_path):
    # But for installing the tools and making topics.
    page = (PROJECT / "docs" / "operations" / "deploying.md").read_text(encoding="utf-8")
    block = page[page.index("\nrustup target add ") : page.index("\nsam build\n")]
    lines = [line for line in block.splitlines() if line.startswith(("rustup ", "export PATH="))]
    built = PROJECT / "target" / "sam"
    script = "\n".join(["set -e", *lines, f"sam build --template-file template.yaml --build-dir {built}"])
    run(["bash", "-c", script], tmp_path / "log", cwd=PROJECT, env={**os.environ, **emulator.variables, **QUICK})
    header = (built / "Function" / "bootstrap").read_bytes()[:20]
    assert (header[:4], int.from_bytes(header[18:], "little")) == (b"\x7fELF", AARCH64)


def test_tables_are_on_demand_and_protected(emulator, tables):
    for name in tables.names.values():
        table = emulator.client("dynamodb").describe_table(TableName=name)["Table"]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert table["DeletionProtectionEnabled"]


def test_access_log_goes_to_its_log_group(emulator, stack):
    (stage,) = emulator.client("apigatewayv2").get_stages(ApiId=stack.resources()["Api"])["Items"]
    group = stack.outputs()["ApiLogGroup"]
    assert stage["AccessLogSettings"]["DestinationArn"].endswith(f":log-group:{group}")


def test_dashboard_shows_function_log_and_tables(emulator, stack, tables):
    names = stack.resources()
    text = emulator.client("cloudwatch").get_dashboard(DashboardName=names["Dashboard"])["DashboardBody"]
    assert json.loads(text)["widgets"]
    assert "${" not in text, "unresolved reference"
    shown = [names[name] for name in ("Function", "FunctionLogs", "Api", "ApiLogs")] + list(tables.names.values())
    assert [name for name in shown if name not in text] == []


def test_every_path_and_method_reaches_the_function_and_is_in_its_log(stack, emulator):
    responses = [stack.request("GET", "/"), stack.request("PUT")]
    assert [one.json()["errorCode"] for one in responses] == ["NOT_FOUND", "METHOD_NOT_ALLOWED"]
    events = emulator.client("logs").filter_log_events(logGroupName=stack.outputs()["LogGroup"])["events"]
    # Text, not JSON with metrics as on AWS: the emulator sets no format for the log.
    logged = re.findall(r" request requestId=(\S+)", "".join(event["message"] for event in events))
    assert [logged.count(one.headers["X-Request-Id"]) for one in responses] == [1, 1]


def test_parameters_are_changed_without_the_code(emulator, stack, admin):
    lambda_, name = emulator.client("lambda"), stack.resources()["Function"]
    before = lambda_.get_function_configuration(FunctionName=name)
    admin("set", "MaxWriteUnits=500", *map("=".join, CHANGES.items()))
    after = lambda_.get_function_configuration(FunctionName=name)
    changed = {re.sub(r"\B(?=[A-Z])", "_", name).upper(): value for name, value in CHANGES.items()}
    assert after["Environment"]["Variables"] == before["Environment"]["Variables"] | changed
    assert after["CodeSha256"] == before["CodeSha256"]
    (described,) = stack.client.describe_stacks(StackName=stack.name)["Stacks"]
    values = {one["ParameterKey"]: one["ParameterValue"] for one in described["Parameters"]}
    assert (values["MaxWriteUnits"], values["MaxReadUnits"]) == ("500", "12000")


def test_a_parameter_that_the_stack_does_not_have_is_named(admin, stack):
    assert f"{stack.name} has no parameter Nothing; it has Al" in admin("set", "Nothing=1", status=1)


@pytest.mark.parametrize(
    ("reserved", "expected", "message"),
    [
        ("0", 0, "error: the parameter ReservedConcurrency is 0: change it by set"),
        ("7", 7, "started: ReservedConcurrency=7"),
        ("", None, "started"),
    ],
    ids=["stopped by the parameter", "some", "none"],
)
def test_start_restores_what_the_parameter_reserves(admin, stack, emulator, reserved, expected, message):
    admin("set", f"ReservedConcurrency={reserved}")
    admin("stop")
    assert admin("start", status=int(message.startswith("error"))) == f"{message}\n"
    found = emulator.client("lambda").get_function_concurrency(FunctionName=stack.resources()["Function"])
    assert found.get("ReservedConcurrentExecutions") == expected


def test_tables_survive_the_stack_and_are_used_by_a_new_one(stack, tables, emulator, template):
    stack.add([{"unionid": "u1", "groups": "before"}])
    stack.run("delete", "--no-prompts")
    names = {f"{name}Name": table for name, table in tables.names.items()}
    second = Stack("deploy-test-again", emulator, template, **names)
    assert second.tables().names == tables.names
    assert [name for name in second.resources() if name.endswith("Table")] == []
    second.add([{"phone": CUSTOMERS[7]["phone"], "groups": "after"}])
    assert (tables.pairs("before"), tables.pairs("after")) == ({("c1", "before")}, {("c7", "after")})
