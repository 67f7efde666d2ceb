"""Text files as Excel, Notepad and PowerShell write them."""

from .client import Failure
from .values import trim

STDIN = 0


def lines(path):
    """The lines of a file with their ends, whichever they are; a byte order mark is no part of them."""
    with open(path, encoding="utf-8-sig", newline="", closefd=path != STDIN) as file:
        try:
            for line in file:
                if "\0" in line:
                    raise UnicodeError
                yield line
        except UnicodeError as error:
            raise Failure("the input is not UTF-8, but perhaps UTF-16 or GBK: save it as UTF-8") from error


def words(path=STDIN):
    """What stands in the lines of a file, without white space around it and empty lines."""
    return [word for word in map(trim, lines(path)) if word]
