"""docs/openapi.yaml, and the stricter form of it to which the function alone is held."""

import copy

import yaml


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def of_the_function(specification):
    """The specification without API Gateway, and with records of any kind.

    API Gateway's own answers are left out: here nothing stands before the function, so it may not hide behind them.
    A wrong field of a record fails that record, not the request (200, `INVALID_FIELD`), so for an HTTP client every
    object is a good record. What a caller should send stays documented as strings.
    """
    strict = copy.deepcopy(specification)
    components = strict["components"]
    responses = strict["paths"]["/api/integrate/audience/info/batchAdd"]["post"]["responses"]
    del responses["429"], responses["504"]
    for response in components["responses"].values():
        content = response["content"]["application/json"]
        alternatives = content["schema"].get("oneOf")
        if alternatives:
            content["schema"] = alternatives[0]
        # Examples of both kinds; of no use to a client that generates requests.
        content.pop("examples", None)
    components["headers"]["RetryAfter"]["required"] = True
    # Both spelled out, or next to no generated record would have a string in each field.
    record = components["schemas"]["Record"]
    record["properties"] = {name: {"anyOf": [field, {}]} for name, field in record["properties"].items()}
    return strict


def of_a_stranger(strict):
    """The specification for a caller without a good token, who is told nothing but that and the method."""
    reduced = copy.deepcopy(strict)
    responses = reduced["paths"]["/api/integrate/audience/info/batchAdd"]["post"]["responses"]
    for status in [status for status in responses if status not in ("401", "405")]:
        del responses[status]
    return reduced
