"""What a run left in S3: its failed rows, each once, in the order of the input."""

import contextlib
import json
import sqlite3
import tempfile

from aws_tools.client import Failure

from . import FIELDS, RESULTS

# Errors of a whole batch that it would meet again (docs/api.md; bulk/import.asl.json tries the others again).
FINAL = {"PARAM_ERROR", "TOKEN_ERROR", "FORBIDDEN", "States.DataLimitExceeded"}


@contextlib.contextmanager
def failed_rows(s3, bucket, run, counts):
    """The rows, with their reasons."""
    # On disk: there may be millions.
    with tempfile.TemporaryDirectory(prefix="bulk-") as directory:
        # Whether places are counted over several files is not documented.
        rows = Rows(f"{directory}/rows", "place" if "key" in run.input else "place, row")
        try:
            collect(rows, s3, bucket, run, counts)
            yield rows
        finally:
            rows.close()


def collect(rows, s3, bucket, run, counts):
    files = manifest(s3, bucket, run)
    rejected = (json.loads(line) for key in files.get("SUCCEEDED", []) for line in lines(s3, bucket, key))
    rows.add((row["index"], row) for row in rejected)
    rows.rejected = rows.count()
    # Of batches that failed first and were redriven, no row has failed.
    if counts.failed:
        for key in files.get("FAILED", []):
            for line in lines(s3, bucket, key):
                rows.add(of_batch(json.loads(line)))
    rows.total = rows.count()


def manifest(s3, bucket, run):
    """The keys of the result files, by the status of their batches."""
    key = f"{RESULTS}/{run.name}/{run.map_run.rsplit(':', 1)[1]}/manifest.json"
    try:
        text = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey as error:
        raise Failure(
            f"the run {run.name} {run.ending}, and there are no results of it, s3://{bucket}/{key}"
        ) from error
    return {
        status: [file["Key"] for file in files] for status, files in json.loads(text)["ResultFiles"].items() if files
    }


def lines(s3, bucket, key):
    for line in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_lines(1024**2):
        if line:
            yield line


def of_batch(child):
    """The rows of a batch that failed as a whole."""
    code = child.get("Error") or child["Status"]
    reason = {"errorCode": code, "errorMsg": message(child.get("Cause")), "retryable": code not in FINAL}
    for item in json.loads(child["Input"])["Items"]:
        row = item["row"]
        # What is no object has no fields.
        fields = {name: row[name] for name in FIELDS if name in row} if isinstance(row, dict) else {"badRow": row}
        yield item["index"], {**fields, "index": item["index"], **reason}


def message(cause):
    """What the function said; nothing of what else is in a cause, which is for developers."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (TypeError, ValueError, KeyError):
        return ""


class Rows:
    """Failed rows, each once by what identifies it. `rejected` is how many the function rejected, one by one."""

    def __init__(self, path, identity):
        self.database = sqlite3.connect(path)
        self.database.execute("PRAGMA journal_mode = OFF")
        self.database.execute(f"CREATE TABLE rows (place INTEGER, row TEXT, UNIQUE ({identity}))")
        self.rejected = self.total = 0

    def add(self, rows):
        texts = ((place, json.dumps(row, ensure_ascii=False)) for place, row in rows)
        self.database.executemany("INSERT OR IGNORE INTO rows VALUES (?, ?)", texts)

    def count(self):
        return self.database.execute("SELECT COUNT(*) FROM rows").fetchone()[0]

    def __iter__(self):
        for (text,) in self.database.execute("SELECT row FROM rows ORDER BY place"):
            yield json.loads(text)

    def close(self):
        self.database.close()
