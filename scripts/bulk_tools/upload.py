"""The rows of a file as objects in S3: JSON Lines, which the engine cannot read in another way than the client does."""

import json
import re
import sys

import import_groups

from . import FAULT

# Step Functions reads objects of up to 10 GB.
OBJECT_BYTES = 8_000_000_000

# What is left of a batch (bulk/template.yaml) for its only row. Records that the API accepts are shorter.
ROW_BYTES = 120_000

# What may end a line as well, beside the control characters, which JSON escapes.
LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}


def lines(reader, rows):
    """What is sent of the rows of a reader, each with its line end."""
    for row in rows:
        line = b"" if row.fault else line_of(reader.record(row))
        if fault := row.fault or fault_of(row, line):
            # The file still has the rest of it. No character takes more than eight bytes.
            cut = row.text.rstrip("\r\n")[: ROW_BYTES // 8]
            line = line_of(json.dumps({import_groups.BAD_ROW_FIELD: cut, FAULT: fault}, ensure_ascii=False))
        yield line


def line_of(record):
    return record.translate(LINE_ENDS).encode() + b"\n"


def fault_of(row, line):
    """Why the engine could not read a record, or would read another one."""
    if len(line) > ROW_BYTES:
        return f"第{row.line}行超过{ROW_BYTES}字节"
    try:
        # Half a character, if not both.
        if re.search(rb"\\u[dD]", line):
            json.dumps(json.loads(line), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return f"第{row.line}行含有无法解码的转义字符"
    return None


def upload(s3, bucket, prefix, lines):
    # Of each object the first line; the others are taken from the iterator meanwhile.
    for number, first in enumerate(lines):
        s3.upload_fileobj(Object(first, lines), bucket, f"{prefix}{number:04}.jsonl")


class Object:
    """Lines of an iterator as a file: the first, and as many of the others as one object may have."""

    def __init__(self, first, lines):
        self.lines, self.pending, self.left = lines, bytearray(first), OBJECT_BYTES - len(first)

    def read(self, size=sys.maxsize):
        while len(self.pending) < size and self.left > 0 and (line := next(self.lines, b"")):
            self.pending += line
            self.left -= len(line)
        taken = bytes(self.pending[:size])
        del self.pending[:size]
        return taken


def open_file(path, format, encoding):
    """The reader of a file, and its rows; reports what looks odd."""
    file, _ = import_groups.open_input(path)
    reader = import_groups.open_rows(file, format or import_groups.format_of(path), encoding)
    total, notes = import_groups.look_over(reader)
    if reader.unsent:
        notes = [f"columns that are not sent: {', '.join(reader.unsent)}", *notes]
    return reader, total, notes
