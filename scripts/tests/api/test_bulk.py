"""The tables of docs/bulk.md are what `make bulk-cost` prints, for the batches of the state machine."""

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
def tables():
    """The tables, each as its lines."""
    command = [sys.executable, markdown.PROJECT / "scripts" / "bulk-cost"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [table.splitlines() for table in printed.rstrip().split("\n\n")]


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


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_page_has_the_rows_of_each_table(tables, page):
    assert len(tables) == 3
    lines = page.splitlines()
    # The first cell of the third table's rows is a name, which the Chinese page has in Chinese.
    found = [cells(line)[1:] for line in lines if line.startswith("| ")]
    for _, _, *rows in tables:
        assert [row for row in rows if cells(row)[1:] not in found] == []


def test_page_in_english_has_the_tables_to_the_letter(tables):
    page = (DOCS / "bulk.md").read_text(encoding="utf-8")
    assert [table for table in tables if "\n".join(table) not in page] == []


def test_counts_follow_from_the_batches_of_the_state_machine(tables, first_map):
    of_a_batch = first_map["ItemBatcher"]["MaxItemsPerBatch"]
    for row in tables[0][2:]:
        rows, batches, transitions, invocations, *_ = (int(cell.replace(",", "")) for cell in cells(row))
        assert batches == invocations == rows // of_a_batch
        assert 0 < transitions - batches < 10


@pytest.mark.parametrize(("name", "times"), [("bulk.md", "up to {} times"), ("bulk.zh.md", "最多重试 {} 次")])
def test_page_names_batches_and_retries_of_the_state_machine(name, times, first_map):
    page = (DOCS / name).read_text(encoding="utf-8")
    batcher = first_map["ItemBatcher"]
    assert all(f"{batcher[limit]:,}" in page for limit in ("MaxItemsPerBatch", "MaxInputBytesPerBatch"))
    retriers = first_map["ItemProcessor"]["States"]["ImportCsvFile"]["Retry"]
    assert [retrier for retrier in retriers if times.format(retrier["MaxAttempts"]) not in page] == []
