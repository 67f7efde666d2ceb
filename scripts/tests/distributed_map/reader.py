"""ItemReader and ItemSelector: the items of a Map state.

Not documented, and so decided here: a line that is no JSON, and a file that is not there, end the run.
"""

import csv
import gzip
import io
import json

import ministack.services.stepfunctions as states
from ministack.services import s3

from .expressions import value_of


def items(state, given, context):
    """The items as they are selected for the children."""
    values = read(state["ItemReader"], given, context)
    if "ItemSelector" not in state:
        return list(values)
    return [
        value_of(state["ItemSelector"], given, {**context, "Map": {"Item": {"Index": index, "Value": value}}})
        for index, value in enumerate(values)
    ]


def read(reader, given, context):
    place = value_of(reader.get("Arguments", {}), given, context)
    config = value_of(reader.get("ReaderConfig", {}), given, context)
    if not reader["Resource"].endswith("s3:listObjectsV2") or config.get("Transformation") != "LOAD_AND_FLATTEN":
        raise NotImplementedError("the items of all objects below a prefix are read, nothing else")
    keys = s3._buckets[place["Bucket"]]["objects"]
    found = sorted(key for key in keys if key.startswith(place.get("Prefix", "")) and not key.endswith("/"))
    if not found:
        raise failure(f"nothing has the prefix {place.get('Prefix', '')}")
    for key in found:
        yield from parsed(place["Bucket"], key, config)


def parsed(bucket, key, config):
    """The items of an object."""
    status, _, body = s3._get_object(bucket, key, {})
    if status != 200:
        raise failure(f"{key} cannot be read")
    try:
        text = (gzip.decompress(body) if key.endswith(".gz") else bytes(body)).decode()
        yield from FORMATS[config["InputType"]](text, config)
    except (ValueError, OSError, EOFError, csv.Error) as error:
        raise failure(f"{key}: {error}") from error


def json_lines(text, _):
    return (json.loads(line) for line in text.split("\n") if line.strip())


def comma_separated(text, config):
    """Missing fields are empty, surplus ones are dropped; a backslash is an escape, within quotes and without."""
    if config.get("CSVHeaderLocation") != "FIRST_ROW":
        raise NotImplementedError("columns are named by the first row only")
    rows = (row for row in csv.reader(io.StringIO(text, newline=""), escapechar="\\") if row)
    names = next(rows, [])
    for row in rows:
        yield dict(zip(names, row + [""] * (len(names) - len(row)), strict=False))


FORMATS = {"JSONL": json_lines, "CSV": comma_separated}


def failure(cause):
    return states._ExecutionError("States.ItemReaderFailed", cause)
