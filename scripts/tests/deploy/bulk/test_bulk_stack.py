"""The bulk stack as it is deployed: its bucket and its role, the input of a run, and a stack for one tenant."""

import json

import pytest

from deploy.bulk import rows
from deploy.bulk.conftest import HASH, TOPIC

PARAMS = {"isMatching": False, "optType": "add"}
INPUT = {"tokenHash": HASH, "publicParams": PARAMS, "format": "jsonl", "prefix": "incoming/rows/"}

# Of a field, what is rejected; None is a field that is left out.
WRONG = {
    "publicParams": [None, "add", PARAMS | {"explain": True}],
    "tokenHash": [None, 7, HASH.upper()],
    "format": [None, "parquet"],
    "prefix": [None, 7, "results/rows/", "incoming/rows", "incoming/"],
}


def test_bucket_is_private(bulk):
    blocked = bulk.s3.get_public_access_block(Bucket=bulk.bucket)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    policy = json.loads(bulk.s3.get_bucket_policy(Bucket=bulk.bucket)["Policy"])
    assert [one["Effect"] for one in policy["Statement"]] == ["Deny"]


def test_nobody_is_notified_unless_an_address_is_given(bulk):
    assert [name for name in bulk.stack.resources() if name.startswith("Ended")] == []
    assert alarm_of(bulk)["AlarmActions"] == []


def alarm_of(bulk):
    name = bulk.stack.resources()["FailedRunsAlarm"]
    (alarm,) = bulk.emulator.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return alarm


def test_end_of_a_run_is_mailed(pinned, emulator):
    topic, sqs, sns = pinned.stack.resources()["Ended"], emulator.client("sqs"), emulator.client("sns")
    (mail,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (mail["Protocol"], mail["Endpoint"]) == ("email", "operator@example.com")
    # Which the emulator does not ask for.
    policy = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    assert {"Service": "events.amazonaws.com"} in [one["Principal"] for one in policy["Statement"]]
    # A queue receives the same.
    from_topics = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**from_topics, "Resource": "*"}]}
    url = sqs.create_queue(QueueName="mails", Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    pinned.states.start_execution(stateMachineArn=pinned.machine, name="mailed", input="{}")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert json.loads(message["Body"])["Message"] == (
        '"The bulk import mailed of bulk-of-one-tenant has ended: FAILED. Its rows:'
        " make bulk ARGS='--resume mailed --stack bulk-of-one-tenant'\""
    )
    for name, given in (("list", "[]"), ("file", '{"file": 7}')):
        pinned.states.start_execution(stateMachineArn=pinned.machine, name=name, input=given)
        assert f"error: the run {name} failed: " in pinned.run("--resume", name).err
    resumed = pinned.run("--resume", "mailed")
    assert (resumed.returncode, "the run mailed failed: WRONG_INPUT (Expected" in resumed.err) == (1, True)


def test_failed_run_raises_the_alarm(pinned):
    alarm = alarm_of(pinned)
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == ("AWS/States", "ExecutionsFailed", 1)
    assert alarm["Dimensions"] == [{"Name": "StateMachineArn", "Value": pinned.machine}]
    assert alarm["AlarmActions"] == [TOPIC]
    assert 'make bulk ARGS="--resume RUN --stack bulk-of-one-tenant"' in alarm["AlarmDescription"]


def test_stack_of_one_tenant_imports_for_it_alone(pinned):
    file = pinned.write("rows.jsonl", rows.json_lines([{"openid": "o1", "groups": "pinned-1"}]))
    ended = pinned.run(file, "--match", "fuzzy")
    assert ended.returncode == 0, ended.err
    assert pinned.pairs("pinned") == {("c1", "pinned-1")}

    named = pinned.import_(file, status=1)
    assert named.err == "error: bulk-of-one-tenant imports for one tenant only: leave --tenant and --token-hash out\n"


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
        ("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:000000000000:table/tenants"),
    ]
    assert [case for case in allowed if decide(*case) != "allowed"] == []
    assert [case for case in denied if decide(*case) == "allowed"] == []
