"""The stack as it is deployed first. The tests build on each other: they run in this order."""

import json

import pytest

from deploy.stack import CUSTOMERS, TABLES, TENANT, TOKEN

PATH = "/api/integrate/audience/info/batchAdd"

# Of an ELF file (e_machine).
AARCH64 = 183


@pytest.fixture
def log_lines(emulator, stack):
    def read():
        paginator = emulator.client("logs").get_paginator("filter_log_events")
        pages = paginator.paginate(logGroupName=stack.outputs()["LogGroup"])
        return [event["message"] for page in pages for event in page["events"]]

    return read


def test_function_is_built_for_its_processors(built):
    header = (built.parent / "Function" / "bootstrap").read_bytes()[:20]
    assert (header[:4], int.from_bytes(header[18:], "little")) == (b"\x7fELF", AARCH64)


def test_outputs_name_path_function_tables_log_and_dashboard(stack):
    outputs = stack.outputs()
    assert (
        set(outputs) == {"ImportUrl", "FunctionArn", "FunctionRoleArn", "LogGroup", "ApiLogGroup", "Dashboard"} | TABLES
    )
    assert outputs["ImportUrl"].endswith(PATH)


def test_tables_are_on_demand_and_protected(tables):
    for name in tables.names.values():
        table = tables.client.describe_table(TableName=name)["Table"]
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
        {"unionid": "u1", "groups": "vip,spring"},
        {"phone": "+86 138-0000-0002", "groups": "vip"},
        {"openid": "nobody", "audienceUserId": "c3", "groups": "vip"},
        {"unionid": "nobody", "groups": "vip"},
    ]
    status, data = api.add(records)
    assert (status, data["status"], data["importSuccessNum"]) == (200, 2, 3)
    (error,) = data["errorData"]
    assert error.items() >= {**records[3], "index": 3, "errorCode": "NOT_MATCHED"}.items()
    assert tables.pairs() == {("c1", "vip"), ("c1", "spring"), ("c2", "vip"), ("c3", "vip")}
    for item in tables.memberships.scan()["Items"]:
        assert (item["tenantId"], bool(item["updatedAt"]), bool(item["importId"])) == (TENANT, True, True)


def test_delete_removes_a_membership(api, tables):
    status, _ = api.add([{"audienceUserId": "c1", "groups": "vip"}], isMatching=False, optType="delete")
    assert status == 200
    assert tables.pairs() == {("c1", "spring"), ("c2", "vip"), ("c3", "vip")}


def test_repeated_key_replays_the_response(api):
    records = [{"openid": "o5", "groups": "once"}, {"openid": "nobody", "groups": "once"}]
    first, repeated = (api.add(records, key="batch-1") for _ in range(2))
    assert first == repeated
    assert api.responses[-1].headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("status", "code", "request_"),
    [
        (401, "TOKEN_ERROR", {"token": "unknown"}),
        (404, "NOT_FOUND", {"path": "/", "method": "GET"}),
        (405, "METHOD_NOT_ALLOWED", {"method": "PUT"}),
    ],
)
def test_every_path_and_method_reaches_the_function(api, status, code, request_):
    response = api.call(**request_)
    assert (response.status_code, response.json()["errorCode"]) == (status, code)


def test_each_request_has_its_summary_in_the_log_of_the_stack(api, log_lines):
    # Text, not JSON with metrics as on AWS: the emulator sets no format for the log.
    assert sum(" request requestId=" in line for line in log_lines()) == len(api.responses)


@pytest.mark.parametrize("secret", [TOKEN, "13800000002", "nobody", "spring"])
def test_log_has_no_token_identifier_or_group(log_lines, secret):
    assert secret not in "\n".join(log_lines())


def test_full_request_is_imported(api, tables):
    records = [{"phone": customer["phone"], "groups": f"g{number}"} for customer in CUSTOMERS for number in range(10)]
    _, data = api.add(records, identifyWay=2)
    assert (data["importSuccessNum"], data["importFailNum"]) == (len(records), 0)
    assert not {(customer["audienceUserId"], f"g{n}") for customer in CUSTOMERS for n in range(10)} - tables.pairs()
    assert api.add([*records, records[0]]) == (413, None)
