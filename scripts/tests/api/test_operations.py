"""The pages for operators have everything that the template has, and their program makes what the function expects."""

import csv
import io
import json
import re
import subprocess
import sys

import pytest
import yaml

from api import markdown

PAGES = markdown.PROJECT / "docs" / "operations"


@pytest.fixture(scope="module")
def template():
    return yaml.safe_load((markdown.PROJECT / "template.yaml").read_text(encoding="utf-8"))


@pytest.fixture(params=[".md", ".zh.md"], ids=["English", "Chinese"])
def page(request):
    """Reads a page in one of the languages."""
    return lambda name: (PAGES / f"{name}{request.param}").read_text(encoding="utf-8")


def named(text):
    """What is in backticks in the first cells of the tables."""
    return [name for row in markdown.rows(text) for name in re.findall(r"`([^`]+)`", row[0])]


def test_runbook_has_a_section_and_a_row_for_every_alarm(template, page):
    resources = template["Resources"].items()
    alarms = {name for name, resource in resources if resource["Type"] == "AWS::CloudWatch::Alarm"}
    assert alarms
    runbook = page("runbook")
    headings = re.findall(r"^## (\w+)$", markdown.prose(runbook), re.MULTILINE)
    assert sorted(headings) == sorted(alarms)
    assert alarms <= set(named(runbook))


@pytest.mark.parametrize("part", ["Parameters", "Outputs"])
def test_deploying_has_a_row_for_every_parameter_and_output(template, page, part):
    rows = named(page("deploying"))
    assert [name for name in template[part] if name not in rows] == []


def test_parameters_have_the_defaults_of_the_template(template, page):
    for row in markdown.rows(page("deploying")):
        names = [name for name in re.findall(r"`([^`]+)`", row[0]) if name in template["Parameters"]]
        defaults = [str(template["Parameters"][name]["Default"]) for name in names]
        if names and all(defaults) and not any(name in row[2] for name in ("settings.md", "settings.zh.md")):
            shown = re.findall(r"[\w.]+", row[1])
            assert shown in (defaults, sorted(set(defaults))), names


def test_settings_has_a_row_for_every_variable_of_the_template(template, page):
    variables = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    rows = named(page("settings"))
    assert [name for name in variables if name not in rows] == []


def test_watching_shows_a_line_of_the_access_log(template, page):
    fields = json.loads(template["Resources"]["ApiStage"]["Properties"]["AccessLogSettings"]["Format"])
    lines = [json.loads(block) for _, block in markdown.blocks(page("watching")) if '"sourceIp"' in block]
    assert [list(line) for line in lines] == [list(fields)]


def test_every_page_is_linked_by_the_entry_page():
    linked = {page.name for page in PAGES.glob("*.md")}
    for language in (".md", ".zh.md"):
        entry = markdown.PROJECT / "docs" / f"operations{language}"
        links = {markdown.target(entry, link).name for link in markdown.links(entry.read_text(encoding="utf-8"))}
        assert {name for name in linked if name.endswith(".zh.md") == (language == ".zh.md")} <= links


@pytest.fixture
def convert(page):
    """The program of the page for the first load of customers."""
    (program,) = (block for language, block in markdown.blocks(page("customers")) if language == "python")

    def run(text):
        done = subprocess.run(
            [sys.executable, "-c", program, "acme"], input=text, capture_output=True, text=True, check=True, timeout=60
        )
        return [json.loads(line)["Item"] for line in done.stdout.splitlines()]

    return run


def test_first_load_leaves_out_what_is_empty(convert):
    (item,) = convert("audienceUserId,unionid,openid,phone,name\nc1, u1 ,,,张三\n")
    assert item == {"audienceUserId": {"S": "c1"}, "unionid": {"S": "u1"}, "tenantId": {"S": "acme"}}


def test_first_load_makes_values_those_that_are_compared(convert):
    vectors = json.loads((markdown.PROJECT / "tests" / "vectors" / "sent.json").read_text(encoding="utf-8"))
    for kind, column in [("phones", "phone"), ("identifiers", "openid")]:
        valid = [vector for vector in vectors[kind] if "compared" in vector]
        file = io.StringIO()
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(
            [("audienceUserId", column), *((f"c{n}", vector["sent"]) for n, vector in enumerate(valid))]
        )
        compared = [item.get(column, {"S": None})["S"] for item in convert(file.getvalue())]
        assert compared == [vector["compared"] for vector in valid]
