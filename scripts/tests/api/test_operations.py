"""The pages for operators have all that the templates have; what both languages have in common is read in one."""

import functools
import json
import re

import pytest
import yaml

from api import markdown
from api.conftest import Loader
from bulk_tools import results

DOCS = markdown.PROJECT / "docs"
PAGES = DOCS / "operations"
DEPLOYING, ON_CALL, BULK = map(markdown.read, (PAGES / "deploying.md", PAGES / "on-call.md", DOCS / "bulk.md"))

# By the template, the page that has its parameters.
PARAMETERS = {"template.yaml": DEPLOYING, "bulk/template.yaml": BULK}


# After it failed (API_RedriveExecution).
REDRIVE_DAYS = 14


@functools.cache
def template(name="template.yaml"):
    return yaml.load(markdown.read(markdown.PROJECT / name), Loader)


def quoted(text):
    """What is in backticks."""
    return re.findall(r"`([^`]+)`", text)


def named(text):
    """What is in backticks in the first cells of the tables."""
    return {name for row in markdown.rows(text) for name in quoted(row[0])}


def test_on_call_has_a_section_and_a_row_for_every_alarm():
    resources = template()["Resources"].items()
    alarms = {name: it["Properties"] for name, it in resources if it["Type"] == "AWS::CloudWatch::Alarm"}
    assert alarms
    for text in (ON_CALL, markdown.read(PAGES / "on-call.zh.md")):
        headings = re.findall(r"^### (\w+)$", markdown.prose(text), re.MULTILINE)
        assert sorted(headings) == sorted(alarms)
    assert alarms.keys() <= named(ON_CALL)
    for name, alarm in alarms.items():
        assert alarm["AlarmDescription"].endswith(f" docs/operations/on-call.md#{name.lower()}")


def test_deploying_has_a_row_for_every_output():
    section = DEPLOYING.partition("\n## Outputs\n")[2].partition("\n## ")[0]
    assert template()["Outputs"].keys() == named(section)


@pytest.mark.parametrize(("name", "page"), PARAMETERS.items(), ids=PARAMETERS)
def test_page_has_every_parameter_with_its_default(name, page):
    parameters = template(name)["Parameters"]
    assert parameters.keys() <= named(page)
    for row in markdown.rows(page):
        names = [one for one in quoted(row[0]) if one in parameters]
        defaults = [str(parameters[one].get("Default", "")) for one in names]
        if names and all(defaults) and len(row) == 3:
            shown = re.findall(r"[\w.]+", row[1])
            assert shown in (defaults, sorted(set(defaults))), names


def test_tables_outlive_their_stack_but_nothing_outlives_a_first_deployment_that_failed():
    for resource in template()["Resources"].values():
        kept = resource["Type"] == "AWS::DynamoDB::Table"
        assert resource.get("DeletionPolicy", "Delete") == ("RetainExceptOnCreate" if kept else "Delete")


def test_bulk_stack_keeps_files_while_a_run_can_be_redriven_and_logs_no_row():
    # The emulator does not return the logging of a state machine.
    bulk = template("bulk/template.yaml")
    assert bulk["Parameters"]["KeepDays"]["MinValue"] > REDRIVE_DAYS
    assert bulk["Resources"]["BulkImport"]["Properties"]["Logging"]["IncludeExecutionData"] is False


def test_on_call_shows_a_line_of_the_access_log():
    fields = json.loads(template()["Resources"]["ApiStage"]["Properties"]["AccessLogSettings"]["Format"])
    lines = [json.loads(block) for _, block in markdown.blocks(ON_CALL) if '"sourceIp"' in block]
    assert [list(line) for line in lines] == [list(fields)]


def test_bulk_names_batches_and_retries_of_the_state_machine():
    # The other map has the same.
    csv_map = template("bulk/template.yaml")["Resources"]["BulkImport"]["Properties"]["Definition"]["States"]["Csv"]
    limits = csv_map["ItemBatcher"]
    assert all(f"{limits[name]:,}" in BULK for name in ("MaxItemsPerBatch", "MaxInputBytesPerBatch"))
    retriers = csv_map["ItemProcessor"]["States"]["ImportCsv"]["Retry"]
    (final,) = [retrier["ErrorEquals"] for retrier in retriers if not retrier["MaxAttempts"]]
    assert set(final) <= results.FINAL
    attempts = [retrier["MaxAttempts"] for retrier in retriers if retrier["MaxAttempts"]]
    assert len(attempts) == 2
    assert [number for number in attempts if f"up to {number} times" not in BULK] == []


def test_every_page_is_linked_by_the_entry_page():
    entry = DOCS / "operations.md"
    links = {markdown.target(entry, link) for link in markdown.links(markdown.read(entry))}
    assert {page for page in PAGES.glob("*.md") if not page.name.endswith(".zh.md")} <= links
