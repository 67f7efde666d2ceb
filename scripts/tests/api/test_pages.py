"""The two pages for callers quote the request, link every program, and have the fields of docs/openapi.yaml."""

import json
import re

import pytest

from api import markdown, specification

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


def test_shown_responses_fit_openapi(page, document):
    schema = document["components"]["responses"]["Imported"]["content"]["application/json"]["schema"]
    responses = [block for _, block in markdown.blocks(page) if block.startswith('{"code"')]
    assert [error for shown in responses for error in specification.errors(schema, json.loads(shown), document)] == []


def test_fields_are_those_of_openapi(page, document):
    schemas = document["components"]["schemas"]
    # Without those that a failed record has besides its own.
    names = ("NoMatching", "ExactMatching", "FuzzyMatching", "Record", "Envelope", "ImportResult", "Match")
    fields = {field for name in names for field in schemas[name]["properties"]}
    assert {row[0].strip("`") for row in markdown.rows(page) if describes_a_field(row)} == fields


def describes_a_field(row):
    """A field of the request or the response: its name, then its JSON type."""
    return len(row) > 2 and bool(set(re.findall(r"[a-z]+", row[1])) & TYPES)
