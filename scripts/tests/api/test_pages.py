"""Commands on README and the pages for callers print what stands below them, and pages have the fields of
docs/openapi.yaml and the flags of programs. What both languages have in common is read in one (test_translations.py).
"""

import json
import re
import urllib.parse

import pytest

from api import markdown
from processes import paste, run_script

DOCS = markdown.PROJECT / "docs"
API = markdown.read(DOCS / "api.md")
TYPES = {"boolean", "integer", "int", "string", "array", "object"}


def run(command, service):
    """Runs a command of a page on the service of the tests."""
    command = command.replace("127.0.0.1:9000", urllib.parse.urlsplit(service.url).netloc)
    return paste(command, IMPORT_URL=service.url, IMPORT_TOKEN=service.token)


def in_order(text):
    """JSON whose members stand in their order."""
    return json.loads(text, object_pairs_hook=list)


def test_request_is_quoted_to_the_letter():
    content = (DOCS / "examples" / "request.json").read_text(encoding="utf-8")
    assert content in [block for _, block in markdown.blocks(API)]


def test_every_example_is_linked():
    examples = {f"examples/{file.name}" for file in (DOCS / "examples").iterdir()}
    assert examples <= set(markdown.links(API))


def test_shown_requests_return_the_shown_responses(service):
    # After the response to the first call.
    _, *blocks = [block for language, block in markdown.blocks(API) if language == "json"]
    for request, shown in zip(blocks[::2], blocks[1::2], strict=True):
        response = service.request("POST", service.url, json.loads(request))
        assert in_order(response.text) == in_order(shown)
        assert str(response.status_code) == json.loads(shown)["code"]


@pytest.mark.parametrize("file", ["README.md", "docs/api.md"])
def test_the_first_call_prints_what_is_shown(file, service):
    blocks = markdown.blocks(markdown.read(markdown.PROJECT / file))
    command = next(block for _, block in blocks if "curl" in block)
    shown = next(block for language, block in blocks if language == "json")
    assert in_order(run(command, service).stdout) == in_order(shown)


def test_the_first_import_of_a_file_prints_what_is_shown(service):
    (_, command), (_, shown) = markdown.blocks(markdown.read(DOCS / "import_file.md"))[:2]
    status = "git status --porcelain"
    before = run(f"rm -f .local/customers.failed.csv; {status}", service).stdout
    done = run(command, service)
    assert (done.returncode, done.stdout) == (2, shown), done.stderr
    assert run(status, service).stdout == before


@pytest.mark.parametrize(("program", "file"), [("../client/import_groups.py", "import_file.md"), ("bulk", "bulk.md")])
def test_every_flag_is_on_its_page(program, file):
    flags = set(re.findall(r"^ +(?:-h, )?(--[a-z-]+)", run_script(program, "--help").out, re.MULTILINE))
    assert len(flags) > 10
    page = markdown.read(DOCS / file)
    assert {flag for flag in flags if f"`{flag}" not in page} <= {"--help"}


def test_prices_of_the_readme_are_those_of_the_cost_page():
    pages = (markdown.PROJECT / "README.md", DOCS / "operations" / "cost.md")
    stated, costs = ({*re.findall(r"\$[\d.]*\d", markdown.read(page))} for page in pages)
    assert stated
    assert stated <= costs


def test_fields_are_those_of_openapi(document):
    schemas = document["components"]["schemas"]
    # Without those that a failed record has besides its own.
    names = ("PublicParams", "ImportRecord", "Envelope", "ImportResult", "Match")
    fields = {field for name in names for field in schemas[name]["properties"]}
    assert {row[0].strip("`") for row in markdown.rows(API) if describes_a_field(row)} == fields


def describes_a_field(row):
    """A field of the request or the response: its name, then its JSON type."""
    return len(row) > 2 and bool(set(re.findall(r"[a-z]+", row[1])) & TYPES)
