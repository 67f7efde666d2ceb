"""The parts of a page in Markdown."""

import pathlib
import re

PROJECT = pathlib.Path(__file__).resolve().parents[3]

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^\| .*\n\|[-: |]+\|\n((?:\|.*\n)+)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def read(page):
    return page.read_text(encoding="utf-8")


def blocks(text):
    """The code blocks, as (language, content)."""
    return FENCE.findall(text)


def prose(text):
    return FENCE.sub("", text)


def rows(text):
    """The rows of all tables but their heads, each a list of cells."""
    lines = [line for table in TABLE.findall(text) for line in table.splitlines()]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def sections(text):
    """The level of each heading, and the text below it up to the next one."""
    parts = re.split(r"^(#+) .+$", prose(text), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def anchors(text):
    """The anchors that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text):
    """The links to files and headings of this project."""
    return [link for link in LINK.findall(prose(text)) if not re.match(r"\w+:", link)]


def target(page, link):
    """The file that a link leads to; a mere anchor leads to the page itself."""
    path = link.partition("#")[0]
    return (page.parent / path).resolve() if path else page
