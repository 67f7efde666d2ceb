"""Each documented response that this service can give, against docs/openapi.yaml.

A generator of requests hits them by chance at best. 201, 403, 500 and 503 need a second request at the right moment,
another tenant or a broken database: the integration tests have them.
"""

import urllib.parse
import uuid

import pytest

from api import specification

RETIRED_PATH = "/api/integrate/audience/group/batchAdd"

NO_MATCHING = {"isMatching": False, "optType": "add"}
EXACT = {"isMatching": True, "matchingType": 1, "optType": "add", "explain": True}
FUZZY = {"isMatching": True, "matchingType": 2, "identifyWay": 2, "optType": "add", "explain": True}

# Of the demo data; the phone belongs to two customers.
FIRST = {"unionid": "u0001", "groups": "vip"}
AMBIGUOUS = {"phone": "13800000101", "groups": "vip"}


def imported(params, *records):
    return {"publicParams": params, "data": list(records)}


GOOD = imported(NO_MATCHING, {"audienceUserId": "c0001", "groups": "vip"})
EVERY_FAILURE = imported(
    EXACT,
    FIRST,
    {**FIRST, "phone": 13800000001},
    {"groups": "vip"},
    {"unionid": "u0001"},
    {**FIRST, "openid": "nobody"},
    {**FIRST, "openid": "o0002"},
    AMBIGUOUS,
)

# The status, the codes of the failed records or else of the response, and the request where it is not a good one.
RESPONSES = {
    "all imported": (200, [], {}),
    "some imported": (
        200,
        ["INVALID_FIELD", "MISSING_IDENTIFIER", "MISSING_GROUPS", "NOT_MATCHED", "CONFLICT", "AMBIGUOUS"],
        {"body": EVERY_FAILURE},
    ),
    "none imported": (200, ["AMBIGUOUS"], {"body": imported(FUZZY, AMBIGUOUS)}),
    "no JSON": (400, ["PARAM_ERROR"], {"body": b"{"}),
    "wrong parameter": (400, ["PARAM_ERROR"], {"body": imported({**FUZZY, "identifyWay": 3}, FIRST)}),
    "near miss of a parameter": (400, ["PARAM_ERROR"], {"body": imported({**FUZZY, "dry_run": True}, FIRST)}),
    "invalid key": (400, ["PARAM_ERROR"], {"Idempotency-Key": "a b"}),
    "unknown token": (401, ["TOKEN_ERROR"], {"X-Token": "unknown"}),
    "another path": (404, ["NOT_FOUND"], {"path": "/api"}),
    "retired path": (404, ["NOT_FOUND"], {"path": RETIRED_PATH}),
    "another method": (405, ["METHOD_NOT_ALLOWED"], {"method": "PUT"}),
    "too many records": (413, ["PAYLOAD_TOO_LARGE"], {"body": imported(NO_MATCHING, *[{}] * 5001)}),
    "body too large": (413, ["PAYLOAD_TOO_LARGE"], {"body": b" " * 2097153}),
    "another content type": (415, ["UNSUPPORTED_MEDIA_TYPE"], {"Content-Type": "text/plain"}),
}
KEY_REUSED = (422, ["IDEMPOTENCY_KEY_REUSED"])

# Codes that no request here returns; SUCCESS has no failed record.
ELSEWHERE = {"SUCCESS", "IN_PROGRESS", "FORBIDDEN", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "STORE_ERROR", "TIMEOUT"}


@pytest.fixture
def send(service, document):
    """Sends a request and validates the response."""
    strict = specification.without_gateway(document)

    def request(method="POST", path="", body=GOOD, **headers):
        response = service.request(method, urllib.parse.urljoin(service.url, path), body, **headers)
        assert errors(response, strict) == []
        return response

    return request


def errors(response, document):
    """How a response differs from the document."""
    name = reference(document["paths"][specification.PATH]["post"]["responses"][str(response.status_code)])
    documented = document["components"]["responses"][name]
    found = specification.errors(documented["content"]["application/json"]["schema"], response.json(), document)
    for header, referred in documented.get("headers", {}).items():
        definition = document["components"]["headers"][reference(referred)]
        if header in response.headers:
            found += specification.errors(definition["schema"], response.headers[header], document)
        elif definition["required"]:
            found.append(f"no {header}")
    return found


def reference(referring):
    return referring["$ref"].rsplit("/", 1)[1]


def codes(response):
    body = response.json()
    if response.status_code == 200:
        return [record["errorCode"] for record in body["data"]["errorData"] or []]
    return [body["errorCode"]]


@pytest.mark.parametrize(("status", "expected", "request_"), RESPONSES.values(), ids=RESPONSES)
def test_response_is_documented(send, status, expected, request_):
    response = send(**request_)
    assert (response.status_code, codes(response)) == (status, expected)


def test_every_other_documented_code_is_known(document):
    schemas = document["components"]["schemas"]
    fields = (schemas[name]["properties"]["errorCode"] for name in ("Envelope", "FailedRecord"))
    documented = {code for field in fields for code in field["x-extensible-enum"]}
    tested = {code for _, expected, *_ in (*RESPONSES.values(), KEY_REUSED) for code in expected}
    assert documented - tested == ELSEWHERE


def test_retired_path_names_the_new_one(send):
    assert specification.PATH in send(path=RETIRED_PATH).json()["msg"]


def test_matches_are_explained_in_each_documented_way(send, document):
    identifiers = ({"unionid": "u0001"}, {"openid": "o0001"}, {"phone": "13800000001"}, {"audienceUserId": "c0001"})
    found = set()
    for params in (NO_MATCHING, EXACT, FUZZY):
        for identifier in identifiers:
            body = imported({**params, "dryRun": True, "explain": True}, {**identifier, "groups": "vip"})
            found |= {match["matchedBy"] for match in send(body=body).json()["data"]["matches"]}
    assert found == set(document["components"]["schemas"]["Match"]["properties"]["matchedBy"]["x-extensible-enum"])


def test_a_repeated_key_replays_the_response(send):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, second = send(**key), send(**key)
    assert [(response.status_code, codes(response)) for response in (first, second)] == [(200, [])] * 2
    assert [response.headers.get("Idempotent-Replayed") for response in (first, second)] == [None, "true"]
    assert first.json() == second.json()
    reused = send(body=imported(EXACT, FIRST), **key)
    assert (reused.status_code, codes(reused)) == KEY_REUSED
