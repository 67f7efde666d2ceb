"""The arguments of `make bulk`; docs/bulk.md has its options, the parameters of the stack, and the batches and retries
of the state machine (what both languages have in common is read in one)."""

import re

import pytest
import yaml

from api import markdown
from api.conftest import Loader
from bulk_tools import results
from processes import run_script

PAGE = markdown.read(markdown.PROJECT / "docs" / "bulk.md")


@pytest.fixture(scope="module")
def template():
    return yaml.load(markdown.read(markdown.PROJECT / "bulk" / "template.yaml"), Loader)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param("rows.csv --match off --unknown", "unrecognized arguments: --unknown", id="unknown"),
        pytest.param("rows.csv --match off --concurrency 0", "must be a whole number from 1 to 10000", id="value"),
        pytest.param("--resume run --concurrency 8", "--concurrency must be left out", id="resume"),
        pytest.param("--redrive run --dry-run", "--dry-run must be left out", id="redrive"),
        pytest.param("rows.csv --match exact --identify-way 1", "--identify-way must be left out", id="order"),
    ],
)
def test_wrong_flags_do_not_end_as_failed_rows(arguments, message):
    ended = run_script("bulk", "--stack", "bulk", *arguments.split())
    assert (ended.returncode, ended.out) == (1, "")
    assert message in ended.err


def test_page_has_every_option():
    options = set(re.findall(r"^  (--[a-z-]+)", run_script("bulk", "--help").out, re.MULTILINE))
    assert {"--stack", "--redrive"} < options
    assert [option for option in options if f"`{option}" not in PAGE] == []


def test_page_has_every_parameter_with_its_default(template):
    rows = {row[0].strip("` "): row[1] for row in markdown.rows(PAGE)}
    defaults = {name: str(parameter.get("Default", "")) for name, parameter in template["Parameters"].items()}
    assert set(defaults) <= set(rows)
    assert [name for name, default in defaults.items() if default and rows[name].strip("` ") != default] == []


def test_page_names_batches_and_retries_of_the_state_machine(template):
    # The other map has the same.
    csv_map = template["Resources"]["BulkImport"]["Properties"]["Definition"]["States"]["Csv"]
    limits = csv_map["ItemBatcher"]
    assert all(f"{limits[name]:,}" in PAGE for name in ("MaxItemsPerBatch", "MaxInputBytesPerBatch"))
    retriers = csv_map["ItemProcessor"]["States"]["ImportCsv"]["Retry"]
    (final,) = [retrier["ErrorEquals"] for retrier in retriers if not retrier["MaxAttempts"]]
    assert set(final) <= results.FINAL
    attempts = [retrier["MaxAttempts"] for retrier in retriers if retrier["MaxAttempts"]]
    assert len(attempts) == 2
    assert [number for number in attempts if f"up to {number} times" not in PAGE] == []
