"""What must hold for the deployed stack."""

import json
import re

from api import TENANT, TOKEN

ADDRESS = "/api/integrate/audience/info/batchAdd"
RETIRED_ADDRESS = "/api/integrate/audience/group/batchAdd"

# As many as a request may have, by the default of the template.
MAX_RECORDS = 5000

# Ten records each make a full request.
CUSTOMERS = [
    {
        "audienceUserId": f"c{number}",
        "unionid": f"u{number}",
        "openid": f"o{number}",
        "phone": f"{13800000000 + number}",
    }
    for number in range(MAX_RECORDS // 10)
]

ENVELOPE = {"code", "errorCode", "msg", "data"}


def outputs(report, found):
    tables = {"TenantsTable", "CustomersTable", "MembershipsTable", "ImportsTable"}
    expected = {"ImportUrl", "LogGroup", "Dashboard"} | tables
    report.check("the outputs name the address, the tables, log and dashboard", set(found) == expected, found)
    report.check("the address is the import's whole address", found["ImportUrl"].endswith(ADDRESS), found["ImportUrl"])


def tables(report, found):
    for name in sorted(found.names()):
        table = found.client.describe_table(TableName=name)["Table"]
        settings = (table["BillingModeSummary"]["BillingMode"], table["DeletionProtectionEnabled"])
        report.check(f"{name} is on demand and protected", settings == ("PAY_PER_REQUEST", True), settings)


def permissions(report, iam, stack, found):
    """What cannot be seen from outside: statements on an index are allowed, everything else is not."""
    role = iam.get_role(RoleName=stack.resources()["FunctionRole"])["Role"]["Arn"]

    def decide(action, resource):
        answer = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource])
        return answer["EvaluationResults"][0]["EvalDecision"]

    arn = {table: found.client.describe_table(TableName=table)["Table"]["TableArn"] for table in found.names()}
    customers = arn[found.customers.name]
    memberships = arn[found.memberships.name]
    for index in ("unionid-index", "openid-index", "phone-index"):
        decision = decide("dynamodb:PartiQLSelect", f"{customers}/index/{index}")
        report.check(f"the function may select from {index}", decision == "allowed", decision)
    refused = [
        ("dynamodb:PartiQLSelect", customers),
        ("dynamodb:Scan", customers),
        ("dynamodb:BatchWriteItem", customers),
        ("dynamodb:PutItem", arn[found.tenants.name]),
        ("dynamodb:Query", memberships),
        ("dynamodb:PartiQLDelete", memberships),
        ("dynamodb:DeleteTable", memberships),
    ]
    decisions = {f"{action} {resource}": decide(action, resource) for action, resource in refused}
    report.check("it may not do what it does not do", set(decisions.values()) == {"implicitDeny"}, decisions)


def dashboard(report, cloudwatch, stack, found):
    names = stack.resources()
    text = cloudwatch.get_dashboard(DashboardName=names["Dashboard"])["DashboardBody"]
    widgets = json.loads(text)["widgets"]
    report.check("the dashboard is JSON with all its references worked out", widgets and "${" not in text, text)
    shown = [name for name in (names["Function"], names["FunctionLogs"], *found.names()) if name in text]
    report.check("it shows the function, its log and its tables", len(shown) == 6, shown)


def alarms(report, cloudwatch, stack, topic):
    names = stack.resources()
    own = [name for resource, name in names.items() if resource.endswith("Alarm")]
    alarms = cloudwatch.describe_alarms(AlarmNames=own)["MetricAlarms"]
    watched = {value["Value"] for alarm in alarms for value in alarm["Dimensions"]}
    expected = {names["Function"], names["Api"]}
    report.check("five alarms watch the function and its API", len(alarms) == 5 and watched == expected, alarms)
    told = all(alarm["AlarmActions"] == alarm["OKActions"] == [topic] for alarm in alarms)
    report.check("they tell the topic that the stack was given", told, alarms)


def imports(report, api, found):
    records = [
        {"unionid": "u1", "groups": "vip,spring"},
        {"phone": "+86 138-0000-0002", "groups": "vip"},
        {"openid": "nobody", "audienceUserId": "c3", "groups": "vip"},
    ]
    answer = api.add(records)
    data = {"importSuccessNum": 3, "importFailNum": 0, "status": 1, "message": "成功", "errorData": None}
    report.check("an import succeeds", answer.status == 200 and answer.data == data, answer)
    written = {("c1", "vip"), ("c1", "spring"), ("c2", "vip"), ("c3", "vip")}
    report.check("it has written its items", found.pairs() == written, found.pairs())
    items = found.memberships.scan()["Items"]
    own = all(item["tenantId"] == TENANT and item["updatedAt"] and item["importId"] for item in items)
    report.check("each item says whose it is, since when and by which import", own, items)

    failed = {"unionid": "nobody", "groups": "vip"}
    answer = api.add([{"openid": "o4", "groups": "vip"}, failed])
    error = answer.data["errorData"]
    partly = answer.status == 200 and (answer.data["status"], answer.data["importSuccessNum"]) == (2, 1)
    report.check("a record that fails does not stop the others", partly and ("c4", "vip") in found.pairs(), answer)
    named = len(error) == 1 and failed.items() <= error[0].items() and error[0]["errorCode"] == "NOT_MATCHED"
    report.check("it comes back with its reason", named, error)

    answer = api.add([{"audienceUserId": "c1", "unionid": "u1", "openid": "o1", "groups": "vip"}], matchingType=1)
    report.check("exact matching finds its customer", answer.data and answer.data["status"] == 1, answer)
    answer = api.add([{"audienceUserId": "c1", "groups": "vip"}], isMatching=False, optType="delete")
    deleted = answer.status == 200 and ("c1", "vip") not in found.pairs()
    report.check("delete takes an item away", deleted, answer)


