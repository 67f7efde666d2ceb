"""The file of failed rows: the format of the input, so that it can be imported as it is."""

import csv
import json

from aws_tools.client import Failure

from . import FIELDS, REASONS


def check(path, overwrite):
    """Before a run: the file of an earlier one is kept."""
    if path.exists() and not overwrite:
        raise Failure(f"{path} exists: move it away, name another by --failed, or --overwrite it")
    if not path.parent.is_dir():
        raise Failure(f"{path.parent} is no directory")


def write(path, format, rows):
    """Writes the rows with their reasons; the file appears once it is complete."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            WRITERS[format](file, rows)
        part.replace(path)
    except OSError as error:
        raise Failure(f"the failed rows cannot be written to {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def comma_separated(file, rows):
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(FIELDS + REASONS)
    for row in rows:
        writer.writerow([cell(row.get(name)) for name in FIELDS + REASONS])


def cell(value):
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # The engine takes a backslash as an escape.
    return text.replace("\\", "\\\\")


def json_lines(file, rows):
    for row in rows:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


WRITERS = {"csv": comma_separated, "jsonl": json_lines}
