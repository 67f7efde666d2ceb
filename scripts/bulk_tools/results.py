"""What a run left in S3, as one file of failed rows, which can be imported as it is."""

import csv
import json
from pathlib import Path

import import_groups
from aws_tools.client import Failure, whole_file

from . import FAULT, RESULTS

COLUMNS = (*import_groups.FIELDS, import_groups.BAD_ROW_FIELD, "index", *import_groups.REASON_FIELDS)

# Errors of a whole batch that it would meet again (bulk/template.yaml retries the others).
FINAL = {"PARAM_ERROR", "TOKEN_ERROR", "FORBIDDEN", "PAYLOAD_TOO_LARGE", "WRONG_RESPONSE"}
FINAL |= {"States.QueryEvaluationError", "States.DataLimitExceeded"}


def path(given, input, is_dry):
    """Where failed rows go. Those of an earlier run are kept; those of a dry run are not in the way of the real one."""
    path = given.failed or import_groups.file_of_failed_rows(input, "jsonl", is_dry)
    if import_groups.is_same(path, Path(input)):
        raise Failure("--failed is the input itself")
    if path.exists() and not (given.overwrite and path.is_file()):
        raise Failure(f"{path} exists: move it away, name another by --failed, or --overwrite it")
    if not path.parent.is_dir():
        raise Failure(f"{path.parent} is no directory")
    return path


def failed_rows(s3, bucket, run, counts):
    """The failed rows of a run with their reasons; counts those that were rejected, and those of failed batches."""
    files = manifest(s3, bucket, run)
    for line in lines(s3, bucket, files.get("SUCCEEDED", [])):
        counts["rejected"] += 1
        yield of_file(json.loads(line))
    # Of batches that failed first and were redriven, no row has failed.
    for line in lines(s3, bucket, files.get("FAILED", []) if run.failed else []):
        for row in of_batch(json.loads(line)):
            counts["in batches"] += 1
            yield of_file(row)


def manifest(s3, bucket, run):
    """The result files, by the status of their batches."""
    key = f"{RESULTS}/{run.name}/{run.map_run['mapRunArn'].rsplit(':', 1)[1]}/manifest.json"
    try:
        return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["ResultFiles"]
    except s3.exceptions.NoSuchKey as error:
        raise Failure(f"{run.ending}, and there are no results of it, s3://{bucket}/{key}") from error


def lines(s3, bucket, files):
    for file in files:
        for line in s3.get_object(Bucket=bucket, Key=file["Key"])["Body"].iter_lines(1024**2):
            if line:
                yield line


def of_file(row):
    """A row as the client reports it: a line that is no record fails for what is wrong with it."""
    if import_groups.BAD_ROW_FIELD in row and FAULT in row:
        row |= {"errorCode": "BAD_ROW", "errorMsg": row.pop(FAULT), "retryable": False}
    return row


def of_batch(child):
    """The rows of a batch that failed as a whole."""
    code = child.get("Error") or child["Status"]
    reason = {"errorCode": code, "errorMsg": message(child.get("Cause")), "retryable": code not in FINAL}
    for item in json.loads(child["Input"])["Items"]:
        row = item["row"] if isinstance(item["row"], dict) else {import_groups.BAD_ROW_FIELD: item["row"]}
        yield {**row, "index": item["index"], **reason}


def message(cause):
    """What the function said; nothing of what else is in a cause, which is for developers."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (TypeError, ValueError, KeyError):
        return ""


def write(path, rows):
    """Writes the file, CSV or JSON Lines by its name."""
    is_csv = path.suffix.lower() == ".csv"
    # Excel needs the mark; and half a character is an escape in JSON.
    encoding = "utf-8-sig" if is_csv else "utf-8"
    with whole_file(path, encoding=encoding, errors="backslashreplace", newline="") as file:
        if is_csv:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows([cell(row.get(name)) for name in COLUMNS] for row in rows)
        else:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def cell(value):
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
