"""The input of a run, a batch that is too large, and what the role may do: without a function."""

import json
import time

import pytest

from deploy.bulk.command import TEMPLATE
from deploy.stack import Stack
from emulator import REGION

HASH, OTHER = "ab" * 32, "cd" * 32
FUNCTION = f"arn:aws:lambda:{REGION}:000000000000:function:none"

PARAMS = {"isMatching": False, "optType": "add"}
INPUT = {"publicParams": PARAMS, "format": "jsonl", "prefix": "incoming/rows/"}

# Of a batch, by bulk/import.asl.json.
BATCH, BATCH_BYTES = 1000, 131072


class Runs:
    """A stack's runs, started by their input."""

    def __init__(self, emulator, stack):
        self.states, self.s3 = (emulator.client(name) for name in ("stepfunctions", "s3"))
        outputs = stack.outputs()
        self.machine, self.bucket = outputs["StateMachineArn"], outputs["Bucket"]

    def end(self, given):
        """A run, when it has ended."""
        arn = self.states.start_execution(stateMachineArn=self.machine, input=json.dumps(given))["executionArn"]
        for _ in range(600):
            run = self.states.describe_execution(executionArn=arn)
            if run["status"] != "RUNNING":
                return run
            time.sleep(0.1)
        raise AssertionError("the run does not end")

    def failed_rows(self, run):
        result = json.loads(run["output"])["ResultWriterDetails"]
        files = json.loads(self.read(result["Key"]))["ResultFiles"]["SUCCEEDED"]
        return [json.loads(line) for file in files for line in self.read(file["Key"]).splitlines()]

    def read(self, key):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode()


@pytest.fixture(scope="module")
def deployed(sam, emulator):
    """Deploys the stack for a tenant, or for none."""

    def deploy(name, token_hash):
        stack = Stack(name, sam, emulator)
        stack.deploy(TEMPLATE, FunctionArn=FUNCTION, TokenHash=token_hash)
        return stack

    return deploy


@pytest.fixture(scope="module")
def pinned(deployed):
    return deployed("bulk-pinned", HASH)


@pytest.fixture(scope="module")
def runs(emulator, pinned):
    """The runs of a stack for one tenant."""
    return Runs(emulator, pinned)


@pytest.fixture(scope="module")
def runs_of_any_tenant(emulator, deployed):
    return Runs(emulator, deployed("bulk-of-any-tenant", "none"))


def without(name):
    return {key: value for key, value in INPUT.items() if key != name}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="nothing"),
        pytest.param(without("publicParams"), id="no parameters"),
        pytest.param(INPUT | {"publicParams": "add"}, id="parameters that are no object"),
        pytest.param(INPUT | {"publicParams": PARAMS | {"explain": True}}, id="explain"),
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
def test_wrong_input_reads_nothing(runs_of_any_tenant, given):
    run = runs_of_any_tenant.end({"tokenHash": HASH, **given})
    assert (run["status"], run["error"]) == ("FAILED", "WRONG_INPUT")
    assert "publicParams" in run["cause"]


def test_run_names_a_tenant(runs_of_any_tenant):
    assert runs_of_any_tenant.end(INPUT)["error"] == "WRONG_INPUT"


def test_run_for_another_tenant_is_rejected(runs):
    run = runs.end(INPUT | {"tokenHash": OTHER})
    assert (run["status"], run["error"]) == ("FAILED", "WRONG_TENANT")


@pytest.mark.parametrize("given", [{}, {"tokenHash": HASH}], ids=["left out", "named"])
def test_hash_of_the_tenant_of_the_stack_is_accepted(runs, given):
    runs.s3.put_object(Bucket=runs.bucket, Key="incoming/rows/empty.jsonl", Body=b"")
    assert runs.end(INPUT | given)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_batch_that_is_too_large_comes_back_as_failed_rows(runs, faults, format):
    """With the rows that a batch has room for: the response fits a task."""
    place = "incoming/large/"
    row = {"openid": "too-large", "groups": "g"}
    row["groups"] *= BATCH_BYTES // BATCH - len(json.dumps({"index": 999, "row": row}, separators=(",", ":"))) - 2
    rows = [row] * (BATCH * 3 // 2)
    header = "openid,groups\n"
    lines = [f"{one['openid']},{one['groups']}" if format == "csv" else json.dumps(one) for one in rows]
    text = (header if format == "csv" else "") + "\n".join(lines)
    runs.s3.put_object(Bucket=runs.bucket, Key=f"{place}rows.{format}", Body=text.encode())
    faults.set("too-large", error="PAYLOAD_TOO_LARGE")
    try:
        run = runs.end(INPUT | {"prefix": place, "format": format})
    finally:
        faults.clear()
        runs.s3.delete_object(Bucket=runs.bucket, Key=f"{place}rows.{format}")
    assert run["status"] == "SUCCEEDED", run
    failed = runs.failed_rows(run)
    reason = {"errorCode": "PAYLOAD_TOO_LARGE", "retryable": False}
    assert [{**one, "errorMsg": ""} for one in failed] == [
        {**row, **reason, "index": index, "errorMsg": ""} for index in range(len(rows))
    ]
    assert all(one["errorMsg"] for one in failed)


@pytest.fixture(scope="module")
def decide(emulator, pinned):
    """The decision of IAM about an action of the state machine."""
    iam = emulator.client("iam")
    arn = iam.get_role(RoleName=pinned.resources()["BulkImportRole"])["Role"]["Arn"]

    def simulate(action, resource):
        result = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=[action], ResourceArns=[resource])
        return result["EvaluationResults"][0]["EvalDecision"]

    return simulate


def test_role_may_do_what_a_run_needs_and_nothing_else(decide, runs):
    bucket = f"arn:aws:s3:::{runs.bucket}"
    execution = runs.machine.replace(":stateMachine:", ":execution:")
    allowed = [
        ("lambda:InvokeFunction", FUNCTION),
        ("s3:GetObject", f"{bucket}/incoming/rows.csv"),
        ("s3:PutObject", f"{bucket}/results/run/manifest.json"),
        ("states:StartExecution", runs.machine),
        ("states:RedriveExecution", f"{execution}/Csv:1"),
    ]
    denied = [
        ("lambda:InvokeFunction", f"{FUNCTION}-other"),
        ("lambda:UpdateFunctionCode", FUNCTION),
        ("s3:PutObject", f"{bucket}/incoming/rows.csv"),
        ("s3:DeleteObject", f"{bucket}/incoming/rows.csv"),
        ("s3:GetObject", "arn:aws:s3:::other/incoming/rows.csv"),
        ("states:StartExecution", f"{runs.machine}-other"),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:000000000000:table/tenants"),
    ]
    assert [case for case in allowed if decide(*case) != "allowed"] == []
    assert [case for case in denied if decide(*case) == "allowed"] == []
