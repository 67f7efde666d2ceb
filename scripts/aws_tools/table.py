"""Reading a whole table at a rate that leaves others their share, and the same for writing."""

import time

from .client import progress

# So many seconds that were not used are made up for: those of a call, but no burst follows a pause.
MADE_UP = 0.1


class Pace:
    """Lets at most `rate` a second through."""

    def __init__(self, rate):
        self.rate = rate
        self.free = 0

    def wait(self, number):
        now = time.monotonic()
        if self.free > now:
            time.sleep(self.free - now)
        self.free = max(self.free, now - MADE_UP) + number / self.rate

    def each(self, items):
        """Yields the items one by one, at this pace."""
        for item in items:
            self.wait(1)
            yield item


def scan(table, title, pace, **request):
    """The items of each page of a table, by read units a second, with a bar of progress."""
    pages = table.meta.client.get_paginator("scan").paginate(
        TableName=table.name, ConsistentRead=True, ReturnConsumedCapacity="TOTAL", **request
    )
    # The total is an estimate that DynamoDB updates every six hours or so.
    with progress(title, total=table.item_count) as bar:
        for page in pages:
            yield page["Items"]
            bar.update(page["ScannedCount"])
            pace.wait(page.get("ConsumedCapacity", {}).get("CapacityUnits", 0))
