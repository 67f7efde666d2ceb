"""The arguments of `make bulk`; docs/bulk.md has its options, the parameters of the stack, and the batches and retries
of the state machine."""

import json
import re

import pytest
import yaml

from api import markdown
from bulk_tools import results
from processes import run_script

BULK = markdown.PROJECT / "bulk"
PAGES = ["bulk.md", "bulk.zh.md"]

# scripts/aws_tools/client.py
OF_EVERY_PROGRAM = {"--region", "--endpoint"}


@pytest.fixture(scope="module")
def csv_map():
    """A map of the state machine: the other has the same batches and retries (tests/integration/bulk.rs)."""
    return json.loads((BULK / "import.asl.json").read_text(encoding="utf-8"))["States"]["Csv"]


@pytest.fixture(params=PAGES)
def page(request):
    return (markdown.PROJECT / "docs" / request.param).read_text(encoding="utf-8")


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


def test_page_has_every_option(page):
    options = set(re.findall(r"^  (--[a-z-]+)", run_script("bulk", "--help").out, re.MULTILINE)) - OF_EVERY_PROGRAM
    assert {"--stack", "--redrive"} < options
    assert [option for option in options if f"`{option}" not in page] == []


def test_page_has_every_parameter_with_its_default(page):
    # What follows has the tags of intrinsic functions.
    template, _, _ = (BULK / "template.yaml").read_text(encoding="utf-8").partition("\nConditions:")
    parameters = yaml.safe_load(template)["Parameters"]
    rows = {row[0].strip("` "): row[1] for row in markdown.rows(page)}
    assert set(parameters) <= set(rows)
    defaults = {name: str(parameter.get("Default", "")) for name, parameter in parameters.items()}
    assert [name for name, default in defaults.items() if default and rows[name].strip("` ") != default] == []


def test_page_names_batches_of_the_state_machine(page, csv_map):
    limits = csv_map["ItemBatcher"]
    assert all(f"{limits[name]:,}" in page for name in ("MaxItemsPerBatch", "MaxInputBytesPerBatch"))


@pytest.mark.parametrize(("name", "times"), [("bulk.md", "up to {} times"), ("bulk.zh.md", "最多重试 {} 次")])
def test_page_names_retries_of_the_state_machine(name, times, csv_map):
    page = (markdown.PROJECT / "docs" / name).read_text(encoding="utf-8")
    retriers = csv_map["ItemProcessor"]["States"]["ImportCsv"]["Retry"]
    (final,) = [retrier["ErrorEquals"] for retrier in retriers if not retrier["MaxAttempts"]]
    assert set(final) <= results.FINAL
    attempts = [retrier["MaxAttempts"] for retrier in retriers if retrier["MaxAttempts"]]
    assert len(attempts) == 2
    assert [number for number in attempts if times.format(number) not in page] == []
