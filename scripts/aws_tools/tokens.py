"""The entries of the tenants table: tokens, by their hashes, and whose they are.

A token is printed once, when it is made, and nothing else goes to standard output then: it can be piped into a secret
store. An existing token is never an argument, which a shell's history and the list of processes would show: its hash
is.
"""

import contextlib
import hashlib
import secrets
import time
from decimal import Decimal

from .client import Failure, say
from .table import of_tenant, pages

# Without it a token cannot import (src/tenant.rs).
PERMISSION = "audience:group"

TOKEN_BYTES = 32
DAY = 86_400
# What comes later cannot be shown as a date everywhere.
END_OF_9999 = 253_402_300_799

# The function's TOKEN_CACHE_SECONDS, unless it is set otherwise.
CACHED = "a warm function may accept it for TOKEN_CACHE_SECONDS more (60 unless set)"


def entries(table, tenant=None):
    """The entries of a tenant, or all."""
    # A scan: there are as many entries as tokens, and only this reads them by tenant.
    return [item for page in pages(table, "scan", **of_tenant(tenant)) for item in page["Items"]]


def enabled(item):
    return item.get("enabled") is not False


def expires_at(item):
    """When a token expires, in epoch seconds; infinity is never."""
    at = item.get("expiresAt")
    return float(at) if isinstance(at, Decimal) else float("inf")


def is_valid(item):
    return enabled(item) and expires_at(item) > time.time()


def may_import(item):
    """Whether the function would run an import for the token."""
    return is_valid(item) and ("permissions" not in item or PERMISSION in permissions(item))


def permissions(item):
    held = item.get("permissions")
    return sorted(one for one in held if isinstance(one, str)) if isinstance(held, set) else []


def hash_of(token):
    return hashlib.sha256(token.encode()).hexdigest()


def new(table, given):
    """Create a token for a tenant and print it."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    key = {"tokenHash": hash_of(token)}
    item = {**key, "tenantId": given.tenant, "permissions": {PERMISSION}}
    if given.days:
        item["expiresAt"] = Decimal(int(time.time()) + given.days * DAY)
    table.put_item(Item=item)
    try:
        # Looked at last, as the tenant may be disabled meanwhile, without this entry. Nobody knows the token yet, or
        # ever if it cannot be printed.
        if not all(map(enabled, entries(table, given.tenant))):
            raise Failure(f"the tenant {given.tenant} is disabled: `enable` it first")
        say(f"tenant {given.tenant}, permission {PERMISSION}, {expiry(item)}, hash {hash_of(token)}")
        say("the token, shown only once:")
        print(token, flush=True)
    except BaseException:
        table.delete_item(Key=key)
        raise


def list_tokens(table, given):
    """Print the hashes of a tenant's tokens, and their state."""
    for item in entries_of(table, given.tenant):
        state = "enabled" if enabled(item) else "disabled"
        allowed = " ".join(permissions(item)) if "permissions" in item else "all"
        print(f"{item['tokenHash']}  {state}  {allowed}  {expiry(item)}")


def list_tenants(table, _):
    """List the tenants, and how many tokens each has."""
    tenants = {}
    for item in entries(table):
        tenants.setdefault(str(item.get("tenantId", "-")), []).append(item)
    if not tenants:
        say("there is no tenant")
    for tenant, items in sorted(tenants.items()):
        states = {enabled(item) for item in items}
        state = "partly disabled" if len(states) > 1 else "enabled" if True in states else "disabled"
        print(f"{tenant}  {state}  tokens: {len(items)}, valid: {sum(map(is_valid, items))}")


def disable(table, given):
    """Respond 403 to every token of a tenant, and create no more."""
    switch(table, given, False)
    say(CACHED)


def enable(table, given):
    """Undo `disable`."""
    switch(table, given, True)


def switch(table, given, value):
    # Until all are as they should be: one may have been created meanwhile.
    while others := [item for item in entries_of(table, given.tenant) if enabled(item) != value]:
        for item in others:
            # The entry may have been revoked meanwhile, and an update alone would create it anew.
            with contextlib.suppress(table.meta.client.exceptions.ConditionalCheckFailedException):
                table.update_item(
                    Key={"tokenHash": item["tokenHash"]},
                    UpdateExpression="SET enabled = :enabled",
                    ExpressionAttributeValues={":enabled": value},
                    ConditionExpression="attribute_exists(tokenHash)",
                )
    say(f"the tenant {given.tenant} is {'enabled' if value else 'disabled'}")


def revoke(table, given):
    """Delete a token for good, or all of a tenant: respond 401."""
    for chosen in [given.hash] if given.hash else [item["tokenHash"] for item in entries_of(table, given.tenant)]:
        try:
            table.delete_item(Key={"tokenHash": chosen}, ConditionExpression="attribute_exists(tokenHash)")
        except table.meta.client.exceptions.ConditionalCheckFailedException as unknown:
            raise Failure(f"there is no token with the hash {chosen}") from unknown
        say(f"revoked: {chosen}")
    say(CACHED)


def entries_of(table, tenant):
    """The entries of a tenant, one at least."""
    found = entries(table, tenant)
    if not found:
        raise Failure(f"the tenant {tenant} has no token")
    return found


def expiry(item):
    """When a token expires or has expired: DynamoDB deletes an expired entry within some days."""
    at = expires_at(item)
    if at == float("inf"):
        return "expires never"
    day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(min(max(at, 0), END_OF_9999)))
    return f"{'expires' if at > time.time() else 'expired'} {day}"
