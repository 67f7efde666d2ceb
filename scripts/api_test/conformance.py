"""Holds docs/openapi.yaml against its own standard, and the running function against docs/openapi.yaml."""

import collections
import json
import os
import re
import urllib.parse

import specification
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from processes import CommandFailed, run
from service import TOKEN

# Fixed, so that a run can be repeated.
SEED = "20"

HERE = os.path.dirname(__file__)


def standard(report, document):
    """The document is valid, and so are its examples."""
    errors = [f"{'/'.join(map(str, error.path))}: {error.message}"
              for error in OpenAPIV31SpecValidator(document).iter_errors()]
    report.check("docs/openapi.yaml is a valid document of OpenAPI 3.1", not errors, errors)
    (operation,) = document["paths"]["/api/integrate/audience/info/batchAdd"].values()
    bodies = {"request": operation["requestBody"], **document["components"]["responses"]}
    counted, wrong = 0, []
    for name, body in bodies.items():
        content = body["content"]["application/json"]
        examples = [example["value"] for example in content.get("examples", {}).values()]
        examples += [content["example"]] if "example" in content else []
        validator = Draft202012Validator({**content["schema"], "components": document["components"]})
        for example in examples:
            counted += 1
            wrong += [f"{name}: {error.message}" for error in validator.iter_errors(example)]
        if not examples:
            wrong.append(f"{name}: no example")
    report.check(f"its {counted} examples fit their schemas, and each body has one", not wrong, wrong)


def function(report, document, service, tools, directory):
    """A client that knows nothing but the document finds no answer that is not in it."""
    strict = specification.of_the_function(document)
    known = session(report, "with a token", strict, service, tools, directory, examples=500, token=TOKEN)
    expected = {200, 400, 401, 405, 415}
    report.check("  it has seen each of 200, 400, 401, 405, 415", known >= expected, known)
    stranger = specification.of_a_stranger(strict)
    known = session(report, "without a token", stranger, service, tools, directory, examples=100)
    report.check("  it has seen 401 and 405 and nothing else", known == {401, 405}, known)


def session(report, name, document, service, tools, directory, examples, token=None):
    """Runs schemathesis and returns the statuses of the answers."""
    title = name.replace(" ", "-")
    path, har, log = (directory / f"{title}.{ending}" for ending in ("json", "har", "log"))
    path.write_text(json.dumps(document), encoding="utf-8")
    command = [tools / "schemathesis", "--no-color", "--config-file", f"{HERE}/schemathesis.toml", "run", path,
               "--url", urllib.parse.urljoin(service.url, "/"), "--seed", SEED, "--max-examples", str(examples),
               "--continue-on-failure", "--report-har-path", har]
    if token:
        command += ["--header", f"X-Token: {token}"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": HERE, "NO_PROXY": "127.0.0.1"}
    failure = None
    try:
        run(command, log, cwd=directory, env=environment)
    except CommandFailed as error:
        failure = error
    found = re.search(r"^ +(\d+) generated", log.read_text(encoding="utf-8"), re.MULTILINE)
    cases = int(found[1]) if found else 0
    report.check(f"schemathesis finds no undocumented answer {name} (seed {SEED}, {cases} cases)",
                 failure is None and cases >= examples, failure or log)
    entries = json.loads(har.read_text(encoding="utf-8"))["log"]["entries"] if har.exists() else []
    counts = collections.Counter(entry["response"]["status"] for entry in entries)
    report.say("      answers: " + ", ".join(f"{status}: {count}" for status, count in sorted(counts.items())))
    return set(counts)
