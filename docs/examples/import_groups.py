"""Imports the records of a request file and resends those that may succeed later. Needs Python 3.8 or later.

IMPORT_URL=https://…/api/integrate/audience/info/batchAdd IMPORT_TOKEN=… python3 import_groups.py request.json

Failed records are printed as lines of JSON, everything else goes to standard error. Exit status: 0 all records were
imported, 1 some failed or the import stopped, 2 the program was not used as it should be.
"""

import email.utils
import http.client
import json
import os
import random
import re
import sys
import time
import urllib.error
import urllib.request
import uuid

BATCH = 1000
MIN_BATCH = 50
ATTEMPTS = 10
# A little longer than the service takes at most.
TIMEOUT = 35
# A wrong clock or date must not stop the import for hours.
LONGEST_RETRY_AFTER = 60


class Stop(Exception):
    """The import cannot go on: a message and an exit status."""


def report(message):
    print(message, file=sys.stderr, flush=True)


def retry_after(value):
    """The seconds of a Retry-After header, which has a number or a date."""
    try:
        seconds = int(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            seconds = 0
    return min(max(seconds, 0), LONGEST_RETRY_AFTER)


def pause(why, attempt, least=0):
    """Waits, a random time longer than it must, so that many callers do not come back at the same moment."""
    seconds = least + random.uniform(0, min(2**attempt, 30))
    report(f"{why}; again in {seconds:.1f} s (attempt {attempt + 2} of {ATTEMPTS})")
    time.sleep(seconds)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token goes to the given address and to no other."""

    def redirect_request(self, *_):
        return None


HTTP = urllib.request.build_opener(NoRedirect)


def exchange(request):
    """Status, Retry-After and body of the response."""
    try:
        response = HTTP.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return response.status, response.headers.get("Retry-After", "0"), response.read()


class Import:
    """The import of a file."""

    def __init__(self, url, token, params, records):
        self.url, self.token, self.params, self.records = url, token, params, records
        self.size = BATCH
        self.imported = self.failed = 0
        self.dry_run = False

    def run(self):
        start = 0
        while start < len(self.records):
            end = start + self.size
            self.batch(self.records[start:end])
            start = end
        report(f"{'dry run: would import' if self.dry_run else 'imported'} {self.imported}, failed {self.failed}")

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
            pause(f"{len(records)} records failed for now", attempt)
        for record in left + records:
            print(json.dumps(record, ensure_ascii=False), flush=True)
        self.failed += len(left + records)

    def send(self, records):
        """Sends records by one request, and returns those that failed."""
        result = self.post({"publicParams": self.params, "data": records})
        self.imported += result["importSuccessNum"]
        self.dry_run = "dryRun" in result
        errors = result["errorData"] or []
        for record in errors:
            # The record's place in the body sent, not in the file.
            record.pop("index", None)
        # Records ran out of time: the next requests are smaller.
        slow = any(record["errorCode"] == "TIMEOUT" for record in errors)
        self.size = max(self.size // 2, MIN_BATCH) if slow else min(self.size * 2, BATCH)
        report(f"sent {len(records)} records: {self.imported} of {len(self.records)} succeeded so far")
        return errors

    def post(self, body):
        """Posts a body until the import has ended, and returns its result."""
        headers = {
            "Content-Type": "application/json",
            "X-Token": self.token,
            "Idempotency-Key": str(uuid.uuid4()),
        }
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers)
        for attempt in range(ATTEMPTS):
            least = 0
            try:
                status, header, content = exchange(request)
                if status == 200:
                    return json.loads(content)["data"]
                if status not in (201, 429) and status < 500:
                    raise Stop(f"rejected: {status} {content.decode(errors='replace')[:500]}", 1)
                why = f"status {status}"
                least = retry_after(header)
            except (OSError, http.client.HTTPException) as error:
                why = f"no response: {error}"
            except (ValueError, KeyError, TypeError):
                raise Stop("stopped: the response is not one of the service; check IMPORT_URL", 1) from None
            if attempt < ATTEMPTS - 1:
                # The same request with the same key.
                pause(why, attempt, least)
        raise Stop(f"stopped after {ATTEMPTS} attempts: {why}", 1)


def read_request(file):
    """The publicParams and data of a file."""
    try:
        with open(file, "rb") as opened:
            content = opened.read()
    except OSError:
        raise Stop(f"{file} cannot be read", 2) from None
    if content.startswith(b"\xef\xbb\xbf"):
        raise Stop(f"{file} begins with a byte order mark: save it as UTF-8 without BOM", 2)
    try:
        request = json.loads(content.decode())
    except ValueError:
        raise Stop(f"{file} is not JSON in UTF-8", 2) from None
    params, records = (request.get("publicParams"), request.get("data")) if isinstance(request, dict) else (None, None)
    if not isinstance(params, dict) or not isinstance(records, list):
        raise Stop(f"{file} must be an object with publicParams, an object, and data, an array", 2)
    if not records:
        raise Stop(f"{file} has no records: data is empty", 2)
    return params, records


def main(arguments):
    if len(arguments) != 1:
        raise Stop("usage: python3 import_groups.py request.json", 2)
    url, token = os.environ.get("IMPORT_URL"), os.environ.get("IMPORT_TOKEN")
    if not url:
        raise Stop("IMPORT_URL is not set: the whole address, https://HOST/api/integrate/audience/info/batchAdd", 2)
    if not re.match(r"https?://[!-.0-~]", url):
        raise Stop("IMPORT_URL must begin with https:// or http:// and a host", 2)
    if not token:
        raise Stop("IMPORT_TOKEN is not set: the token of the enterprise", 2)
    if not re.fullmatch(r"[!-~]+", token):
        raise Stop("IMPORT_TOKEN may have visible ASCII characters only", 2)
    groups = Import(url, token, *read_request(arguments[0]))
    groups.run()
    return 1 if groups.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Stop as stop:
        report(stop.args[0])
        sys.exit(stop.args[1])
    except KeyboardInterrupt:
        sys.exit(130)
