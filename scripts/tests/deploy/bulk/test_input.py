"""The input of a run, and what the role may do."""

import pytest

from deploy.bulk.command import HASH
from emulator import REGION

PARAMS = {"isMatching": False, "optType": "add"}
INPUT = {"tokenHash": HASH, "publicParams": PARAMS, "format": "jsonl", "prefix": "incoming/rows/"}


def without(name):
    return {key: value for key, value in INPUT.items() if key != name}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="nothing"),
        pytest.param(without("publicParams"), id="no parameters"),
        pytest.param(INPUT | {"publicParams": "add"}, id="parameters that are no object"),
        pytest.param(INPUT | {"publicParams": PARAMS | {"explain": True}}, id="explain"),
        pytest.param(without("tokenHash"), id="no tenant"),
        pytest.param(INPUT | {"tokenHash": HASH.upper()}, id="a hash of another form"),
        pytest.param(INPUT | {"tokenHash": 7}, id="a hash that is no text"),
        pytest.param(without("format"), id="no format"),
        pytest.param(INPUT | {"format": "parquet"}, id="another format"),
        pytest.param(without("prefix"), id="no prefix"),
        pytest.param(INPUT | {"prefix": 7}, id="a prefix that is no text"),
        pytest.param(INPUT | {"prefix": "results/rows/"}, id="a prefix elsewhere"),
        pytest.param(INPUT | {"prefix": "incoming/rows"}, id="a prefix without a slash"),
        pytest.param(INPUT | {"prefix": "incoming/"}, id="the whole folder"),
    ],
)
def test_wrong_input_reads_nothing(bulk, given):
    run = bulk.execute(given)
    assert (run["status"], run["error"]) == ("FAILED", "WRONG_INPUT")
    assert "publicParams" in run["cause"]


@pytest.mark.parametrize("given", [without("tokenHash"), INPUT], ids=["left out", "named"])
def test_hash_of_the_tenant_of_the_stack_is_accepted(pinned, given):
    pinned.put("rows/empty.jsonl", b"")
    assert pinned.execute(given)["status"] == "SUCCEEDED"


def test_role_may_do_what_a_run_needs_and_nothing_else(emulator, bulk):
    iam = emulator.client("iam")
    role = iam.get_role(RoleName=bulk.stack.resources()["BulkImportRole"])["Role"]["Arn"]

    def decide(action, resource):
        result = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource])
        return result["EvaluationResults"][0]["EvalDecision"]

    bucket = f"arn:aws:s3:::{bulk.bucket}"
    execution = bulk.machine.replace(":stateMachine:", ":execution:")
    allowed = [
        ("lambda:InvokeFunction", bulk.function),
        ("s3:GetObject", f"{bucket}/incoming/rows.csv"),
        ("s3:PutObject", f"{bucket}/results/run/manifest.json"),
        ("states:StartExecution", bulk.machine),
        ("states:RedriveExecution", f"{execution}/Csv:1"),
    ]
    denied = [
        ("lambda:InvokeFunction", f"{bulk.function}-other"),
        ("lambda:UpdateFunctionCode", bulk.function),
        ("s3:PutObject", f"{bucket}/incoming/rows.csv"),
        ("s3:DeleteObject", f"{bucket}/incoming/rows.csv"),
        ("s3:GetObject", "arn:aws:s3:::other/incoming/rows.csv"),
        ("states:StartExecution", f"{bulk.machine}-other"),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:000000000000:table/tenants"),
    ]
    assert [case for case in allowed if decide(*case) != "allowed"] == []
    assert [case for case in denied if decide(*case) == "allowed"] == []
