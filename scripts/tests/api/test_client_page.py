"""docs/import_file.md, followed as a reader would."""

import re
import subprocess
import urllib.parse

from api import markdown
from api.double import import_groups

PAGE = markdown.PROJECT / "docs" / "import_file.md"


def shell(command):
    return subprocess.run(["bash", "-c", command], cwd=markdown.PROJECT, capture_output=True, text=True, check=False)


def test_the_commands_of_the_page_print_what_it_shows(service):
    (_, command), (_, shown) = markdown.blocks(PAGE.read_text(encoding="utf-8"))[:2]
    before = shell("git status --porcelain").stdout
    shell("rm -f .local/customers.failed.csv")
    done = shell(command.replace("127.0.0.1:9000", urllib.parse.urlsplit(service.url).netloc))
    assert (done.returncode, done.stdout) == (2, shown), done.stderr
    assert shell("git status --porcelain").stdout == before


def test_every_flag_is_on_the_page():
    flags = set(re.findall(r"^ +(?:-h, )?(--[a-z-]+)", import_groups.arguments().format_help(), re.MULTILINE))
    page = PAGE.read_text(encoding="utf-8")
    assert len(flags) > 10
    assert {flag for flag in flags if f"`{flag}" not in page} == {"--help"}
