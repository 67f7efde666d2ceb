"""The pages for operators have everything that the template has; what both languages have in common is read in one."""

import json
import re

import pytest
import yaml

from api import markdown
from api.conftest import Loader

PAGES = markdown.PROJECT / "docs" / "operations"
DEPLOYING, ON_CALL = (markdown.read(PAGES / name) for name in ("deploying.md", "on-call.md"))


@pytest.fixture(scope="module")
def template():
    return yaml.load(markdown.read(markdown.PROJECT / "template.yaml"), Loader)


def named(text):
    """What is in backticks in the first cells of the tables."""
    return [name for row in markdown.rows(text) for name in re.findall(r"`([^`]+)`", row[0])]


def test_on_call_has_a_section_and_a_row_for_every_alarm(template):
    resources = template["Resources"].items()
    alarms = {name: it["Properties"] for name, it in resources if it["Type"] == "AWS::CloudWatch::Alarm"}
    assert alarms
    for text in (ON_CALL, markdown.read(PAGES / "on-call.zh.md")):
        headings = re.findall(r"^### (\w+)$", markdown.prose(text), re.MULTILINE)
        assert sorted(headings) == sorted(alarms)
    assert alarms.keys() <= set(named(ON_CALL))
    for name, alarm in alarms.items():
        assert alarm["AlarmDescription"].endswith(f" docs/operations/on-call.md#{name.lower()}")


@pytest.mark.parametrize("part", ["Parameters", "Outputs"])
def test_deploying_has_a_row_for_every_parameter_and_output(template, part):
    assert template[part].keys() <= set(named(DEPLOYING))


def test_parameters_have_the_defaults_of_the_template(template):
    for row in markdown.rows(DEPLOYING):
        names = [name for name in re.findall(r"`([^`]+)`", row[0]) if name in template["Parameters"]]
        defaults = [str(template["Parameters"][name]["Default"]) for name in names]
        if names and all(defaults) and len(row) == 3:
            shown = re.findall(r"[\w.]+", row[1])
            assert shown in (defaults, sorted(set(defaults))), names


def test_tables_outlive_their_stack_but_nothing_outlives_a_first_deployment_that_failed(template):
    for resource in template["Resources"].values():
        kept = resource["Type"] == "AWS::DynamoDB::Table"
        assert resource.get("DeletionPolicy", "Delete") == ("RetainExceptOnCreate" if kept else "Delete")


def test_on_call_shows_a_line_of_the_access_log(template):
    fields = json.loads(template["Resources"]["ApiStage"]["Properties"]["AccessLogSettings"]["Format"])
    lines = [json.loads(block) for _, block in markdown.blocks(ON_CALL) if '"sourceIp"' in block]
    assert [list(line) for line in lines] == [list(fields)]


def test_every_page_is_linked_by_the_entry_page():
    entry = markdown.PROJECT / "docs" / "operations.md"
    links = {markdown.target(entry, link) for link in markdown.links(markdown.read(entry))}
    assert {page for page in PAGES.glob("*.md") if not page.name.endswith(".zh.md")} <= links
