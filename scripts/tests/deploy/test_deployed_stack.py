"""The stack as it is deployed first. The tests build on each other: they run in this order."""

import json
import re

import pytest

from deploy.stack import TABLES, TENANT, TOKEN

PATH = "/api/integrate/audience/info/batchAdd"
RETIRED_PATH = "/api/integrate/audience/group/batchAdd"

# Of an ELF file (e_machine).
AARCH64 = 183

NO_MATCHING = {"isMatching": False, "optType": "add"}


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
    (status, data), repeated = (api.add(records, key="batch-1") for _ in range(2))
    assert (status, data["status"]) == (200, 2)
    assert repeated == (status, data)
    first, second = api.responses[-2:]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json() == first.json()
    assert api.add(records[:1], key="batch-1")[0] == 422


@pytest.mark.parametrize(
    ("status", "code", "request_"),
    [
        pytest.param(401, "TOKEN_ERROR", {"token": None}, id="no token"),
        pytest.param(401, "TOKEN_ERROR", {"token": "unknown"}, id="unknown token"),
        pytest.param(404, "NOT_FOUND", {"path": "/"}, id="root"),
        pytest.param(404, "NOT_FOUND", {"path": "/api/other", "method": "GET", "body": None}, id="another path"),
        pytest.param(404, "NOT_FOUND", {"path": RETIRED_PATH}, id="retired path"),
        pytest.param(405, "METHOD_NOT_ALLOWED", {"method": "PUT"}, id="another method"),
        pytest.param(405, "METHOD_NOT_ALLOWED", {"path": f"/prod{PATH}", "method": "GET"}, id="method behind a prefix"),
        pytest.param(400, "PARAM_ERROR", {"body": {"publicParams": {}, "data": []}}, id="wrong parameters"),
    ],
)
def test_rejected_request_writes_nothing(api, tables, status, code, request_):
    before = tables.pairs()
    body = {"publicParams": NO_MATCHING, "data": [{"audienceUserId": "x", "groups": "g"}]}
    response = api.call(**{"body": body, **request_})
    envelope = response.json()
    assert (response.status_code, envelope.get("errorCode")) == (status, code)
    assert set(envelope) == {"code", "errorCode", "msg", "data"}
    if status == 405:
        assert response.headers["Allow"] == "POST"
    if request_.get("path") == RETIRED_PATH:
        assert PATH in envelope["msg"]
    assert tables.pairs() == before


def test_each_request_has_its_summary_in_the_log_of_the_stack(api, log_lines):
    ran = [response.json()["data"] for response in api.responses if "Idempotent-Replayed" not in response.headers]
    expected = {
        "requests": len(api.responses),
        "rejected": sum(response.status_code >= 400 for response in api.responses),
        "succeeded": sum(data["importSuccessNum"] for data in ran if data),
    }
    assert expected["succeeded"] > 0
    # Text, not JSON with metrics as on AWS: the emulator sets no format for the log.
    summaries = [dict(re.findall(r"(\w+)=(\S+)", line)) for line in log_lines() if " request requestId=" in line]
    assert {name: sum(int(summary.get(name, 0)) for summary in summaries) for name in expected} == expected


def test_rejected_statement_is_read_by_query(log_lines):
    text = "\n".join(log_lines())
    # The emulator enforces the role, but knows no PartiQL actions.
    assert "AccessDeniedException" in text
    assert "reading by Query for some minutes" in text


@pytest.mark.parametrize("secret", [TOKEN, "13800000002", "nobody", "spring"])
def test_log_has_no_token_identifier_or_group(log_lines, secret):
    assert secret not in "\n".join(log_lines())


def test_full_request_sends_no_further_statement_after_a_rejected_one(api, tables, customers, log_lines):
    def rejected():
        return sum("AccessDeniedException" in line for line in log_lines())

    before = rejected()
    records = [{"phone": customer["phone"], "groups": f"g{number}"} for customer in customers for number in range(10)]
    _, data = api.add(records, identifyWay=2)
    assert (data["importSuccessNum"], data["importFailNum"]) == (len(records), 0)
    assert rejected() == before
    assert not {(customer["audienceUserId"], f"g{n}") for customer in customers for n in range(10)} - tables.pairs()
    assert api.add([*records, records[0]]) == (413, None)
