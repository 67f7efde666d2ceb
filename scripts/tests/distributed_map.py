"""ministack with what its Distributed Map lacks, for tests only. `python -m distributed_map` starts it.

Follows these pages of the AWS Step Functions Developer Guide (docs.aws.amazon.com/step-functions/latest/dg/):

- state-map-distributed.html, input-output-itemreader.html: objects that are compressed; arguments in JSONata
- input-output-itemselector.html, input-output-contextobject.html: Map.Item.Index and Map.Item.Value
- input-output-itembatcher.html: batches by number and by bytes, with BatchInput
- input-output-resultwriter.html: manifest.json, SUCCEEDED_n, FAILED_n and PENDING_n; FLATTEN, JSONL
- state-map-distributed.html, tolerated failures: what failed is counted in items; the rest is not started
- redrive-map-run.html and API_RedriveExecution.html: failed, aborted and pending children run again under their Map Run
- connect-lambda.html, concepts-error-handling.html: the name of a throttled invocation's error

Not documented, and so decided here: a child that runs when the run fails is counted as aborted once its invocation has
ended; what a redriven run writes takes the place of what it wrote before. docs/bulk.md lists what only AWS can show.

It replaces private names of ministack, so it fits the version that scripts/requirements/emulator.in pins.
"""

import collections
import contextvars
import copy
import gzip
import json
import os
import pathlib
import threading
from concurrent.futures import ThreadPoolExecutor

import jsonata
import ministack.services.stepfunctions as states
from ministack.app import main
from ministack.services import s3
from ministack.services.stepfunctions import _ExecutionError

parse, handle, describe = jsonata.Jsonata.jsonata, states.handle_request, states._describe_execution
call = states._call_lambda

# A file with the fault that a test sets: the `text` that an invocation holds to meet it, the `error` or the `response`
# that it gets, and how many `times` (always, if left out).
FAULT = pathlib.Path(os.environ["TMPDIR"], "fault.json")

met = collections.Counter()

# Evaluated for each of many thousand rows, this would take minutes.
SELECTOR = {"index": "{% $states.context.Map.Item.Index %}", "row": "{% $states.context.Map.Item.Value %}"}

STATUSES = ("pending", "running", "succeeded", "failed", "timedOut", "aborted")

# The runs that may be redriven, by the ARN of their execution.
runs = {}


def value_of(field, given, context):
    """What a field says, its expressions evaluated."""
    return states._apply_jsonata_template(field, given, context)


def text(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size(value):
    return len(text(value).encode())


def invoke(function, event):
    """Takes the place of ministack's call of a function, with faults that no input of the real one makes."""
    fault = FAULT.exists() and json.loads(FAULT.read_text())
    if fault and fault["text"] in text(event) and met[text(fault)] < fault.get("times", float("inf")):
        met[text(fault)] += 1
        if "error" in fault:
            cause = {"errorType": fault["error"], "errorMessage": "a fault of the test"}
            raise _ExecutionError(fault["error"], text(cause))
        return fault["response"]
    return call(function, event)


def text_of(bucket, key):
    """Takes the place of ministack's text of an object."""
    _, _, body = s3._get_object(bucket, key, {})
    return (gzip.decompress(body) if key.endswith(".gz") else bytes(body)).decode()


def batches(state, given, context):
    """ItemReader, ItemSelector and ItemBatcher: the inputs of the children. Both limits of a batch hold, and that of
    bytes counts the whole input."""
    values = states._read_map_items(value_of(state["ItemReader"], given, context), given, context)
    if state["ItemSelector"] != SELECTOR:
        raise NotImplementedError("items are selected as a row with its index only")
    batcher = state["ItemBatcher"]
    most_items, most_bytes = batcher["MaxItemsPerBatch"], batcher["MaxInputBytesPerBatch"]
    shared = {"BatchInput": value_of(batcher["BatchInput"], given, context)}
    empty = size({**shared, "Items": []})
    found, used = [], 0
    for index, value in enumerate(values):
        item = {"index": index, "row": value}
        needed = size(item) + 1
        if not found or len(found[-1]) == most_items or used + needed > most_bytes:
            found.append([])
            used = empty
        found[-1].append(item)
        used += needed
    return [{**shared, "Items": items} for items in found]


def distributed(state, given, _effective, iterator, execution, context):
    """Takes the place of ministack's distributed Map."""
    arn = execution["executionArn"]
    if arn not in runs:
        runs[arn] = MapRun(state, given, execution, context)
    runs[arn].process(iterator)
    # Nobody reads the output of a run.
    return {}, states._next_or_end(state)


class MapRun:
    """Its children, and what it counts."""

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

    def process(self, iterator):
        """Runs the children; of a redriven run those that did not succeed."""
        self.record["status"] = "RUNNING"
        pending = [child for child in self.children if child["status"] != "SUCCEEDED"]
        for child in pending:
            self.move(child, "PENDING")
        with ThreadPoolExecutor(self.record["maxConcurrency"] or 64) as pool:
            started = [pool.submit(contextvars.copy_context().run, self.run, child, iterator) for child in pending]
        for one in started:
            one.result()
        failed = self.has_failed()
        self.write()
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

    def write(self):
        """ResultWriter: the results as objects in S3."""
        writer = self.state["ResultWriter"]
        if writer["WriterConfig"] != {"Transformation": "FLATTEN", "OutputType": "JSONL"}:
            raise NotImplementedError("results are written as flattened JSON Lines only")
        place = value_of(writer["Arguments"], self.given, self.context)
        folder = f"{place['Prefix']}/{self.record['mapRunArn'].rsplit(':', 1)[1]}"
        results = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
        for child in self.children:
            results[child["status"].replace("ABORTED", "FAILED")] += map(text, results_of(child))
        keys = {status: f"{folder}/{status}_0.jsonl" for status, lines in results.items() if lines}
        for status, key in keys.items():
            s3._put_object(place["Bucket"], key, "".join(f"{line}\n" for line in results[status]).encode(), {})
        files = {status: [{"Key": keys[status]}] if status in keys else [] for status in results}
        s3._put_object(place["Bucket"], f"{folder}/manifest.json", text({"ResultFiles": files}).encode(), {})


def results_of(child):
    """What succeeded is its output, flattened; what did not, the whole child."""
    if child["status"] == "SUCCEEDED":
        return child["output"]
    reason = {name.title(): child[name] for name in ("error", "cause") if name in child}
    return [{"Status": child["status"], "Input": text(child["input"]), **reason}]


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


async def handle_request(method, path, headers, body, query):
    if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
        return states._finalize_response(redrive(json.loads(body)))
    return await handle(method, path, headers, body, query)


def describe_execution(data):
    status, headers, body = describe(data)
    execution = states._executions.get(data.get("executionArn"), {})
    redriven = {name: execution[name] for name in ("redriveCount", "redriveDate") if name in execution}
    return status, headers, json.dumps({**json.loads(body), **redriven}).encode()


# Expressions without ministack's limit of a second: that a machine is slow is no defect of a definition.
jsonata.Jsonata.jsonata = lambda expression, timeout=None: parse(expression)
states.handle_request = handle_request
states._describe_execution = describe_execution
states._call_lambda = invoke
states._run_distributed_map = distributed
states._s3_object_text = text_of

if __name__ == "__main__":
    main()
