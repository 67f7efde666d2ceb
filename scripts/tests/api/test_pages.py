"""README and the two pages for callers show what the service returns, and have the fields of docs/openapi.yaml."""

import json
import os
import re
import subprocess
import urllib.parse

import pytest

from api import markdown

DOCS = markdown.PROJECT / "docs"
TYPES = {"boolean", "integer", "int", "string", "array", "object"}


@pytest.fixture(params=["api.md", "api.zh.md"])
def page(request):
    return (DOCS / request.param).read_text(encoding="utf-8")


def test_request_is_quoted_to_the_letter(page):
    content = (DOCS / "examples" / "request.json").read_text(encoding="utf-8")
    assert content in [block for _, block in markdown.blocks(page)]


def test_every_example_is_linked(page):
    examples = {f"examples/{file.name}" for file in (DOCS / "examples").iterdir()}
    assert examples <= set(markdown.links(page))


def test_shown_requests_return_the_shown_responses(page, service):
    for request, shown in exchanges(page):
        response = service.request("POST", service.url, json.loads(request))
        assert in_order(response.text) == in_order(shown)
        assert str(response.status_code) == json.loads(shown)["code"]


@pytest.mark.parametrize("file", ["README.md", "docs/api.md"])
def test_the_first_call_prints_what_is_shown(file, service):
    blocks = markdown.blocks((markdown.PROJECT / file).read_text(encoding="utf-8"))
    command = next(block for _, block in blocks if "curl" in block)
    shown = next(block for language, block in blocks if language == "json")
    command = command.replace("127.0.0.1:9000", urllib.parse.urlsplit(service.url).netloc)
    environment = {**os.environ, "IMPORT_URL": service.url, "IMPORT_TOKEN": service.token}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert in_order(done.stdout) == in_order(shown)


def test_prices_of_the_readme_are_those_of_the_cost_page():
    pages = (markdown.PROJECT / "README.md", DOCS / "operations" / "cost.md")
    stated, costs = ({*re.findall(r"\$[\d.]*\d", page.read_text(encoding="utf-8"))} for page in pages)
    assert stated
    assert stated <= costs


def exchanges(page):
    """The requests on a page, each with the response below it; after the response to the first call."""
    _, *contents = [block for language, block in markdown.blocks(page) if language == "json"]
    return list(zip(contents[::2], contents[1::2], strict=True))


def in_order(text):
    """JSON whose members stand in their order."""
    return json.loads(text, object_pairs_hook=list)


def test_fields_are_those_of_openapi(page, document):
    schemas = document["components"]["schemas"]
    # Without those that a failed record has besides its own.
    names = ("PublicParams", "ImportRecord", "Envelope", "ImportResult", "Match")
    fields = {field for name in names for field in schemas[name]["properties"]}
    assert {row[0].strip("`") for row in markdown.rows(page) if describes_a_field(row)} == fields


def describes_a_field(row):
    """A field of the request or the response: its name, then its JSON type."""
    return len(row) > 2 and bool(set(re.findall(r"[a-z]+", row[1])) & TYPES)
