"""Starts ministack, completed."""

import ministack.services.stepfunctions as states
from ministack.app import main

from . import expressions, invocations, map_run

handle = states.handle_request


async def handle_request(method, path, headers, body, query):
    if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
        return states._finalize_response(map_run.redrive(states.json.loads(body)))
    return await handle(method, path, headers, body, query)


expressions.install()
invocations.install()
states.handle_request = handle_request
states._run_distributed_map = map_run.distributed

if __name__ == "__main__":
    main()
