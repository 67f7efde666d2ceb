"""docs/openapi.yaml is valid, and a client that a generator makes from it can be used against the service.

The responses of the function are held against it by the integration tests.
"""

import importlib
import os
import pathlib
import subprocess
import sys
import urllib.parse

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.markdown import PROJECT

PROGRAMS = pathlib.Path(sys.executable).parent
NAME = "generated_client"


def test_document_is_valid(document):
    errors = [f"{list(error.path)}: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert errors == []


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated")
    command = [PROGRAMS / "openapi-python-client", "generate", "--fail-on-warning", "--meta", "none"]
    command += ["--path", PROJECT / "docs" / "openapi.yaml", "--output-path", folder / NAME]
    # It formats the code by ruff.
    environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    subprocess.run(command, env=environment, check=True)
    sys.path.insert(0, str(folder))
    yield importlib.import_module(NAME)
    sys.path.remove(str(folder))


@pytest.fixture
def import_groups(generated, service):
    """Imports records by the generated client: the response's status and body."""
    models = importlib.import_module(f"{NAME}.models")
    operation = importlib.import_module(f"{NAME}.api.audience.batch_add")

    def call(token, *records):
        client = generated.AuthenticatedClient(
            urllib.parse.urljoin(service.url, "/"), token, prefix="", auth_header_name="X-Token"
        )
        params = models.PublicParams(is_matching=False, opt_type=models.PublicParamsOptType.ADD)
        body = models.ImportRequest(params, [models.ImportRecord(**record) for record in records])
        response = operation.sync_detailed(client=client, body=body, idempotency_key="a-key")
        return response.status_code, response.parsed

    return call


def test_an_import_returns_its_result(import_groups, service):
    status, envelope = import_groups(
        service.token, {"audience_user_id": "c0009", "groups": "by-client"}, {"phone": "1"}
    )
    assert (status, envelope.error_code, envelope.data.import_success_num) == (200, "SUCCESS", 1)
    [failed] = envelope.data.error_data
    assert (failed.index, failed.phone, failed.error_code) == (1, "1", "MISSING_IDENTIFIER")
    assert ("c0009", "by-client") in service.memberships()


def test_a_rejection_has_no_data(import_groups):
    status, envelope = import_groups("unknown", {"groups": "g"})
    assert (status, envelope.error_code, envelope.data) == (401, "TOKEN_ERROR", None)
