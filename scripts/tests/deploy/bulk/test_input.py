"""The input of a run, and what the role may do."""

import pytest

from deploy.bulk.command import HASH
from emulator import REGION

PARAMS = {"isMatching": False, "optType": "add"}
INPUT = {"tokenHash": HASH, "publicParams": PARAMS, "format": "jsonl", "prefix": "incoming/rows/"}

# Of a field, what is rejected; None is a field that is left out.
WRONG = {
    "publicParams": [None, "add", PARAMS | {"explain": True}],
    "tokenHash": [None, 7, HASH.upper()],
    "format": [None, "parquet"],
    "prefix": [None, 7, "results/rows/", "incoming/rows", "incoming/"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_wrong_input_reads_nothing(bulk, name, value):
    given = INPUT | {name: value}
    run = bulk.execute({key: given[key] for key in given if given[key] is not None})
    assert (run["status"], run["error"]) == ("FAILED", "WRONG_INPUT")
    assert "publicParams" in run["cause"]


def test_stack_of_one_tenant_accepts_its_hash_and_no_other(pinned):
    pinned.put("rows/empty.jsonl", b"")
    assert pinned.execute(INPUT)["status"] == "SUCCEEDED"
    assert pinned.execute(INPUT | {"tokenHash": "0" * 64})["error"] == "WRONG_TENANT"


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
