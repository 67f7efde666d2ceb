"""A run: an execution of the bulk stack's state machine, and its Map Run."""

import json
import re
import secrets
import time

from aws_tools import client as aws
from aws_tools.client import BotoCoreError, ClientError

# Between two looks at a run: DescribeMapRun may be called once a second (Step Functions quotas).
PAUSE = 1
PAUSE_AFTER_FAILURE = 5

# So many looks in succession may fail: the run is on AWS, so a network that is down for some minutes ends nothing, and
# descriptions may be some seconds late (API_DescribeExecution), also of whether there is a run.
FAILURES = 60


class Run:
    """A run as it was when it was last looked at."""

    def __init__(self, client, machine, name):
        self.client, self.name = client, name
        self.arn = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
        self.execution, self.map_run = {}, {}
        self.total = self.failed = self.done = 0
        # How often it must have been redriven for a description to be no older than this command.
        self.redrives = 0

    def look(self):
        self.execution = self.client.describe_execution(executionArn=self.arn)
        given = json.loads(self.execution["input"])
        # Of a run that another program started it may be anything.
        self.input = given if isinstance(given, dict) else {}
        if not self.map_run:
            # After a redrive it is the same.
            self.map_run = next(iter(self.client.list_map_runs(executionArn=self.arn)["mapRuns"]), {})
        if self.map_run:
            self.map_run = self.client.describe_map_run(mapRunArn=self.map_run["mapRunArn"])
            items = self.map_run["itemCounts"]
            self.total = items["total"]
            # Rows in batches that failed as a whole.
            self.failed = items["failed"] + items["timedOut"] + items["aborted"]
            self.done = items["succeeded"] + self.failed

    @property
    def is_dry(self):
        params = self.input.get("publicParams")
        return isinstance(params, dict) and bool(params.get("dryRun"))

    @property
    def has_succeeded(self):
        return self.execution["status"] == "SUCCEEDED"

    @property
    def has_ended(self):
        """Whether it has ended, and what is known of it is of its end."""
        if self.execution["status"] == "RUNNING" or self.execution.get("redriveCount", 0) < self.redrives:
            return False
        return self.map_run["status"] != "RUNNING" if self.map_run else not self.has_succeeded

    @property
    def ending(self):
        error, cause = self.execution.get("error"), self.execution.get("cause")
        reason = (f": {error}" if error else "") + (f" ({cause.rstrip('.')})" if cause else "")
        return f"the run {self.name} {self.execution['status'].lower().replace('_', ' ')}{reason}"

    @property
    def seconds(self):
        """How long it has been running; of one that was redriven, the time between does not count."""
        ended = self.execution.get("stopDate") or self.execution["startDate"]
        return max((ended - (self.execution.get("redriveDate") or self.execution["startDate"])).total_seconds(), 0)

    def redrive(self):
        self.client.redrive_execution(executionArn=self.arn)
        self.redrives = self.execution.get("redriveCount", 0) + 1

    def watch(self, bar):
        """Shows the rows that are done until the run has ended."""
        failures = 0
        while True:
            try:
                self.look()
                failures = 0
            except (BotoCoreError, ClientError) as error:
                failures += 1
                if failures > FAILURES:
                    raise
                if failures == 1:
                    aws.say(f"no response from AWS, trying again: {aws.reason(error)}")
                time.sleep(PAUSE_AFTER_FAILURE)
                continue
            if self.map_run:
                bar.total = max(self.input.get("rows", 0), self.total) or None
                bar.set_postfix_str(f"{self.failed:,} in failed batches", refresh=False)
                bar.update(self.done - bar.n)
            if self.has_ended:
                return
            time.sleep(PAUSE)


def new_name(stem):
    """A name that says what is imported and when, and that no other run has."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:40] or "import"
    return f"{stem}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
