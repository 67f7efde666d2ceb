"""Reads the rows of a file as the engine will, before it is uploaded.

What the engine would change without a word, or may end a run for, is a fault here: a line that is no JSON object, a row
with more or fewer fields than the header.
"""

import csv
import io
import json
from dataclasses import dataclass, field

from aws_tools.client import Failure

from . import FIELDS, IDENTIFIERS

# Of a batch (bulk/import.asl.json), which its row must fit in.
MOST_BYTES_OF_A_ROW = 120_000

SHOWN_FAULTS = 3
# A plain file is uploaded without.
BOM = "\ufeff"


@dataclass
class Found:
    """What a file holds."""

    rows: int = 0
    groups: int = 0
    identifiers: int = 0
    faulty: int = 0
    faults: list = field(default_factory=list)

    def fault(self, line, what):
        self.faulty += 1
        if len(self.faults) < SHOWN_FAULTS:
            self.faults.append(f"line {line} {what}")

    def add(self, other):
        self.rows += other.rows
        self.groups += other.groups
        self.identifiers += other.identifiers

    def times(self, share):
        """What so many times the text would hold."""
        return Found(*(round(number * share) for number in (self.rows, self.groups, self.identifiers)))


def inspect(name, format, stream, is_whole=True):
    """Reads a stream of bytes, and raises what keeps it from being imported. The last row of a part may be cut."""
    read = {"csv": comma_separated, "jsonl": json_lines}[format]
    found = read(name, text_lines(name, stream), is_whole)
    if found.faulty:
        more = f" (and {found.faulty - len(found.faults)} more lines)" if found.faulty > len(found.faults) else ""
        raise Failure(
            f"{name}: {', '.join(found.faults)}{more}: correct the file, or import it as it is with --unchecked"
        )
    return found


def text_lines(name, stream):
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    number = 0
    try:
        for line in text:
            number += 1
            yield line
    except UnicodeDecodeError:
        raise Failure(f"{name} is not UTF-8, somewhere after line {number}: convert it first") from None
    except (OSError, EOFError) as error:
        raise Failure(f"{name} cannot be read: {error}") from error


def comma_separated(name, lines, is_whole):
    found = Found()
    # The engine takes a backslash as an escape.
    reader = csv.reader(lines, escapechar="\\", strict=True)
    try:
        header = next(reader, None)
        check_header(name, header)
        places = [header.index(one) for one in IDENTIFIERS if one in header]
        groups = header.index("groups")
        for row in reader:
            if not row:
                continue
            found.rows += 1
            if len(row) != len(header):
                found.fault(reader.line_num, f"has {len(row)} fields instead of {len(header)}")
                continue
            found.groups += row[groups].count(",") + 1
            found.identifiers += sum(1 for place in places if row[place])
            if sum(map(len, row)) > MOST_BYTES_OF_A_ROW / 4:
                check_size(found, reader.line_num, ",".join(row))
    except csv.Error as error:
        if is_whole or str(error) != "unexpected end of data":
            found.fault(reader.line_num, f"is no CSV ({error})")
    return found


def check_header(name, header):
    if not header:
        raise Failure(f"{name} is empty: a CSV file begins with a line that names its columns")
    if header[0].startswith(BOM):
        raise Failure(f"{name} begins with a byte order mark, which the engine would take for a part of the first name")
    repeated = {one for one in header if header.count(one) > 1}
    if repeated & set(FIELDS):
        raise Failure(f"{name}: the header names {min(repeated & set(FIELDS))} twice")
    if "groups" not in header or not set(IDENTIFIERS) & set(header):
        raise Failure(
            f"{name}: the header must name groups and one at least of {', '.join(IDENTIFIERS)}, separated by commas;"
            f" it names {', '.join(repr(one) for one in header[:8])}"
        )


def json_lines(name, lines, _):
    found = Found()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        found.rows += 1
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            found.fault(number, "is no JSON object")
            continue
        groups = row.get("groups")
        found.groups += groups.count(",") + 1 if isinstance(groups, str) else 0
        found.identifiers += sum(1 for one in IDENTIFIERS if row.get(one))
        if len(line) > MOST_BYTES_OF_A_ROW / 4:
            check_size(found, number, line)
    return found


def check_size(found, line, text):
    size = len(text.encode())
    if size > MOST_BYTES_OF_A_ROW:
        found.fault(line, f"has {size} bytes, more than the {MOST_BYTES_OF_A_ROW} that fit in a batch")
