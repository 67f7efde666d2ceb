"""The command as people run it, and what it uses."""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from deploy.stack import PROJECT, TENANT, TOKEN

SCRIPT = PROJECT / "scripts" / "bulk"
TEMPLATE = PROJECT / "bulk" / "template.yaml"

MAIL = "operator@example.com"

HASH = hashlib.sha256(TOKEN.encode()).hexdigest()


class Bulk:
    """The command on a deployed stack."""

    def __init__(self, emulator, stack, tables):
        self.emulator, self.stack, self.tables = emulator, stack, tables
        self.s3, self.states = (emulator.client(name) for name in ("s3", "stepfunctions"))
        outputs = stack.outputs()
        self.bucket, self.machine, self.function = (
            outputs[name] for name in ("Bucket", "StateMachineArn", "FunctionArn")
        )

    def start(self, *arguments, cwd, states=None):
        """Starts the command in a directory; `states` is another address of Step Functions."""
        environment = {
            **os.environ,
            **self.emulator.variables,
            "AWS_ENDPOINT_URL_SFN": states or self.emulator.endpoint,
        }
        return subprocess.Popen(
            [sys.executable, SCRIPT, *map(str, arguments), "--stack", self.stack.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env=environment,
        )

    def run(self, *arguments, cwd, **options):
        """Runs the command to its end; the result has its output, in which no hash of a token may be."""
        process = self.start(*arguments, cwd=cwd, **options)
        process.out, process.err = process.communicate(timeout=600)
        assert HASH not in process.out + process.err
        return process

    def import_(self, *arguments, cwd, **options):
        return self.run(*arguments, "--tenant", TENANT, "--match", "fuzzy", cwd=cwd, **options)

    def put(self, key, data):
        """Puts an object where runs read, as another program would."""
        self.s3.put_object(Bucket=self.bucket, Key=f"incoming/{key}", Body=data)

    def pairs(self, seed):
        """The memberships in the groups of the rows that were made with a seed."""
        return self.tables.pairs(f"{seed}-")

    def arn(self, name):
        """The ARN of a run."""
        return f"{self.machine.replace(':stateMachine:', ':execution:')}:{name}"

    def execute(self, given):
        """A run by its input, when it has ended."""
        arn = self.states.start_execution(stateMachineArn=self.machine, input=json.dumps(given))["executionArn"]
        while (run := self.states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            time.sleep(0.1)
        return run

    def is_running(self, name):
        """Whether the run's batches are under way."""
        try:
            return bool(self.states.list_map_runs(executionArn=self.arn(name))["mapRuns"])
        except self.states.exceptions.ExecutionDoesNotExist:
            return False

    def last_run(self):
        (newest, *_) = self.states.list_executions(stateMachineArn=self.machine)["executions"]
        return newest["name"]

    def kill_function(self):
        """Kills a process of the function, if there is one."""
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields["PPid"] == str(self.emulator.process.pid) and fields["Name"] == "bootstrap":
                os.kill(int(fields["Pid"]), signal.SIGKILL)
                return
