"""The bulk stack as it is deployed: its bucket, what its role may do, and a stack for one tenant."""

import hashlib
import json

import pytest

from deploy.bulk import rows
from deploy.bulk.command import TEMPLATE, Bulk
from deploy.stack import TENANT, TOKEN, Stack


def test_bucket_is_private_and_encrypted(bulk):
    blocked = bulk.s3.get_public_access_block(Bucket=bulk.bucket)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    (rule,) = bulk.s3.get_bucket_encryption(Bucket=bulk.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    policy = json.loads(bulk.s3.get_bucket_policy(Bucket=bulk.bucket)["Policy"])
    assert [one["Effect"] for one in policy["Statement"]] == ["Deny"]


@pytest.fixture(scope="session")
def decide(emulator, bulk):
    """The decision of IAM about an action of the state machine."""
    iam = emulator.client("iam")
    arn = iam.get_role(RoleName=bulk.stack.resources()["BulkImportRole"])["Role"]["Arn"]

    def simulate(action, resource):
        result = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=[action], ResourceArns=[resource])
        return result["EvaluationResults"][0]["EvalDecision"]

    return simulate


def resources(bulk):
    bucket = f"arn:aws:s3:::{bulk.bucket}"
    return {
        "incoming": f"{bucket}/incoming/rows.csv",
        "results": f"{bucket}/results/run/manifest.json",
        "other file": f"{bucket}/rows.csv",
        "function": bulk.function,
        "other function": f"{bulk.function}-other",
        "machine": bulk.machine,
        "other machine": f"{bulk.machine}-other",
        "run": bulk.arn("run"),
        "children": bulk.arn("run").replace(":run", "/CsvFile:run"),
        "other run": bulk.arn("run").replace(":run", "-other:run"),
        "tenants": bulk.tables.describe("TenantsTable")["TableArn"],
    }


@pytest.mark.parametrize(
    ("action", "resource", "decision"),
    [
        ("s3:GetObject", "incoming", "allowed"),
        ("s3:PutObject", "results", "allowed"),
        ("lambda:InvokeFunction", "function", "allowed"),
        ("states:StartExecution", "machine", "allowed"),
        ("states:StopExecution", "run", "allowed"),
        ("states:RedriveExecution", "children", "allowed"),
        ("s3:GetObject", "other file", "implicitDeny"),
        ("s3:PutObject", "incoming", "implicitDeny"),
        ("s3:DeleteObject", "incoming", "implicitDeny"),
        ("lambda:InvokeFunction", "other function", "implicitDeny"),
        ("lambda:UpdateFunctionCode", "function", "implicitDeny"),
        ("states:StartExecution", "other machine", "implicitDeny"),
        ("states:StopExecution", "other run", "implicitDeny"),
        ("dynamodb:GetItem", "tenants", "implicitDeny"),
    ],
)
def test_state_machine_may_do_what_it_needs_and_no_more(bulk, decide, action, resource, decision):
    assert decide(action, resources(bulk)[resource]) == decision


@pytest.fixture(scope="module")
def pinned(sam, emulator, bulk):
    stack = Stack("bulk-pinned", sam, emulator)
    stack.deploy(TEMPLATE, FunctionArn=bulk.function, TokenHash=hashlib.sha256(TOKEN.encode()).hexdigest())
    return Bulk(emulator, stack, bulk.tables)


def test_stack_of_one_tenant_imports_for_it_alone(pinned, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(rows.json_lines([{"openid": "o1", "groups": "pinned-1"}]))
    ended = pinned.run(file, "--match", "fuzzy", cwd=tmp_path)
    assert ended.returncode == 0, ended.err
    assert pinned.pairs("pinned") == {("c1", "pinned-1")}

    named = pinned.run(file, "--tenant", TENANT, "--match", "fuzzy", cwd=tmp_path)
    assert named.err == "error: bulk-pinned imports for one tenant only: leave --tenant and --token-hash out\n"

    wanted = {"tokenHash": "0" * 64, "publicParams": {}, "format": "jsonl", "key": "incoming/rows.jsonl"}
    pinned.states.start_execution(stateMachineArn=pinned.machine, name="other", input=json.dumps(wanted))
    other = pinned.run("--resume", "other", cwd=tmp_path)
    assert other.returncode == 1
    assert "the run other failed: WRONG_TENANT" in other.err
