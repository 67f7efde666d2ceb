"""The pages for operators have everything that the template has."""

import json
import re

import pytest
import yaml

from api import markdown

PAGES = markdown.PROJECT / "docs" / "operations"


class Loader(yaml.SafeLoader):
    """Reads templates. What an intrinsic function is given is not needed."""


Loader.add_multi_constructor("!", lambda loader, name, node: name)


@pytest.fixture(scope="module")
def template():
    return yaml.load((markdown.PROJECT / "template.yaml").read_text(encoding="utf-8"), Loader)


@pytest.fixture(params=[".md", ".zh.md"], ids=["English", "Chinese"])
def page(request):
    """Reads a page in one of the languages."""
    return lambda name: (PAGES / f"{name}{request.param}").read_text(encoding="utf-8")


def named(text):
    """What is in backticks in the first cells of the tables."""
    return [name for row in markdown.rows(text) for name in re.findall(r"`([^`]+)`", row[0])]


def test_on_call_has_a_section_and_a_row_for_every_alarm(template, page):
    resources = template["Resources"].items()
    alarms = {name: it["Properties"] for name, it in resources if it["Type"] == "AWS::CloudWatch::Alarm"}
    assert alarms
    text = page("on-call")
    headings = re.findall(r"^### (\w+)$", markdown.prose(text), re.MULTILINE)
    assert sorted(headings) == sorted(alarms)
    assert alarms.keys() <= set(named(text))
    for name, alarm in alarms.items():
        assert alarm["AlarmDescription"].endswith(f" docs/operations/on-call.md#{name.lower()}")


@pytest.mark.parametrize("part", ["Parameters", "Outputs"])
def test_deploying_has_a_row_for_every_parameter_and_output(template, page, part):
    rows = named(page("deploying"))
    assert [name for name in template[part] if name not in rows] == []


def test_parameters_have_the_defaults_of_the_template(template, page):
    for row in markdown.rows(page("deploying")):
        names = [name for name in re.findall(r"`([^`]+)`", row[0]) if name in template["Parameters"]]
        defaults = [str(template["Parameters"][name]["Default"]) for name in names]
        if names and all(defaults) and len(row) == 3:
            shown = re.findall(r"[\w.]+", row[1])
            assert shown in (defaults, sorted(set(defaults))), names


def test_tables_outlive_their_stack_but_nothing_outlives_a_first_deployment_that_failed(template):
    for resource in template["Resources"].values():
        kept = resource["Type"] == "AWS::DynamoDB::Table"
        assert resource.get("DeletionPolicy", "Delete") == ("RetainExceptOnCreate" if kept else "Delete")


def test_on_call_shows_a_line_of_the_access_log(template, page):
    fields = json.loads(template["Resources"]["ApiStage"]["Properties"]["AccessLogSettings"]["Format"])
    lines = [json.loads(block) for _, block in markdown.blocks(page("on-call")) if '"sourceIp"' in block]
    assert [list(line) for line in lines] == [list(fields)]


def test_every_page_is_linked_by_the_entry_page():
    linked = {page.name for page in PAGES.glob("*.md")}
    for language in (".md", ".zh.md"):
        entry = markdown.PROJECT / "docs" / f"operations{language}"
        links = {markdown.target(entry, link).name for link in markdown.links(entry.read_text(encoding="utf-8"))}
        assert {name for name in linked if name.endswith(".zh.md") == (language == ".zh.md")} <= links
