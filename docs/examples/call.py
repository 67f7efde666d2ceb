# Sends one request: IMPORT_URL=… IMPORT_TOKEN=… python3 call.py request.json (Python 3.9 or later)
# Prints every failed record as a line of JSON. Exit status: 0 none failed, 1 some did, or nothing was imported.
# Left to client/import_groups.py: files of any size, a request that is too large (413), and sending records again that
# failed for now ("retryable": true).
import email.utils, http.client, json, os, random, sys, time, urllib.request, uuid


opener = urllib.request.OpenerDirector()  # Follows no redirect: the token goes to this address and to no other.
for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    opener.add_handler(handler())


def exchange(request):
    try:
        with opener.open(request, timeout=35) as response:
            return response.status, response.headers.get("Retry-After", "0"), response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, "0", str(error)


def seconds(retry_after):  # A number or a date; a wrong clock must not stop the program for hours.
    if retry_after.isdecimal():
        return min(float(retry_after), 60)
    try:
        return min(max(email.utils.mktime_tz(email.utils.parsedate_tz(retry_after)) - time.time(), 0), 60)
    except (TypeError, ValueError, OverflowError):
        return 0


body = open(sys.argv[1], "rb").read()  # Sent as it is: what reads and writes JSON could change it.
headers = {"X-Token": os.environ["IMPORT_TOKEN"], "Idempotency-Key": str(uuid.uuid4())}
headers["Content-Type"] = "application/json"
for attempt in range(10):
    status, retry_after, content = exchange(urllib.request.Request(os.environ["IMPORT_URL"], body, headers))
    if status not in (0, 201, 408, 425, 429) and status < 500:
        break
    pause = seconds(retry_after) + 0.5 + random.uniform(0, min(2**attempt, 30))  # Then the same, with the same key.
    print(f"status {status}; again in {pause:.1f} s", file=sys.stderr, flush=True)
    time.sleep(pause)
try:
    failed = (status == 200 and json.loads(content)["data"])["errorData"] or []
    sys.stdout.writelines(json.dumps(record) + "\n" for record in failed)  # In ASCII, for any console.
    sys.exit(1 if failed else 0)
except (ValueError, TypeError, KeyError, RecursionError):
    sys.exit(f"status {status}, no result (if it is 200, check IMPORT_URL): {content[:500]}")
