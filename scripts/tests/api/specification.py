"""Validation against docs/openapi.yaml, and the stricter forms of it that the function alone is tested against."""

import copy

from jsonschema import Draft202012Validator

PATH = "/api/integrate/audience/info/batchAdd"

# Statuses that only API Gateway returns.
BY_GATEWAY = ("429", "502", "504")

RETRYABLE = ["STORE_ERROR", "TIMEOUT"]


def errors(schema, value, document):
    """Why a value does not fit a schema of the document."""
    validator = Draft202012Validator({**schema, "components": document["components"]})
    return [error.message for error in validator.iter_errors(value)]


def without_gateway(document):
    """The document without API Gateway, and with records of any kind.

    Nothing stands before the function here, so responses of API Gateway itself are left out. A wrong field of a record
    fails that record, not the request (200, `INVALID_FIELD`), so every object is a valid record; what a caller should
    send stays documented as strings.
    """
    strict = copy.deepcopy(document)
    components = strict["components"]
    responses = strict["paths"][PATH]["post"]["responses"]
    for status in BY_GATEWAY:
        del responses[status]
    for response in components["responses"].values():
        content = response["content"]["application/json"]
        alternatives = content["schema"].get("oneOf")
        if alternatives:
            content["schema"] = alternatives[0]
        # Examples of both kinds, which a generator of requests does not need.
        content.pop("examples", None)
    for header in ("RequestId", "RetryAfter"):
        components["headers"][header]["required"] = True
    close(components["schemas"])
    # Both spelled out, or next to no generated record would have a string in each field.
    record = components["schemas"]["Record"]
    record["properties"] = {name: {"anyOf": [field, {}]} for name, field in record["properties"].items()}
    return strict


def close(schemas):
    """Allows no field and no code that is not documented: callers are to expect new ones, the function has none."""
    for name in ("Envelope", "ImportResult", "FailedRecord", "Match"):
        schemas[name]["additionalProperties"] = False
    for name in ("ErrorCode", "RecordErrorCode"):
        schemas[name]["enum"] = schemas[name]["x-extensible-enum"]
    schemas["FailedRecord"]["if"] = {"properties": {"errorCode": {"enum": RETRYABLE}}}
    schemas["FailedRecord"]["then"] = {"properties": {"retryable": {"const": True}}}
    schemas["FailedRecord"]["else"] = {"properties": {"retryable": {"const": False}}}


def without_token(strict):
    """The document for a caller without a valid token, who gets 401 or 405."""
    reduced = copy.deepcopy(strict)
    post = reduced["paths"][PATH]["post"]
    post["responses"] = {status: post["responses"][status] for status in ("401", "405")}
    return reduced
