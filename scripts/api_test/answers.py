"""Brings about each documented answer that can be had here, and holds it against docs/openapi.yaml.

What a generator of requests hits by chance at best. 201, 403, 500 and 503 need a second request at the right moment,
another tenant or a broken database: tests/integration has them.
"""

import http.client
import json
import urllib.parse
import uuid

from jsonschema import Draft202012Validator
from service import TOKEN

ADDRESS = "/api/integrate/audience/info/batchAdd"
RETIRED_ADDRESS = "/api/integrate/audience/group/batchAdd"

NO_MATCHING = {"isMatching": False, "optType": "add"}
EXACT = {"isMatching": True, "matchingType": 1, "optType": "add", "explain": True}
FUZZY = {"isMatching": True, "matchingType": 2, "identifyWay": 2, "optType": "add", "explain": True}

# What no request here is answered with; SUCCESS has no failed record to tell a code of.
ELSEWHERE = {"SUCCESS", "IN_PROGRESS", "FORBIDDEN", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "STORE_ERROR", "TIMEOUT"}

# Of the demo data; the phone belongs to two customers.
FIRST = {"unionid": "u0001", "groups": "vip"}
AMBIGUOUS = {"phone": "13800000101", "groups": "vip"}


class Answer:
    """What came back for a request."""

    def __init__(self, service, method="POST", path=ADDRESS, body=None, **headers):
        url = urllib.parse.urlsplit(service.url)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        headers = {"X-Token": TOKEN, "Content-Type": "application/json", **headers}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            self.status = response.status
            self.headers = {name.lower(): value for name, value in response.getheaders()}
            self.body = json.loads(response.read())
        finally:
            connection.close()

    def errors(self, document):
        """Where it differs from the document."""
        operation = document["paths"][ADDRESS]["post"]
        name = operation["responses"][str(self.status)]["$ref"].rsplit("/", 1)[1]
        documented = document["components"]["responses"][name]
        found = validate(documented["content"]["application/json"]["schema"], self.body, document)
        for header, reference in documented.get("headers", {}).items():
            definition = document["components"]["headers"][reference["$ref"].rsplit("/", 1)[1]]
            value = self.headers.get(header.lower())
            if value is not None:
                found += validate(definition["schema"], value, document)
            elif definition["required"]:
                found.append(f"no {header}")
        return found


def validate(schema, value, document):
    validator = Draft202012Validator({**schema, "components": document["components"]})
    return [error.message for error in validator.iter_errors(value)]


def imported(params, *records):
    return {"publicParams": params, "data": list(records)}


def check(report, document, service):
    good = imported(NO_MATCHING, {"audienceUserId": "c0001", "groups": "vip"})
    seen = set()

    def expect(name, status, *codes, **request):
        answer = Answer(service, **request)
        data = answer.body["data"] or {}
        found = tuple(record["errorCode"] for record in data.get("errorData") or [])
        errors = answer.errors(document)
        told = found if status == 200 else (answer.body["errorCode"],)
        report.check(f"{status} {name}", (answer.status, told) == (status, codes) and not errors,
                     (answer.status, answer.headers, str(answer.body)[:500], errors))
        seen.update(told)
        return answer

    expect("all imported", 200, body=good)
    expect("some imported, for each reason that a record can have here", 200,
           "INVALID_FIELD", "MISSING_IDENTIFIER", "MISSING_GROUPS", "NOT_MATCHED", "CONFLICT", "AMBIGUOUS",
           body=imported(EXACT, FIRST, {**FIRST, "phone": 13800000001}, {"groups": "vip"}, {"unionid": "u0001"},
                         {**FIRST, "openid": "nobody"}, {**FIRST, "openid": "o0002"}, AMBIGUOUS))
    expect("none imported", 200, "AMBIGUOUS", body=imported(FUZZY, AMBIGUOUS))
    matched = [Answer(service, body=imported({**params, "dryRun": True, "explain": True}, record))
               for params in (NO_MATCHING, EXACT, FUZZY)
               for record in (FIRST, {"openid": "o0001", "groups": "vip"}, {"phone": "13800000001", "groups": "vip"},
                              {"audienceUserId": "c0001", "groups": "vip"})]
    ways = {match["matchedBy"] for answer in matched for match in answer.body["data"]["matches"]}
    documented = set(document["components"]["schemas"]["Match"]["properties"]["matchedBy"]["enum"])
    errors = [error for answer in matched for error in answer.errors(document)]
    report.check("200 explained, in each documented way", ways == documented and not errors, (ways, errors))

    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = expect("with a key", 200, body=good, **key)
    again = expect("with the same key", 200, body=good, **key)
    replayed = [answer.headers.get("idempotent-replayed") for answer in (first, again)]
    report.check("  is the first answer again, and says so",
                 replayed == [None, "true"] and first.body == again.body, replayed)
    expect("another body", 422, "IDEMPOTENCY_KEY_REUSED", body=imported(EXACT, FIRST), **key)

    expect("no JSON", 400, "PARAM_ERROR", body=b"{")
    expect("a wrong parameter", 400, "PARAM_ERROR", body=imported({**FUZZY, "identifyWay": 3}, FIRST))
    expect("a bad key", 400, "PARAM_ERROR", body=good, **{"Idempotency-Key": "a b"})
    expect("an unknown token", 401, "TOKEN_ERROR", body=good, **{"X-Token": "unknown"})
    expect("another address", 404, "NOT_FOUND", path="/api", body=good)
    retired = expect("the retired address", 404, "NOT_FOUND", path=RETIRED_ADDRESS, body=good)
    report.check("  names the new one", ADDRESS in retired.body["msg"], retired.body)
    expect("another method", 405, "METHOD_NOT_ALLOWED", method="PUT", body=good)
    expect("too many records", 413, "PAYLOAD_TOO_LARGE", body=imported(NO_MATCHING, *[{}] * 5001))
    expect("too large a body", 413, "PAYLOAD_TOO_LARGE", body=b" " * 2097153)
    expect("another content type", 415, "UNSUPPORTED_MEDIA_TYPE", body=good, **{"Content-Type": "text/plain"})

    schemas = document["components"]["schemas"]
    unseen = {*schemas["ErrorCode"]["enum"], *schemas["RecordErrorCode"]["enum"]} - seen
    report.check("no other code is documented, but those named above", unseen == ELSEWHERE, unseen ^ ELSEWHERE)
