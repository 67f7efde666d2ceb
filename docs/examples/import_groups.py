"""Imports the records of a request file and resends those that may succeed later. Needs Python 3.8 or later.

IMPORT_URL=https://…/api/integrate/audience/info/batchAdd IMPORT_TOKEN=… python3 import_groups.py request.json
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

BATCH = 1000
ATTEMPTS = 8


def pause(attempt):
    return min(2**attempt, 30)


def post(body):
    """Posts a body until the import has ended, and returns its result."""
    headers = {
        "Content-Type": "application/json",
        "X-Token": os.environ["IMPORT_TOKEN"],
        "Idempotency-Key": str(uuid.uuid4()),
    }
    last = None
    for attempt in range(ATTEMPTS):
        seconds = pause(attempt)
        request = urllib.request.Request(os.environ["IMPORT_URL"], json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                if response.status == 200:
                    return json.load(response)["data"]
                last = response.status
        except urllib.error.HTTPError as error:
            last = error.code
            if error.code != 429 and error.code < 500:
                sys.exit(f"rejected: {error.code} {error.read().decode()}")
            seconds = int(error.headers.get("Retry-After", seconds))
        except (OSError, http.client.HTTPException) as error:
            last = error
        # The same request with the same key.
        time.sleep(seconds)
    sys.exit(f"no result after {ATTEMPTS} attempts, last: {last}")


def import_records(params, records):
    """Imports one batch. Returns how many records were imported, those that were not, and whether it was a dry run."""
    imported, failed = 0, []
    for attempt in range(ATTEMPTS):
        result = post({"publicParams": params, "data": records})
        imported += result["importSuccessNum"]
        errors = result["errorData"] or []
        for record in errors:
            # The record's place in the body sent, not in the file.
            record.pop("index", None)
        failed += [record for record in errors if not record["retryable"]]
        records = [record for record in errors if record["retryable"]]
        if not records:
            break
        time.sleep(pause(attempt))
    return imported, failed + records, "dryRun" in result


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    imported, failed, dry_run = 0, 0, False
    for start in range(0, len(request["data"]), BATCH):
        batch = request["data"][start : start + BATCH]
        succeeded, left, dry_run = import_records(request["publicParams"], batch)
        for record in left:
            print(json.dumps(record, ensure_ascii=False))
        imported += succeeded
        failed += len(left)
    summary = "dry run: would import" if dry_run else "imported"
    print(f"{summary} {imported}, failed {failed}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
