"""A Map Run: its children, what it counts, and its redrive.

Not documented, and so decided here: a child that runs when the run fails is counted as aborted once its invocation has
ended.
"""

import contextvars
import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import ministack.services.stepfunctions as states
from ministack.services.stepfunctions import _ExecutionError

from . import writer
from .items import batches, text, value_of

# The most bytes of an input or an output (quotas for state machine executions).
MOST_BYTES = 262_144

STATUSES = ("pending", "running", "succeeded", "failed", "timedOut", "aborted")
# What a redrive runs again.
UNSUCCESSFUL = ("PENDING", "FAILED", "ABORTED")

# The runs that may be redriven, by the ARN of their execution.
runs = {}


def distributed(state, given, _effective, iterator, execution, context):
    """Takes the place of ministack's distributed Map."""
    run = runs.get(execution["executionArn"])
    if run is None:
        run = runs[execution["executionArn"]] = MapRun(state, given, execution, context)
    else:
        run.redrive()
    result = run.process(iterator)
    output = states._apply_jsonata_output(state, given, context, result=result, default=result)
    return output, states._next_or_end(state)


class MapRun:
    def __init__(self, state, given, execution, context):
        self.state, self.given, self.execution, self.context = state, given, execution, context
        self.lock = threading.Lock()
        inputs = batches(state, given, context)
        total = sum(len(one["Items"]) for one in inputs)
        *_, region, account, _, machine = execution["stateMachineArn"].split(":")
        place, label = f"arn:aws:states:{region}:{account}", f"{machine}/{state['Label']}"
        self.record = {
            "mapRunArn": f"{place}:mapRun:{label}:{states.new_uuid()}",
            "executionArn": execution["executionArn"],
            "status": "RUNNING",
            "startDate": states.now_iso(),
            "maxConcurrency": value_of(state["MaxConcurrency"], given, context),
            "toleratedFailurePercentage": value_of(state["ToleratedFailurePercentage"], given, context),
            "itemCounts": dict.fromkeys(STATUSES, 0) | {"pending": total, "total": total},
            "redriveCount": 0,
            "_stateMachineArn": f"{place}:stateMachine:{label}",
        }
        states._map_runs[self.record["mapRunArn"]] = self.record
        self.children = [
            {"status": "PENDING", "input": text(one), "output": None, "events": [], "_given": one} for one in inputs
        ]

    def move(self, child, status):
        counts, items = self.record["itemCounts"], len(child["_given"]["Items"])
        with self.lock:
            counts[child["status"].lower()] -= items
            counts[status.lower()] += items
            child["status"] = status

    def has_failed(self):
        """Whether more failed than is tolerated, or the execution was stopped."""
        items = self.record["itemCounts"]
        tolerated = self.record["toleratedFailurePercentage"] * items["total"]
        return items["failed"] * 100 > tolerated or self.execution["status"] != "RUNNING"

    def redrive(self):
        self.record.update(status="RUNNING", redriveCount=self.record["redriveCount"] + 1)
        self.record.pop("stopDate", None)
        for child in self.children:
            if child["status"] in UNSUCCESSFUL:
                self.move(child, "PENDING")
                child.update(error=None, cause=None, events=[])

    def process(self, iterator):
        """Runs the children that are pending, and returns the result of the Map state."""
        with ThreadPoolExecutor(self.record["maxConcurrency"] or 64) as pool:
            started = [
                pool.submit(contextvars.copy_context().run, self.run, child, iterator)
                for child in self.children
                if child["status"] == "PENDING"
            ]
        for one in started:
            one.result()
        failed = self.has_failed()
        result = writer.write(self.state["ResultWriter"], self.record, self.children, self.given, self.context)
        self.record.update(status="FAILED" if failed else "SUCCEEDED", stopDate=states.now_iso())
        if failed:
            raise _ExecutionError(
                "States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded"
            )
        return result

    def run(self, child, iterator):
        if self.has_failed():
            return
        self.move(child, "RUNNING")
        # Numbers of this child's own: ministack keeps the state's name and its retries in the context.
        context = {**copy.deepcopy(self.context), "State": {}, "variables": {}}
        try:
            if len(child["input"].encode()) > MOST_BYTES:
                raise _ExecutionError("States.DataLimitExceeded", "the input is over 256 KiB")
            output = states._run_sub_machine(iterator["States"], iterator["StartAt"], child["_given"], child, context)
            child["output"] = text(output)
            if len(child["output"].encode()) > MOST_BYTES:
                raise _ExecutionError("States.DataLimitExceeded", "the output is over 256 KiB")
            status = "SUCCEEDED"
        except _ExecutionError as error:
            child.update(error=error.error, cause=error.cause)
            status = "FAILED"
        if self.has_failed():
            status, child["output"] = "ABORTED", None
        # The events hold its rows, several times.
        child["events"] = []
        self.move(child, status)


def redrive(data):
    """RedriveExecution. The states before the one that failed run again, too: they lead to it as before."""
    execution = states._executions[data["executionArn"]]
    if execution["status"] in ("RUNNING", "SUCCEEDED"):
        cause = f"Execution is {execution['status']} and cannot be redriven"
        return states.error_response_json("ExecutionNotRedrivable", cause, 400)
    execution.update(status="RUNNING", stopDate=None, error=None, cause=None, output=None)
    execution.update(redriveCount=execution.get("redriveCount", 0) + 1, redriveDate=states.now_iso())
    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(states._run_execution, data["executionArn"]), daemon=True).start()
    return states.json_response({"redriveDate": execution["redriveDate"]})
