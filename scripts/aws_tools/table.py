"""Reading whole tables at a rate that leaves others their share, and the same for writing."""

import time

from boto3.dynamodb.conditions import Attr

from .client import progress

# Read units a second, 8 MB: a small part of what an on-demand table gives.
READ_UNITS = 2_000

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


def pages(table, operation, **request):
    """The pages of a scan or a query."""
    paginator = table.meta.client.get_paginator(operation)
    return paginator.paginate(TableName=table.name, ConsistentRead=True, **request)


def of_tenant(tenant):
    """What makes a request one for the items of a tenant; for all without one."""
    return {"FilterExpression": Attr("tenantId").eq(tenant)} if tenant else {}


def scan(table, **request):
    """The items of each page, at the rate of reads, with a bar of progress."""
    pace = Pace(READ_UNITS)
    # The total is an estimate that DynamoDB updates every six hours or so.
    with progress(table.name, total=table.item_count) as bar:
        for page in pages(table, "scan", ReturnConsumedCapacity="TOTAL", **request):
            yield page["Items"]
            bar.update(page["ScannedCount"])
            pace.wait(page.get("ConsumedCapacity", {}).get("CapacityUnits", 0))
