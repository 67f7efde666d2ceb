"""Imports the records of a request file and resends those that may succeed later. Needs Python 3.8 or later.

IMPORT_URL=https://…/api/integrate/audience/info/batchAdd IMPORT_TOKEN=… python3 import_groups.py request.json
"""

import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
import uuid

BATCH = 1000
MIN_BATCH = 50
ATTEMPTS = 10


def jitter(attempt):
    """Random, so that many callers do not come back at the same moment."""
    return random.uniform(0, min(2**attempt, 30))


def post(body):
    """Posts a body until the import has ended, and returns its result."""
    headers = {
        "Content-Type": "application/json",
        "X-Token": os.environ["IMPORT_TOKEN"],
        "Idempotency-Key": str(uuid.uuid4()),
    }
    last = None
    for attempt in range(ATTEMPTS):
        seconds = jitter(attempt)
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
            seconds += int(error.headers.get("Retry-After", 0))
        except (OSError, http.client.HTTPException) as error:
            last = error
        # The same request with the same key.
        time.sleep(seconds)
    sys.exit(f"no result after {ATTEMPTS} attempts, last: {last}")


class Import:
    """The import of a file."""

    def __init__(self, params):
        self.params = params
        self.size = BATCH
        self.imported = self.failed = 0
        self.dry_run = False

    def batch(self, records):
        """Imports one batch, and resends what failed retryably."""
        left = []
        for attempt in range(ATTEMPTS):
            again = []
            while records:
                sent, records = records[: self.size], records[self.size :]
                errors = self.send(sent)
                again += [record for record in errors if record["retryable"]]
                left += [record for record in errors if not record["retryable"]]
            records = again
            if not records or attempt == ATTEMPTS - 1:
                break
            time.sleep(jitter(attempt))
        for record in left + records:
            print(json.dumps(record, ensure_ascii=False))
        self.failed += len(left + records)

    def send(self, records):
        """Sends records by one request, and returns those that failed."""
        result = post({"publicParams": self.params, "data": records})
        self.imported += result["importSuccessNum"]
        self.dry_run = "dryRun" in result
        errors = result["errorData"] or []
        for record in errors:
            # The record's place in the body sent, not in the file.
            record.pop("index", None)
        # Records ran out of time: the next requests are smaller.
        slow = any(record["errorCode"] == "TIMEOUT" for record in errors)
        self.size = max(self.size // 2, MIN_BATCH) if slow else min(self.size * 2, BATCH)
        return errors


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    groups, records = Import(request["publicParams"]), request["data"]
    start = 0
    while start < len(records):
        end = start + groups.size
        groups.batch(records[start:end])
        start = end
    summary = "dry run: would import" if groups.dry_run else "imported"
    print(f"{summary} {groups.imported}, failed {groups.failed}", file=sys.stderr)
    return 1 if groups.failed else 0


if __name__ == "__main__":
    sys.exit(main())
