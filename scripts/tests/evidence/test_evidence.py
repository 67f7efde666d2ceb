"""The pages and charts are what the newest runs make of them."""

import copy
import re
import xml.etree.ElementTree as xml

import pytest

from evidence_tools import pages, runs


@pytest.fixture(scope="module")
def newest():
    return runs.newest()


@pytest.fixture(scope="module")
def made(newest):
    return pages.files(newest)


def test_pages_and_charts_are_as_the_runs_have_them(made):
    assert pages.differences(made) == []


def test_no_chart_is_left_over(made):
    assert set(pages.CHARTS.iterdir()) == {path for path in made if path.suffix == ".svg"}


def test_the_same_runs_give_the_same_bytes(newest, made):
    assert pages.files(newest) == made


def test_another_figure_changes_page_and_chart(newest):
    other = copy.deepcopy(newest)
    for cell in other["bench"]["throttled"]:
        cell["seconds"] *= 2
    names = {path.name for path, content in pages.files(other).items() if content != path.read_text(encoding="utf-8")}
    assert names == {"evidence.md", "evidence.zh.md", "throttled.svg", "throttled.zh.svg"}


def test_every_block_and_chart_is_on_a_page_in_both_languages():
    shown = {".zh.md": set(), ".md": set()}
    for name in pages.PAGES:
        marked = pages.MARKED.findall((runs.PROJECT / name).read_text(encoding="utf-8"))
        shown[".zh.md" if ".zh." in name else ".md"] |= {block for _, block, _ in marked}
    expected = {*pages.BLOCKS, *(f"chart {name}" for name in pages.DRAWN)}
    assert shown == {".zh.md": expected, ".md": expected}


def test_charts_have_text_of_one_ink_and_no_background(made):
    for path, content in made.items():
        if path.suffix == ".svg":
            drawing = xml.fromstring(content)
            texts = [element for element in drawing.iter() if element.tag.endswith("}text")]
            assert texts, path.name
            assert all("fill: #767676" in text.get("style", "") for text in texts), path.name
            assert "#ffffff" not in content, path.name


def test_tests_named_in_place_of_a_count_exist(newest):
    named = re.findall(r"`(\w+\.rs)`", pages.BLOCKS["trials"](newest, pages.english))
    assert named
    assert [file for file in named if not (runs.PROJECT / "tests" / "integration" / file).exists()] == []
