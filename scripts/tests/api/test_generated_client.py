"""docs/openapi.yaml is valid, and a client that a generator makes from it can be used against the service.

The responses of the function are held against it by the integration tests.
"""

import importlib
import os
import pathlib
import subprocess
import sys
import urllib.parse

from openapi_spec_validator import OpenAPIV31SpecValidator

from api.markdown import PROJECT

PROGRAMS = pathlib.Path(sys.executable).parent
NAME = "generated_client"


def test_document_is_valid(document):
    errors = [f"{list(error.path)}: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert errors == []


def test_a_generated_client_reads_results_and_rejections(service, tmp_path, monkeypatch):
    command = [PROGRAMS / "openapi-python-client", "generate", "--fail-on-warning", "--meta", "none"]
    command += ["--path", PROJECT / "docs" / "openapi.yaml", "--output-path", tmp_path / NAME]
    # It formats the code by ruff.
    subprocess.run(command, env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}, check=True)
    monkeypatch.syspath_prepend(tmp_path)
    parts = (NAME, f"{NAME}.models", f"{NAME}.api.audience.batch_add")
    generated, models, operation = map(importlib.import_module, parts)

    def call(token, *records):
        """Imports records: the status and the body of the response."""
        url = urllib.parse.urljoin(service.url, "/")
        client = generated.AuthenticatedClient(url, token, prefix="", auth_header_name="X-Token")
        params = models.PublicParams(is_matching=False, opt_type=models.PublicParamsOptType.ADD)
        body = models.ImportRequest(params, [models.ImportRecord(**record) for record in records])
        response = operation.sync_detailed(client=client, body=body, idempotency_key="a-key")
        return response.status_code, response.parsed

    status, envelope = call(service.token, {"audience_user_id": "c0009", "groups": "by-client"}, {"phone": "1"})
    assert (status, envelope.error_code, envelope.data.import_success_num) == (200, "SUCCESS", 1)
    [failed] = envelope.data.error_data
    assert (failed.index, failed.phone, failed.error_code) == (1, "1", "MISSING_IDENTIFIER")
    assert ("c0009", "by-client") in service.memberships()
    status, envelope = call("unknown", {"groups": "g"})
    assert (status, envelope.error_code, envelope.data) == (401, "TOKEN_ERROR", None)
