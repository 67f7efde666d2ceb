"""The rows of a file as objects in S3: JSON Lines, which the engine cannot read in another way than the client does."""

import itertools
import json
import sys

import import_groups

from . import FAULT

# Step Functions reads objects of up to 10 GB.
OBJECT_BYTES = 8_000_000_000

# What is left of a batch (bulk/template.yaml) for its only row. Records that the API accepts are shorter.
ROW_BYTES = 120_000


def lines(reader, rows):
    """What is sent of the rows of a reader, each with its line end."""
    for row in rows:
        line = b"" if row.fault else reader.record(row).encode() + b"\n"
        if not line or len(line) > ROW_BYTES:
            fault = row.fault or f"第{row.line}行超过{ROW_BYTES}字节"
            # The file still has the rest of it. No character takes more than eight bytes.
            cut = row.text.rstrip("\r\n")[: ROW_BYTES // 8]
            line = json.dumps({import_groups.BAD_ROW_FIELD: cut, FAULT: fault}, ensure_ascii=False).encode() + b"\n"
        yield line


def upload(s3, bucket, prefix, lines):
    # Of each object the first line; the others are taken from the iterator meanwhile.
    for number, first in enumerate(lines):
        s3.upload_fileobj(Stream(of_one_object(first, lines)), bucket, f"{prefix}{number:04}.jsonl")


def of_one_object(first, lines):
    size = 0
    for line in itertools.chain([first], lines):
        yield line
        size += len(line)
        if size >= OBJECT_BYTES:
            return


class Stream:
    """An iterator of bytes as a file."""

    def __init__(self, chunks):
        self.chunks, self.pending = chunks, bytearray()

    def read(self, size=sys.maxsize):
        for chunk in self.chunks:
            self.pending += chunk
            if len(self.pending) >= size:
                break
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
