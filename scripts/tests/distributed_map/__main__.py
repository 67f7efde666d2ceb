"""Starts ministack, completed."""

import json

import ministack.services.stepfunctions as states
from ministack.app import main

from . import expressions, invocations, map_run, reader

handle, describe = states.handle_request, states._describe_execution


async def handle_request(method, path, headers, body, query):
    if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
        return states._finalize_response(map_run.redrive(json.loads(body)))
    return await handle(method, path, headers, body, query)


def describe_execution(data):
    status, headers, body = describe(data)
    execution = states._executions.get(data.get("executionArn"), {})
    redriven = {name: execution[name] for name in ("redriveCount", "redriveDate") if name in execution}
    return status, headers, json.dumps({**json.loads(body), **redriven}).encode()


expressions.install()
invocations.install()
states.handle_request = handle_request
states._describe_execution = describe_execution
states._run_distributed_map = map_run.distributed
states._s3_object_text = reader.text_of

if __name__ == "__main__":
    main()
