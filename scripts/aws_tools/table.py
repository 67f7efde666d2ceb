"""Reading a whole table and writing many items, at a rate that leaves others their share."""

import itertools
import time

from .client import Failure

# The most items of one BatchWriteItem (DynamoDB API reference).
BATCH_WRITE_ITEMS = 25

# The first pause after a batch of which nothing was processed, and the longest, in seconds.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10


class Pace:
    """Lets at most `rate` a second through. What was not used in time is lost, so that no burst follows a pause."""

    def __init__(self, rate):
        self.rate = rate
        self.free = 0

    def wait(self, number):
        now = time.monotonic()
        time.sleep(max(0, self.free - now))
        self.free = max(self.free, now) + number / self.rate


def scan(client, table, pace, after=None, **request):
    """The pages of a table behind the key `after`, by read units a second."""
    request |= {"ExclusiveStartKey": after} if after else {}
    paginator = client.get_paginator("scan")
    for page in paginator.paginate(TableName=table, ConsistentRead=True, ReturnConsumedCapacity="TOTAL", **request):
        if "Items" not in page:
            raise Failure("what responds at this address is no DynamoDB")
        yield page
        pace.wait(page.get("ConsumedCapacity", {}).get("CapacityUnits", 0))


def write(client, table, requests, pace):
    """Sends put or delete requests for items with keys of their own, until DynamoDB has processed all of them."""
    requests, unprocessed, pause = iter(requests), [], FIRST_PAUSE
    while batch := [*unprocessed, *itertools.islice(requests, BATCH_WRITE_ITEMS - len(unprocessed))]:
        pace.wait(len(batch))
        response = client.batch_write_item(RequestItems={table: batch})
        unprocessed = response.get("UnprocessedItems", {}).get(table, [])
        if len(unprocessed) < len(batch):
            pause = FIRST_PAUSE
        elif pause > LONGEST_PAUSE:
            raise Failure(f"{table} accepts no more writes: the service throttles")
        else:
            time.sleep(pause)
            pause *= 2


def put(client, table, items, pace):
    write(client, table, ({"PutRequest": {"Item": item}} for item in items), pace)


def delete(client, table, keys, pace):
    write(client, table, ({"DeleteRequest": {"Key": key}} for key in keys), pace)
