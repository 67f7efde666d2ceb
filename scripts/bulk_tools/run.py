"""A run: an execution of the bulk stack's state machine, and its Map Run."""

import json
import re
import secrets
import time
from dataclasses import dataclass

from aws_tools import client as aws
from aws_tools.client import BotoCoreError, ClientError, Failure, code

# Between two looks at a run: DescribeMapRun may be called once a second (Step Functions quotas).
PAUSE = 1
# After a look that brought no answer.
PAUSE_AFTER_FAILURE = 10

# Descriptions may be some seconds late (API_DescribeExecution), also of whether there is a run.
LOOKS_FOR_A_NEW_RUN = 20

ENDINGS = {"SUCCEEDED": "succeeded", "FAILED": "failed", "TIMED_OUT": "timed out", "ABORTED": "was stopped"}


@dataclass(frozen=True)
class Counts:
    """The rows of a run, by the state of their batches."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    batches: int = 0

    @classmethod
    def of(cls, described):
        items = described["itemCounts"]
        failed = items["failed"] + items["timedOut"] + items["aborted"]
        return cls(items["total"], items["succeeded"], failed, described["executionCounts"]["total"])

    @property
    def done(self):
        return self.succeeded + self.failed


class Run:
    """A run that exists, as it was when it was last looked at."""

    def __init__(self, client, arn):
        self.client, self.arn = client, arn
        self.name = arn.rsplit(":", 1)[1]
        self.map_run = self.described = None
        self.execution = client.describe_execution(executionArn=arn)
        self.input = json.loads(self.execution["input"])
        # How often it was let go on, by this command too.
        self.redrives = self.execution.get("redriveCount", 0)

    @classmethod
    def start(cls, client, machine, name, input):
        arn = client.start_execution(stateMachineArn=machine, name=name, input=json.dumps(input))["executionArn"]
        for _ in range(LOOKS_FOR_A_NEW_RUN):
            try:
                return cls(client, arn)
            except ClientError as error:
                if code(error) != "ExecutionDoesNotExist":
                    raise
            time.sleep(PAUSE)
        raise Failure(f"the run {name} was started, but AWS does not show it yet: --resume it")

    @classmethod
    def find(cls, client, machine, name):
        """A run by its name or its ARN."""
        prefix = machine.replace(":stateMachine:", ":execution:") + ":"
        try:
            return cls(client, prefix + name.removeprefix(prefix))
        except ClientError as error:
            if code(error) in ("ExecutionDoesNotExist", "InvalidArn"):
                raise Failure(f"the stack has no run {name}") from error
            raise

    def describe(self):
        """Looks at the run and returns its counts."""
        self.execution = self.client.describe_execution(executionArn=self.arn)
        # After a redrive the Map Run is the same.
        if self.map_run is None:
            found = self.client.list_map_runs(executionArn=self.arn)["mapRuns"]
            self.map_run = found[0]["mapRunArn"] if found else None
        if self.map_run is None:
            return Counts()
        self.described = self.client.describe_map_run(mapRunArn=self.map_run)
        return Counts.of(self.described)

    @property
    def status(self):
        return self.execution["status"]

    @property
    def ending(self):
        """How it ended."""
        error, cause = self.execution.get("error"), self.execution.get("cause")
        return ENDINGS[self.status] + (f": {error}" if error else "") + (f" ({cause.rstrip('.')})" if cause else "")

    @property
    def seconds(self):
        """How long it has been running; of one that was redriven, the time between does not count."""
        ended = self.execution.get("stopDate") or self.execution["startDate"]
        started = self.execution.get("redriveDate") or self.execution["startDate"]
        return max((ended - started).total_seconds(), 0)

    def redrive(self):
        try:
            self.client.redrive_execution(executionArn=self.arn)
        except ClientError as error:
            if code(error) == "ExecutionNotRedrivable":
                reason = error.response["Error"].get("Message", "").rstrip(".")
                raise Failure(f"the run {self.name} cannot go on: {reason}") from error
            raise
        self.redrives += 1

    def has_ended(self):
        """Whether it has ended, and what is known of it is of its end."""
        if self.status == "RUNNING" or self.execution.get("redriveCount", 0) < self.redrives:
            return False
        if self.map_run is None:
            return self.status != "SUCCEEDED"
        return self.described["status"] != "RUNNING"

    def watch(self, show, say):
        """Shows the counts until the run has ended, and returns them; says what is in the way."""
        silent = False
        while True:
            try:
                counts = self.describe()
                silent = False
            except (BotoCoreError, ClientError) as error:
                # The run is on AWS, so a network that is down ends nothing.
                if isinstance(error, ClientError) and aws.is_rejection(error):
                    raise
                if not silent:
                    say(f"no answer from AWS, trying again: {error}")
                silent = True
                time.sleep(PAUSE_AFTER_FAILURE)
                continue
            show(counts)
            if self.has_ended():
                return counts
            time.sleep(PAUSE)


def new_name(stem):
    """A name that says what is imported and when, and that no other run has."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:40] or "import"
    return f"{stem}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
