"""Invocations by a task: the names of their errors, and faults that no input of the real function makes."""

import json
import os
import pathlib

import ministack.services.stepfunctions as states
from ministack.services.stepfunctions import _ExecutionError

from .sizes import text

# A file that the tests write: texts, and the error of each invocation that holds one of them.
FAULTS = pathlib.Path(os.environ["INVOCATION_FAULTS"])


def install():
    call = states._call_lambda

    def invoked(function, event):
        payload = text(event)
        for held, error in json.loads(FAULTS.read_text()).items():
            if held in payload:
                raise _ExecutionError(error, text({"errorType": error, "errorMessage": "a fault of the test"}))
        try:
            return call(function, event)
        except _ExecutionError as error:
            raise _ExecutionError(name_of(error), error.cause) from error

    states._call_lambda = invoked


def name_of(error):
    """The name as AWS has it: of a throttled invocation, and of a process that ended while it started."""
    if "TooManyRequestsException" in error.cause:
        return "Lambda.TooManyRequestsException"
    return "Runtime.ExitError" if error.error == "Runtime.Unknown" else error.error
