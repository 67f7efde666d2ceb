"""The stack as it is deployed first. The tests build on each other: they run in this order."""

import json
import re

import pytest

from deploy.stack import PROJECT, TABLES
from processes import run

PATH = "/api/integrate/audience/info/batchAdd"

# For cargo: compiles in half of the time, as nothing runs it.
QUICK = {
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
}

# Of an ELF file (e_machine).
AARCH64 = 183


def test_page_builds_the_function_for_its_processors(sam):
    # But for installing the tools and making topics.
    page = (PROJECT / "docs" / "operations" / "deploying.md").read_text(encoding="utf-8")
    block = page[page.index("\nrustup target add ") : page.index("\nsam build\n")]
    lines = [line for line in block.splitlines() if line.startswith(("rustup ", "export PATH="))]
    built = PROJECT / "target" / "sam"
    script = "\n".join(["set -e", *lines, f"sam build --template-file template.yaml --build-dir {built}"])
    run(["bash", "-c", script], sam.directory / "build.log", cwd=PROJECT, env=sam.environment | QUICK)
    header = (built / "Function" / "bootstrap").read_bytes()[:20]
    assert (header[:4], int.from_bytes(header[18:], "little")) == (b"\x7fELF", AARCH64)


def test_outputs_name_path_function_tables_log_and_dashboard(stack):
    outputs = stack.outputs()
    assert (
        set(outputs) == {"ImportUrl", "FunctionArn", "FunctionRoleArn", "LogGroup", "ApiLogGroup", "Dashboard"} | TABLES
    )
    assert outputs["ImportUrl"].endswith(PATH)


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


def test_import_writes_memberships_and_returns_failed_records(api, tables):
    records = [
        {"unionid": "u1", "groups": "first,second"},
        {"phone": "+86 138-0000-0002", "groups": "first"},
        {"openid": "nobody", "audienceUserId": "c3", "groups": "first"},
        {"unionid": "nobody", "groups": "first"},
    ]
    data = api.add(records)
    assert data["importSuccessNum"] == 3
    (error,) = data["errorData"]
    assert error.items() >= {**records[3], "index": 3, "errorCode": "NOT_MATCHED"}.items()
    assert tables.pairs("first") == {("c1", "first"), ("c2", "first"), ("c3", "first")}
    assert tables.pairs("second") == {("c1", "second")}


@pytest.mark.parametrize(("method", "path", "code"), [("GET", "/", "NOT_FOUND"), ("PUT", PATH, "METHOD_NOT_ALLOWED")])
def test_every_path_and_method_reaches_the_function(api, method, path, code):
    assert api.call(method, path).json()["errorCode"] == code


def test_each_request_has_its_summary_in_the_log_of_the_stack(api, emulator, stack):
    events = emulator.client("logs").filter_log_events(logGroupName=stack.outputs()["LogGroup"])["events"]
    # Text, not JSON with metrics as on AWS: the emulator sets no format for the log.
    logged = re.findall(r" request requestId=(\S+)", "".join(event["message"] for event in events))
    assert api.responses
    assert [one for one in api.responses if logged.count(one.headers["X-Request-Id"]) != 1] == []
