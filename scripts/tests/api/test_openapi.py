"""docs/openapi.yaml is valid, and the running service conforms to it."""

import json
import os
import pathlib
import re
import sys
import urllib.parse

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api import markdown, specification
from processes import run

HERE = pathlib.Path(__file__).parent
SCHEMATHESIS = pathlib.Path(sys.executable).parent / "schemathesis"

# Fixed, so that a run can be repeated.
SEED = 20

# Which requests are good is in tests/vectors/requests.json: the document cannot say all of it.
CHECKS = "negative_data_rejection,positive_data_acceptance"

REQUESTS = json.loads((markdown.PROJECT / "tests/vectors/requests.json").read_text(encoding="utf-8"))["requests"]


def test_document_is_valid(document):
    errors = [f"{list(error.path)}: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert errors == []


def test_each_body_has_examples_that_fit_its_schema(document):
    (operation,) = document["paths"][specification.PATH].values()
    bodies = {"request": operation["requestBody"], **document["components"]["responses"]}
    for name, body in bodies.items():
        examples = specification.examples(body)
        assert examples, name
        for example in examples:
            schema = body["content"]["application/json"]["schema"]
            assert specification.errors(schema, example, document) == [], name


def test_the_document_has_plain_named_schemas(document):
    """Generators make nameless models, or nothing, of anything else."""
    text = json.dumps(document["components"]["schemas"])
    assert [word for word in ("oneOf", "allOf", "not", "const", "false") if f'"{word}":' in text] == []
    unions = [union for union in re.findall(r'"anyOf": (\[.*?\}\])', text) if '"null"' not in union]
    assert unions == []


@pytest.mark.parametrize("request_", REQUESTS, ids=[request["name"] for request in REQUESTS])
def test_document_and_service_judge_a_request(document, service, request_):
    schema = {"$ref": "#/components/schemas/ImportRequest"}
    fits = specification.errors(schema, request_["body"], document) == []
    response = service.request("POST", service.url, request_["body"])
    assert (response.status_code, fits) == (request_["status"], request_["fits"])


def test_responses_are_documented(document, service, tmp_path):
    strict = specification.without_gateway(document)
    seen = generated_requests(strict, service, tmp_path, 500, "--header", f"X-Token: {service.token}")
    assert seen >= {200, 400, 401, 405, 415}


def test_a_caller_without_token_gets_401_or_405(document, service, tmp_path):
    reduced = specification.without_token(specification.without_gateway(document))
    assert generated_requests(reduced, service, tmp_path, 100) == {401, 405}


def generated_requests(document, service, directory, examples, *options):
    """Lets schemathesis find undocumented responses, and returns the statuses that it has seen."""
    path, har, log = (directory / f"requests.{ending}" for ending in ("json", "har", "log"))
    path.write_text(json.dumps(document), encoding="utf-8")
    command = [SCHEMATHESIS, "--no-color", "--config-file", HERE / "schemathesis.toml", "run", path]
    command += ["--url", urllib.parse.urljoin(service.url, "/"), "--seed", SEED, "--max-examples", examples]
    command += ["--exclude-checks", CHECKS, "--continue-on-failure", "--report-har-path", har, *options]
    run(command, log, cwd=directory, env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)})
    cases = re.search(r"^ +(\d+) generated", log.read_text(encoding="utf-8"), re.MULTILINE)
    assert int(cases[1]) >= examples
    entries = json.loads(har.read_text(encoding="utf-8"))["log"]["entries"]
    return {entry["response"]["status"] for entry in entries}
