"""The bulk stack as it is deployed: its bucket, and a stack for one tenant."""

import json
import re

import pytest

from deploy.bulk import rows
from deploy.bulk.command import TEMPLATE, TOPIC

REDRIVE_DAYS = 14


def test_bucket_is_private(bulk):
    blocked = bulk.s3.get_public_access_block(Bucket=bulk.bucket)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    policy = json.loads(bulk.s3.get_bucket_policy(Bucket=bulk.bucket)["Policy"])
    assert [one["Effect"] for one in policy["Statement"]] == ["Deny"]


def test_no_row_is_logged():
    # The emulator does not return the logging of a state machine.
    assert re.search(r"^ +IncludeExecutionData: false$", TEMPLATE.read_text(encoding="utf-8"), re.MULTILINE)


def test_files_cannot_be_deleted_while_a_run_can_be_redriven():
    keep_days = TEMPLATE.read_text(encoding="utf-8").partition("KeepDays:")[2]
    assert int(re.search(r"MinValue: (\d+)", keep_days)[1]) > REDRIVE_DAYS


def test_nobody_is_notified_unless_an_address_is_given(bulk):
    assert {"Ended", "EndedPolicy", "EndedRule"}.isdisjoint(bulk.stack.resources())
    assert alarm_of(bulk)["AlarmActions"] == []


def alarm_of(bulk):
    name = bulk.stack.resources()["FailedRunsAlarm"]
    (alarm,) = bulk.emulator.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return alarm


@pytest.fixture
def received(emulator, pinned):
    """What else is subscribed to the topic of the mails receives."""
    sqs, sns = emulator.client("sqs"), emulator.client("sns")
    from_topics = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**from_topics, "Resource": "*"}]}
    url = sqs.create_queue(QueueName="mails", Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=pinned.stack.resources()["Ended"], Protocol="sqs", Endpoint=arn)

    def receive():
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
        return json.loads(message["Body"])["Message"]

    return receive


def test_end_of_a_run_is_mailed(pinned, received, emulator):
    topic = pinned.stack.resources()["Ended"]
    (subscription, *_) = emulator.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "operator@example.com")
    pinned.states.start_execution(stateMachineArn=pinned.machine, name="mailed", input="{}")
    assert received() == (
        '"The bulk import mailed of bulk-of-one-tenant has ended: FAILED. Its rows:'
        " make bulk ARGS='--resume mailed --stack bulk-of-one-tenant'\""
    )
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
