"""The entries of the tenants table."""

import time

# Without it a token cannot import (src/tenant.rs).
PERMISSION = "audience:group"


def entries(client, table, tenant):
    """The entries of a tenant."""
    # A scan: there are as many entries as tokens, and only this reads them by tenant.
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        ConsistentRead=True,
        FilterExpression="tenantId = :tenant",
        ExpressionAttributeValues={":tenant": {"S": tenant}},
    )
    return [item for page in pages for item in page["Items"]]


def enabled(item):
    return item.get("enabled", {}).get("BOOL", True)


def expires_at(item):
    """When a token expires, in epoch seconds; infinity is never."""
    return float(item.get("expiresAt", {}).get("N", "inf"))


def is_valid(item):
    return enabled(item) and expires_at(item) > time.time()


def may_import(item):
    """Whether the function would run an import for the token."""
    return is_valid(item) and ("permissions" not in item or PERMISSION in item["permissions"]["SS"])
