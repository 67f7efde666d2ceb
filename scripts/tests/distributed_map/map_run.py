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
from .items import batches, value_of

STATUSES = ("pending", "running", "succeeded", "failed", "timedOut", "aborted")

# The runs that may be redriven, by the ARN of their execution.
runs = {}


def distributed(state, given, _effective, iterator, execution, context):
    """Takes the place of ministack's distributed Map."""
    run = runs.get(execution["executionArn"])
    if run:
        run.redrive()
    else:
        run = runs[execution["executionArn"]] = MapRun(state, given, execution, context)
    run.process(iterator)
    # Nobody reads the output of a run.
    return {}, states._next_or_end(state)


class MapRun:
    def __init__(self, state, given, execution, context):
        self.state, self.given, self.execution, self.context = state, given, execution, context
        self.lock = threading.Lock()
        self.children = [{"status": "PENDING", "input": one, "events": []} for one in batches(state, given, context)]
        total = sum(len(child["input"]["Items"]) for child in self.children)
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
            "_stateMachineArn": f"{place}:stateMachine:{label}",
        }
        states._map_runs[self.record["mapRunArn"]] = self.record

    def move(self, child, status):
        counts, items = self.record["itemCounts"], len(child["input"]["Items"])
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
        self.record["status"] = "RUNNING"
        for child in self.children:
            if child["status"] != "SUCCEEDED":
                self.move(child, "PENDING")

    def process(self, iterator):
        """Runs the children that are pending."""
        pending = [child for child in self.children if child["status"] == "PENDING"]
        with ThreadPoolExecutor(self.record["maxConcurrency"] or 64) as pool:
            started = [pool.submit(contextvars.copy_context().run, self.run, child, iterator) for child in pending]
        for one in started:
            one.result()
        failed = self.has_failed()
        writer.write(self)
        self.record.update(status="FAILED" if failed else "SUCCEEDED", stopDate=states.now_iso())
        if failed:
            raise _ExecutionError("States.ExceedToleratedFailureThreshold", "More failed than is tolerated")

    def run(self, child, iterator):
        if self.has_failed():
            return
        self.move(child, "RUNNING")
        # Numbers of this child's own: ministack keeps the state's name and its retries in the context.
        context = {**copy.deepcopy(self.context), "State": {}, "variables": {}}
        start, status = iterator["StartAt"], "SUCCEEDED"
        try:
            child["output"] = states._run_sub_machine(iterator["States"], start, child["input"], child, context)
        except _ExecutionError as error:
            child.update(error=error.error, cause=error.cause)
            status = "FAILED"
        # The events hold its rows, several times.
        child["events"] = []
        self.move(child, "ABORTED" if self.has_failed() else status)


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
