"""Invocations by a task, with faults that no input of the real function makes."""

import collections
import json
import os
import pathlib

import ministack.services.stepfunctions as states
from ministack.services.stepfunctions import _ExecutionError

from .items import text

# A file with the fault that a test sets: the `text` that an invocation holds to meet it, the `error` or the `response`
# that it gets, and how many `times` (always, if left out).
FAULT = pathlib.Path(os.environ["TMPDIR"], "fault.json")

met = collections.Counter()

call = states._call_lambda


def invoke(function, event):
    """Takes the place of ministack's call of a function."""
    fault = FAULT.exists() and json.loads(FAULT.read_text())
    if fault and fault["text"] in text(event) and met[text(fault)] < fault.get("times", float("inf")):
        met[text(fault)] += 1
        if "error" in fault:
            cause = {"errorType": fault["error"], "errorMessage": "a fault of the test"}
            raise _ExecutionError(fault["error"], text(cause))
        return fault["response"]
    return call(function, event)