def retries(report, api):
    records = [{"openid": "o5", "groups": "once"}, {"openid": "nobody", "groups": "once"}]
    first, second = (api.add(records, key="batch-1") for _ in range(2))
    report.check("an import with an Idempotency-Key runs", first.status == 200 and first.data["status"] == 2, first)
    replayed = second.headers.get("idempotent-replayed") == "true" and second.body == first.body
    report.check("its repetition is answered with the first outcome", replayed, second)
    answer = api.add(records[:1], key="batch-1")
    report.check("the key with another body is refused", answer.status == 422, answer)


def refusals(report, api, found):
    before = found.pairs()
    body = {"publicParams": {"isMatching": False, "optType": "add"}, "data": [{"audienceUserId": "x", "groups": "g"}]}
    stage_like = f"/prod{ADDRESS}"
    for name, answer, expected in [
        ("no token", api.call(body=body, token=None), (401, "TOKEN_ERROR")),
        ("an unknown token", api.call(body=body, token="unknown"), (401, "TOKEN_ERROR")),
        ("the root", api.call(path="/", body=body), (404, "NOT_FOUND")),
        ("another path", api.call("GET", path="/api/other"), (404, "NOT_FOUND")),
        ("the retired address", api.call(path=RETIRED_ADDRESS, body=body), (404, "NOT_FOUND")),
        ("another method", api.call("PUT", body=body), (405, "METHOD_NOT_ALLOWED")),
        ("another method behind a prefix", api.call("GET", path=stage_like), (405, "METHOD_NOT_ALLOWED")),
        ("wrong parameters", api.call(body={"publicParams": {}, "data": []}), (400, "PARAM_ERROR")),
    ]:
        refused = (answer.status, answer.body.get("errorCode")) == expected and set(answer.body) == ENVELOPE
        report.check(f"{name}: {expected[0]} in the function's envelope", refused, answer)
        if answer.status == 405:
            report.check("  and Allow: POST", answer.headers.get("allow") == "POST", answer)
        if name == "the retired address":
            report.check("  and names the new one", ADDRESS in answer.body["msg"], answer)
    report.check("what was refused has written nothing", found.pairs() == before)


def lines(logs, group):
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"]]


def summary(line):
    """The members of a request's summary; none of any other line. The emulator tells the function no form for its log:
    so it is text, not JSON with metrics as on AWS."""
    return dict(re.findall(r"(\w+)=(\S+)", line)) if " request requestId=" in line else {}


def log(report, api, logs, group):
    ran = [answer for answer in api.answers if answer.data and "idempotent-replayed" not in answer.headers]
    expected = {
        "requests": len(api.answers),
        "refused": sum(answer.status >= 400 for answer in api.answers),
        "succeeded": sum(answer.data["importSuccessNum"] for answer in ran),
    }
    events = lines(logs, group)
    text = "\n".join(events)
    summaries = list(filter(None, map(summary, events)))
    sums = {name: sum(int(line.get(name, 0)) for line in summaries) for name in expected}
    report.check("each request left its summary in the stack's own log", sums == expected, (sums, expected))
    # The emulator enforces the role: it knows no PartiQL actions, refuses the statements, and Query steps in.
    fell_back = "AccessDeniedException" in text and "reading by Query instead" in text
    report.check("a refused statement was read again by Query", fell_back, events)
    secrets = [secret for secret in (TOKEN, "13800000002", "nobody", "spring") if secret in text]
    report.check("no token, identifier or group stands there", not secrets, secrets)


def allow_statements(iam, stack):
    """Allows the function's statements by the name that the emulator has for them; AWS has no such action."""
    statement = {"Effect": "Allow", "Action": "dynamodb:ExecuteStatement", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    role = stack.resources()["FunctionRole"]
    iam.put_role_policy(RoleName=role, PolicyName="emulator", PolicyDocument=json.dumps(policy))


def full_request(report, api, found, logs, group):
    """As many records as a request may have, looked up by PartiQL statements."""

    def refused():
        return sum("AccessDeniedException" in line for line in lines(logs, group))

    before = refused()
    records = [{"phone": customer["phone"], "groups": f"g{number}"} for customer in CUSTOMERS for number in range(10)]
    answer = api.add(records, identifyWay=2)
    counts = answer.data and (answer.data["importSuccessNum"], answer.data["importFailNum"])
    report.check(f"{MAX_RECORDS} records succeed in one request", counts == (MAX_RECORDS, 0), answer)
    report.check("no statement for them was refused", refused() == before, refused())
    expected = {(customer["audienceUserId"], f"g{number}") for customer in CUSTOMERS for number in range(10)}
    missing = expected - found.pairs()
    report.check("each has its item", not missing, f"{len(missing)} missing")
    answer = api.add([*records, records[0]])
    report.check("one record more is refused", (answer.status, answer.data) == (413, None), answer)


def limit(report, api, found):
    records = [{"audienceUserId": "c9", "groups": f"limit{number}"} for number in range(3)]
    answer = api.add(records)
    report.check("the changed limit holds, and is named", answer.status == 413 and "2" in answer.body["msg"], answer)
    answer = api.add(records[:2])
    report.check("the updated function imports", ("c9", "limit1") in found.pairs(), answer)


def existing_tables(report, api, found):
    answer = api.add([{"phone": CUSTOMERS[7]["phone"], "groups": "again"}])
    report.check("the new stack finds and writes in them", ("c7", "again") in found.pairs(), answer)
