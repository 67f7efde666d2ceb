"""docs/bulk.md has the options of `make bulk`, and the batches and retries of the state machine."""

import json
import re
import subprocess
import sys

import pytest

from api import markdown

DOCS = markdown.PROJECT / "docs"
PAGES = ["bulk.md", "bulk.zh.md"]

# scripts/aws_tools/client.py
OF_EVERY_PROGRAM = {"--region", "--endpoint"}


@pytest.fixture(scope="module")
def first_map():
    """A map of the state machine: the others have the same batches and retries (tests/integration/bulk.rs)."""
    definition = json.loads((markdown.PROJECT / "bulk" / "import.asl.json").read_text(encoding="utf-8"))
    return definition["States"]["CsvFile"]


@pytest.fixture(params=PAGES)
def page(request):
    return (DOCS / request.param).read_text(encoding="utf-8")


def test_page_has_every_option(page):
    command = [sys.executable, markdown.PROJECT / "scripts" / "bulk", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"^  (--[a-z-]+)", shown, re.MULTILINE)) - OF_EVERY_PROGRAM
    assert {"--stack", "--redrive"} < options
    assert [option for option in options if f"`{option}" not in page] == []


@pytest.mark.parametrize(("name", "times"), [("bulk.md", "up to {} times"), ("bulk.zh.md", "最多重试 {} 次")])
def test_page_names_batches_and_retries_of_the_state_machine(name, times, first_map):
    page = (DOCS / name).read_text(encoding="utf-8")
    batcher = first_map["ItemBatcher"]
    assert all(f"{batcher[limit]:,}" in page for limit in ("MaxItemsPerBatch", "MaxInputBytesPerBatch"))
    retriers = first_map["ItemProcessor"]["States"]["ImportCsvFile"]["Retry"]
    assert [retrier for retrier in retriers if times.format(retrier["MaxAttempts"]) not in page] == []
