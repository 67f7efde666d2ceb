"""The two pages for callers: they quote the examples to the letter, and name what docs/openapi.yaml has."""

import json
import re

from jsonschema import Draft202012Validator

PAGES = ("api.md", "api.zh.md")
TYPES = {"boolean", "integer", "int", "string", "array", "object"}


def check(report, docs, document):
    texts = {name: (docs / name).read_text(encoding="utf-8") for name in PAGES}
    examples = {file.name: file.read_text(encoding="utf-8") for file in sorted((docs / "examples").iterdir())}
    fields = names(document["components"]["schemas"])
    for name, text in texts.items():
        quoted = blocks(text)
        missing = [example for example, content in examples.items() if content not in quoted]
        report.check(f"{name} quotes every example to the letter", not missing, missing)
        wrong = [error for block in quoted for error in errors(block, document)]
        report.check("  its answers fit docs/openapi.yaml", not wrong, wrong)
        told = {row[0].strip("`") for rows in tables(text) for row in rows if is_field(row)}
        report.check("  its fields are those of docs/openapi.yaml", told == fields, told ^ fields)


def blocks(text):
    """The contents of the code blocks."""
    return re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def tables(text):
    """The tables, each a list of rows without its head, each row a list of cells."""
    found = []
    for table in re.findall(r"^\| .*\n\|[- |]+\|\n((?:\|.*\n)+)", text, re.MULTILINE):
        found.append([[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()])
    return found


def is_field(row):
    """Whether a row describes a field of the request or of the answer: a name, then its JSON type."""
    return len(row) > 2 and bool(set(re.findall(r"[a-z]+", row[1])) & TYPES)


def names(schemas):
    """The fields that a caller writes or reads, but for those that a failed record has besides its own."""
    params = set().union(*(schemas[name]["properties"] for name in ("NoMatching", "ExactMatching", "FuzzyMatching")))
    return params.union(*(schemas[name]["properties"] for name in ("Record", "Envelope", "ImportResult", "Match")))


def errors(block, document):
    """What is wrong with a block that shows an answer."""
    if not block.startswith('{"code"'):
        return []
    schema = document["components"]["responses"]["Imported"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": document["components"]})
    return [error.message for error in validator.iter_errors(json.loads(block))]
