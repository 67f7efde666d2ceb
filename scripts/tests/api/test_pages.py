"""The two pages for callers quote the request, link every program, and have the fields of docs/openapi.yaml."""

import json
import re

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
        response = service.request("POST", service.url, request)
        assert (response.json(), str(response.status_code)) == (shown, shown["code"])


def exchanges(page):
    """The requests on a page, each with the response below it."""
    contents = [json.loads(block) for language, block in markdown.blocks(page) if language == "json"]
    return list(zip(contents[::2], contents[1::2], strict=True))


def test_fields_are_those_of_openapi(page, document):
    schemas = document["components"]["schemas"]
    # Without those that a failed record has besides its own.
    names = ("NoMatching", "ExactMatching", "FuzzyMatching", "Record", "Envelope", "ImportResult", "Match")
    fields = {field for name in names for field in schemas[name]["properties"]}
    assert {row[0].strip("`") for row in markdown.rows(page) if describes_a_field(row)} == fields


def describes_a_field(row):
    """A field of the request or the response: its name, then its JSON type."""
    return len(row) > 2 and bool(set(re.findall(r"[a-z]+", row[1])) & TYPES)
