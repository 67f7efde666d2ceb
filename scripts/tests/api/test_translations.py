"""The pages in English and Chinese have the same commands, tables, facts and diagrams, and their links resolve."""

import collections
import re

import pytest

from api import markdown

DOCS = markdown.PROJECT / "docs"
PAGES = sorted({markdown.PROJECT / "README.md", *DOCS.rglob("*.md")} - {DOCS / "contract.md"})

SHELL_COMMENT = re.compile(r"(^|\s+)# .*$", re.MULTILINE)
# A label of a diagram: in quotation marks, or in the shape of a terminal.
LABEL = re.compile(r'"([^"]*)"|\(\[([^\]]*)\]\)')


def is_chinese(file):
    return file.stem.endswith(".zh")


def translation(file):
    """The page or chart in the other language."""
    stem = file.stem.removesuffix(".zh") if is_chinese(file) else f"{file.stem}.zh"
    return file.with_name(stem + file.suffix)


def code(page):
    """The code blocks, without what is written for people."""
    strip = {"sh": lambda block: SHELL_COMMENT.sub("", block), "mermaid": diagram}
    return [(language, strip.get(language, str)(block)) for language, block in markdown.blocks(markdown.read(page))]


def diagram(block):
    """A diagram without its words: of a label the files and numbers that it names."""
    return LABEL.sub(lambda label: " ".join(re.findall(r"[a-z_]+\.rs|\d+", label[0])), block)


def tables(page):
    return [names_and_numbers(" ".join(row)) for row in markdown.rows(markdown.read(page))]


def sections(page):
    """The level of each heading, and what the section names and its numbers; how often depends on the language."""
    parts = markdown.sections(markdown.read(page))
    return [(level, *map(set, names_and_numbers(markdown.LINK.sub("]", body)))) for level, body in parts]


def links(page):
    """The files that the page links to, as a Chinese page does: to those in Chinese, where there are any."""
    files = [markdown.target(page, link) for link in markdown.links(markdown.read(page))]
    if not is_chinese(page):
        files = [other if (other := translation(file)).exists() else file for file in files]
    return collections.Counter(files)


def names_and_numbers(text):
    """What a text says in any language: what is in backticks, and its numbers."""
    numbers = re.findall(r"\d+", re.sub(r"`[^`]+`", " ", text))
    names = [" ".join(name.split()) for name in re.findall(r"`([^`]+)`", text)]
    return collections.Counter(names), collections.Counter(numbers)


@pytest.mark.parametrize("aspect", [code, tables, sections, links], ids=lambda aspect: aspect.__name__)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_the_same_as_its_translation(page, aspect):
    assert aspect(page) == aspect(translation(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page):
    for link in markdown.links(markdown.read(page)):
        file, anchor = markdown.target(page, link), link.partition("#")[2]
        assert file.exists(), link
        assert not anchor or anchor in markdown.anchors(markdown.read(file)), link
