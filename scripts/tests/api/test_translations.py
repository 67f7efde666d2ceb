"""The pages in English and Chinese have the same commands, tables, facts and diagrams, and their links resolve."""

import collections
import pathlib
import re

import pytest

from api import markdown

FOLDERS = (".", "docs", "docs/operations")
CHINESE = sorted(page for folder in FOLDERS for page in (markdown.PROJECT / folder).glob("*.zh.md"))

SHELL_COMMENT = re.compile(r"(^|\s+)# .*$", re.MULTILINE)
# A label of a diagram: in quotation marks, or in the shape of a terminal.
LABEL = re.compile(r'"([^"]*)"|\(\[([^\]]*)\]\)')


def english(chinese):
    return pathlib.Path(str(chinese).removesuffix(".zh.md") + ".md")


def translation(file):
    """The page or chart in the other language if there is one, else the file itself."""
    if file.stem.endswith(".zh"):
        other = file.with_name(file.stem.removesuffix(".zh") + file.suffix)
    else:
        other = file.with_suffix(f".zh{file.suffix}")
    return other if other.exists() else file


@pytest.fixture(params=CHINESE, ids=lambda page: page.name)
def pages(request):
    return english(request.param), request.param


@pytest.fixture
def texts(pages):
    return [page.read_text(encoding="utf-8") for page in pages]


def test_links_resolve(pages, texts):
    links = [(page, link) for page, text in zip(pages, texts, strict=True) for link in markdown.links(text)]
    assert [link for page, link in links if not resolves(page, link)] == []


def test_headings_are_the_same(texts):
    ours, theirs = ([level for level, _ in markdown.sections(text)] for text in texts)
    assert ours == theirs


def test_code_is_the_same_apart_from_comments(texts):
    ours, theirs = map(code, texts)
    assert ours == theirs


def test_tables_have_the_same_names_and_numbers(texts):
    ours, theirs = ([names_and_numbers(" ".join(row)) for row in markdown.rows(text)] for text in texts)
    assert ours == theirs


def test_sections_have_the_same_facts(texts):
    ours, theirs = ([facts(body) for _, body in markdown.sections(text)] for text in texts)
    assert ours == theirs


def test_links_lead_to_the_same_pages(pages, texts):
    ours, theirs = (
        collections.Counter(markdown.target(page, link) for link in markdown.links(text))
        for page, text in zip(pages, texts, strict=True)
    )
    assert collections.Counter(translation(file) for file in ours.elements()) == theirs


def resolves(page, link):
    file, anchor = markdown.target(page, link), link.partition("#")[2]
    return file.exists() and (not anchor or anchor in markdown.anchors(file.read_text(encoding="utf-8")))


def code(text):
    """The code blocks, without what is written for people."""
    strip = {"sh": lambda block: SHELL_COMMENT.sub("", block), "mermaid": diagram}
    return [(language, strip.get(language, str)(block)) for language, block in markdown.blocks(text)]


def diagram(block):
    """A diagram without its words: of a label the files and numbers that it names."""
    return LABEL.sub(lambda label: " ".join(re.findall(r"[a-z_]+\.rs|\d+", label[0])), block)


def facts(text):
    """What a section names in backticks, and its numbers; how often depends on the language."""
    quoted, numbers = names_and_numbers(markdown.LINK.sub("]", text))
    return {" ".join(name.split()) for name in quoted}, set(numbers)


def names_and_numbers(text):
    """What a text says in any language: what is in backticks, and its numbers."""
    numbers = re.findall(r"\d+", re.sub(r"`[^`]+`", " ", text))
    return collections.Counter(re.findall(r"`([^`]+)`", text)), collections.Counter(numbers)
