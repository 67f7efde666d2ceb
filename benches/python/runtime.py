"""The loop of Lambda's Python runtime: gets an event from the Runtime API, sends its response, and starts again."""

import http.client
import json
import os
import traceback
from types import SimpleNamespace

from handler import handle

ROOT = "/2018-06-01/runtime/invocation"


def call(connection, method, path, body=None):
    connection.request(method, f"{ROOT}/{path}", body)
    response = connection.getresponse()
    return response, response.read()


def main():
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        response, event = call(connection, "GET", "next")
        request_id = response.headers["lambda-runtime-aws-request-id"]
        try:
            result = handle(json.loads(event), SimpleNamespace(aws_request_id=request_id))
            call(connection, "POST", f"{request_id}/response", json.dumps(result, ensure_ascii=False).encode())
        except Exception:
            error = {"errorMessage": traceback.format_exc(), "errorType": "Exception"}
            call(connection, "POST", f"{request_id}/error", json.dumps(error).encode())


main()
