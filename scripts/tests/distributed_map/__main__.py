"""Starts ministack, completed."""

import json

import jsonata
import ministack.services.stepfunctions as states
from ministack.app import main

from . import invocations, items, map_run

parse, handle, describe = jsonata.Jsonata.jsonata, states.handle_request, states._describe_execution


async def handle_request(method, path, headers, body, query):
    if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
        return states._finalize_response(map_run.redrive(json.loads(body)))
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
states._call_lambda = invocations.invoke
states._run_distributed_map = map_run.distributed
states._s3_object_text = items.text_of

if __name__ == "__main__":
    main()
