"""What the tables hold of a tenant or of some of its customers, and deleting it."""

import time

from . import batches, tokens

# One invocation of the function: an import that began before its token was revoked may still write for so long.
INVOCATION_SECONDS = 29

# What is erased of a tenant, in this order: the attributes of each table's key, and which items are the tenant's. A
# tenant's ID has no `#` (contract, section 10). The tokens come last: as long as they exist, a disabled tenant is known
# as such.
PARTS = {
    "memberships": ("MEMBERSHIPS_TABLE", ("customerKey", "groupName"), "begins_with(customerKey, :prefix)"),
    "customers": ("CUSTOMERS_TABLE", ("audienceUserId", "tenantId"), "tenantId = :tenant"),
    "idempotency keys": ("IMPORTS_TABLE", ("importKey",), "begins_with(importKey, :prefix)"),
    "tokens": ("TENANTS_TABLE", ("tokenHash",), "tenantId = :tenant"),
}


class Pace:
    """Lets at most `rate` items a second through, on average since the start."""

    def __init__(self, rate):
        self.rate = rate
        self.begun = time.monotonic()
        self.passed = 0

    def wait(self, items):
        self.passed += items
        time.sleep(max(0, self.begun + self.passed / self.rate - time.monotonic()))


def scan(client, table, part, tenant, after=None):
    """Pages of the tenant's items: their keys, how many items were read, and the position after them, if any."""
    _, key, condition = PARTS[part]
    values = {":tenant": {"S": tenant}} if ":tenant" in condition else {":prefix": {"S": f"{tenant}#"}}
    request = {
        "TableName": table,
        "ConsistentRead": True,
        "FilterExpression": condition,
        "ExpressionAttributeValues": values,
        "ProjectionExpression": ", ".join((*key, "customers") if part == "idempotency keys" else key),
    }
    while True:
        page = client.scan(**request, **({"ExclusiveStartKey": after} if after else {}))
        after = page.get("LastEvaluatedKey")
        yield page["Items"], page["ScannedCount"], after
        if not after:
            return


def keys(part, items):
    """The keys alone."""
    return [{name: item[name] for name in PARTS[part][1]} for item in items]


def of_customers(client, tables, tenant, customers):
    """The keys of what the tables hold of the customers: pairs of a part and a page of keys.

    The customers come first: from then on none of them can be matched.
    """
    for customer in customers:
        key = {"audienceUserId": {"S": customer}, "tenantId": {"S": tenant}}
        if "Item" in client.get_item(TableName=tables["customers"], Key=key, ConsistentRead=True):
            yield "customers", [key]
    for customer in customers:
        pages = client.get_paginator("query").paginate(
            TableName=tables["memberships"],
            ConsistentRead=True,
            KeyConditionExpression="customerKey = :key",
            ExpressionAttributeValues={":key": {"S": f"{tenant}#{customer}"}},
            ProjectionExpression="customerKey, groupName",
        )
        for page in pages:
            yield "memberships", page["Items"]
    # The outcome of an import with `explain` names the customers that its records matched.
    if "idempotency keys" in tables:
        named = set(customers)
        for items, _, _ in scan(client, tables["idempotency keys"], "idempotency keys", tenant):
            holding = [item for item in items if named & {one["S"] for one in item.get("customers", {}).get("L", [])}]
            yield "idempotency keys", keys("idempotency keys", holding)


def erase(client, table, found, pace):
    """Deletes the items with these keys."""
    for start in range(0, len(found), batches.BATCH_WRITE_ITEMS):
        batch = found[start : start + batches.BATCH_WRITE_ITEMS]
        batches.delete(client, table, batch)
        pace.wait(len(batch))


def valid_tokens(client, table, tenant):
    """How many tokens of the tenant the function would accept."""
    return sum(tokens.is_valid(item) for item in tokens.entries(client, table, tenant))
