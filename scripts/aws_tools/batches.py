"""Writes of many items, until DynamoDB has processed all of them."""

import time

from .client import Failure

# The most items of one BatchWriteItem (DynamoDB API reference).
BATCH_WRITE_ITEMS = 25

# The first pause after a batch of which nothing was processed, and the longest, in seconds.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10


def write(client, table, requests):
    """Sends put or delete requests for items with keys of their own."""
    pause = FIRST_PAUSE
    while requests:
        batch, requests = requests[:BATCH_WRITE_ITEMS], requests[BATCH_WRITE_ITEMS:]
        response = client.batch_write_item(RequestItems={table: batch})
        unprocessed = response.get("UnprocessedItems", {}).get(table, [])
        if len(unprocessed) == len(batch):
            if pause > LONGEST_PAUSE:
                raise Failure(f"{table} accepts no more writes: the service throttles")
            time.sleep(pause)
            pause *= 2
        else:
            pause = FIRST_PAUSE
        requests = requests + unprocessed


def put(client, table, items):
    write(client, table, [{"PutRequest": {"Item": item}} for item in items])


def delete(client, table, keys):
    write(client, table, [{"DeleteRequest": {"Key": key}} for key in keys])
