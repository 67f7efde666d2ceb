"""The pages that exist in English and in Chinese: same commands, tables, facts and diagrams; every link resolves."""

import collections
import os
import re

from pages import tables

PAIRS = ("README", "docs/api", "docs/operations", "docs/import_file")

SHELL_COMMENT = re.compile(r"(^|\s+)# .*$", re.MULTILINE)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# A label of a diagram: in quotation marks, or in the shape of a terminal.
LABEL = re.compile(r'"([^"]*)"|\(\[([^\]]*)\]\)')


def check(report, project):
    for pair in PAIRS:
        names = (f"{pair}.md", f"{pair}.zh.md")
        files = [project / name for name in names]
        texts = [file.read_text(encoding="utf-8") for file in files]
        for name, file, text in zip(names, files, texts):
            broken = [link for link in links(text) if not resolves(file, link)]
            report.check(f"{name}: its links lead somewhere", not broken, broken)
        parts = [sections(text) for text in texts]
        agree(report, f"{names[1]} has the headings of {names[0]}", *([level for level, _ in part] for part in parts))
        agree(report, "  the same code, apart from comments", *map(code, texts))
        agree(report, "  the same tables: names and numbers", *map(rows, texts))
        agree(report, "  the same facts in each section", *([facts(body) for _, body in part] for part in parts))
        targets = [collections.Counter(target(file, link) for link in links(text)) for file, text in zip(files, texts)]
        report.check("  the same links, to Chinese pages where there are any",
                     collections.Counter(chinese(name) for name in targets[0].elements()) == targets[1],
                     [targets[1] - targets[0], targets[0] - targets[1]])


def agree(report, name, english, chinese):
    """Checks that two lists are the same, and shows where they first differ."""
    different = [pair for pair in zip(english, chinese) if pair[0] != pair[1]]
    report.check(name, english == chinese, different[:3] or (len(english), len(chinese)))


def prose(text):
    return FENCE.sub("", text)


def sections(text):
    """The sections: the level of each heading, and what stands below it up to the next one."""
    parts = re.split(r"^(#+) .+$", prose(text), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2]))


def code(text):
    """The code blocks, without what is written for people."""
    strip = {"sh": lambda block: SHELL_COMMENT.sub("", block), "mermaid": diagram}
    return [(language, strip.get(language, str)(block)) for language, block in FENCE.findall(text)]


def diagram(block):
    """A diagram without its words: of a label the files and numbers that it names."""
    return LABEL.sub(lambda label: " ".join(re.findall(r"[a-z_]+\.rs|\d+", label[0])), block)


def rows(text):
    """The rows of all tables, each as the names and numbers in it."""
    return [essence(" ".join(row)) for table in tables(text) for row in table]


def facts(text):
    """What a section names in backticks, and its numbers; how often is a matter of language."""
    quoted, numbers = essence(LINK.sub("]", text))
    return {" ".join(name.split()) for name in quoted}, set(numbers)


def essence(text):
    """What a text says in any language: what is in backticks, and its numbers."""
    numbers = re.findall(r"\d+", re.sub(r"`[^`]+`", " ", text))
    return collections.Counter(re.findall(r"`([^`]+)`", text)), collections.Counter(numbers)


def links(text):
    """The links to files and headings of this project."""
    return [link for link in LINK.findall(prose(text)) if not re.match(r"\w+:", link)]


def target(page, link):
    """The file that a link leads to; a mere anchor leads to the page itself."""
    path = link.partition("#")[0]
    return os.path.normpath(page.parent / path) if path else str(page)


def chinese(file):
    """The Chinese page of an English one that has one, and the other way round, as for the link between the two."""
    other = file[:-6] + ".md" if file.endswith(".zh.md") else file[:-3] + ".zh.md"
    return other if file.endswith(".md") and os.path.exists(other) else file


def resolves(page, link):
    file, anchor = target(page, link), link.partition("#")[2]
    if not anchor:
        return os.path.exists(file)
    with open(file, encoding="utf-8") as opened:
        headings = re.findall(r"^#+ (.+)$", prose(opened.read()), re.MULTILINE)
    return anchor in map(anchor_of, headings)


def anchor_of(heading):
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
