"""Validation against docs/openapi.yaml, and a stricter form of it that the function alone is tested against."""

import copy

from jsonschema import Draft202012Validator

PATH = "/api/integrate/audience/info/batchAdd"

# Statuses that only API Gateway returns.
BY_GATEWAY = ("429", "502", "504", "default")

RETRYABLE = ["STORE_ERROR", "TIMEOUT"]


def ended(status, message, succeeded, failed):
    fields = {"status": {"const": status}, "message": {"const": message}}
    numbers = {"importSuccessNum": succeeded, "importFailNum": failed}
    listed = {"type": "null"} if failed == NONE else {"type": "array", "minItems": 1}
    return {"properties": {**fields, **numbers, "errorData": listed}}


NONE, SOME = {"const": 0}, {"minimum": 1}

# `data` of a response that is no rejection.
RESULTS = {
    "200": {
        "oneOf": [ended(1, "成功", SOME, NONE), ended(2, "部分导入成功", SOME, SOME), ended(-1, "失败", NONE, SOME)]
    },
    "201": {**ended(0, "进行中", NONE, NONE), "maxProperties": 5},
}


def errors(schema, value, document):
    """Why a value does not fit a schema of the document."""
    validator = Draft202012Validator({**schema, "components": document["components"]})
    return [error.message for error in validator.iter_errors(value)]


def examples(body):
    """The examples of a request's or a response's body."""
    content = body["content"]["application/json"]
    named = [example["value"] for example in content.get("examples", {}).values()]
    return named + ([content["example"]] if "example" in content else [])


def without_gateway(document):
    """The document for what the function itself returns: each status with its codes, and nothing undocumented.

    The document is plain, for generators of clients, and lets callers expect more. A record may be of any kind, as a
    wrong field fails the record and not the request.
    """
    strict = copy.deepcopy(document)
    components = strict["components"]
    statuses = strict["paths"][PATH]["post"]["responses"]
    for status in BY_GATEWAY:
        del statuses[status]
    for status, referring in statuses.items():
        response = components["responses"][referring["$ref"].rsplit("/", 1)[1]]
        codes = sorted({example["errorCode"] for example in examples(response) if "code" in example})
        fields = {
            "code": {"const": status},
            "errorCode": {"enum": codes},
            "data": RESULTS.get(status, {"type": "null"}),
        }
        schema = {"allOf": [{"$ref": "#/components/schemas/Envelope"}, {"properties": fields}]}
        # Without examples, which a generator of requests does not need.
        response["content"]["application/json"] = {"schema": schema}
    for header in ("RequestId", "RetryAfter"):
        components["headers"][header]["required"] = True
    close(components["schemas"])
    # Both spelled out, or next to no generated record would have a string in each field.
    record = components["schemas"]["ImportRecord"]
    record["properties"] = {name: {"anyOf": [field, {}]} for name, field in record["properties"].items()}
    return strict


def close(schemas):
    """Allows no field and no code that is not documented."""
    for name in ("Envelope", "ImportResult", "FailedRecord", "Match"):
        schemas[name]["additionalProperties"] = False
        for field in schemas[name]["properties"].values():
            if "x-extensible-enum" in field:
                field["enum"] = field["x-extensible-enum"]
    schemas["ImportResult"]["properties"]["dryRun"]["const"] = True
    failed = schemas["FailedRecord"]
    failed["if"] = {"properties": {"errorCode": {"enum": RETRYABLE}}}
    failed["then"] = {"properties": {"retryable": {"const": True}}}
    failed["else"] = {"properties": {"retryable": {"const": False}}}


def without_token(strict):
    """The document for a caller without a valid token, who gets 401 or 405."""
    reduced = copy.deepcopy(strict)
    post = reduced["paths"][PATH]["post"]
    post["responses"] = {status: post["responses"][status] for status in ("401", "405")}
    return reduced
