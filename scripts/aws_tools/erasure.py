"""What the tables hold of a tenant or of some of its customers, and deleting it."""

import os

from boto3.dynamodb.conditions import Attr, Key

import import_groups
from import_groups import FIELDS, near_miss

from . import tokens
from .client import Failure, progress, say
from .table import Pace, of_tenant, pages, scan
from .values import trim

# The tables in the order of an erasure. The tokens come last: as long as they exist, a disabled tenant is known as one.
TABLES = ("MembershipsTable", "CustomersTable", "ImportsTable", "TenantsTable")


def erase(memberships, customers, imports, tenants, given):
    """Count what is stored of a tenant or of its customers, or delete it."""
    tables = {"memberships": memberships, "customers": customers, "idempotency keys": imports}
    if given.customers:
        ids = sorted(set(words(given.encoding)))
        if not ids:
            raise Failure("no audienceUserId was given: one a line on standard input")
        unknown = set(ids)
        items = items_of_customers(tables, given.tenant, ids, unknown)
    else:
        tables["tokens"] = tenants
        items = items_of_tenant(tables, given)
    found, pace = dict.fromkeys(tables, 0), Pace(given.rate)
    for part, page in items:
        found[part] += len(page)
        if given.delete:
            delete(tables[part], pace.each(page))
    for part, number in found.items():
        print(f"{part}: {number} {'deleted' if given.delete else 'to delete'}")
    if given.delete:
        say("point-in-time backups keep it for up to 35 days more; see docs/operations/tenants.md")
    else:
        say("nothing was changed: --delete deletes")
    if given.customers:
        report_unknown(unknown, len(ids))


def words(encoding):
    """What stands in the lines of standard input, without white space around it and empty lines."""
    file, _ = import_groups.open_input(os.dup(0))
    lines = import_groups.lines(file, import_groups.encoding_of(file, encoding))
    return [word for _, line in lines if (word := trim(line))]


def delete(table, items):
    names = [key["AttributeName"] for key in table.key_schema]
    with table.batch_writer() as batch:
        for item in items:
            batch.delete_item(Key={name: item[name] for name in names})


def items_of_customers(tables, tenant, ids, unknown):
    """What is stored of customers, page by page. Those of which something is found are taken out of `unknown`."""
    for customer in progress("customers", ids):
        # The customer comes first: from then on it cannot be matched.
        key = {"audienceUserId": customer, "tenantId": tenant}
        if "Item" in tables["customers"].get_item(Key=key, ConsistentRead=True):
            unknown.discard(customer)
            yield "customers", [key]
        of_customer = Key("customerKey").eq(f"{tenant}#{customer}")
        for page in pages(tables["memberships"], "query", KeyConditionExpression=of_customer):
            unknown.difference_update([customer] if page["Items"] else ())
            yield "memberships", page["Items"]
    # The outcome of an import with `explain` names the customers that its records matched.
    wanted = set(ids)
    for page in scan(tables["idempotency keys"], FilterExpression=Attr("importKey").begins_with(f"{tenant}#")):
        named = [item for item in page if not wanted.isdisjoint(item.get("customers", ()))]
        unknown.difference_update(*(item["customers"] for item in named))
        yield "idempotency keys", named


def items_of_tenant(tables, given):
    """What is stored of a tenant, page by page: all of it, as more may have been imported since a run that was stopped.

    No tenant's ID has a `#` (contract, section 10).
    """
    own = {
        "memberships": {"FilterExpression": Attr("customerKey").begins_with(f"{given.tenant}#")},
        "idempotency keys": {"FilterExpression": Attr("importKey").begins_with(f"{given.tenant}#")},
    }
    check_tokens(tables["tokens"], given)
    say(
        "an import may go on for TokenCacheSeconds and 29 s after its token was revoked: wait that long before --delete"
    )
    for part, table in tables.items():
        if part == "tokens":
            # One may have been created meanwhile.
            check_tokens(table, given)
        for page in scan(table, **own.get(part, of_tenant(given.tenant))):
            yield part, page


def check_tokens(table, given):
    """Fails with --delete while the function would accept a token of the tenant."""
    if valid := sum(map(tokens.is_valid, tokens.entries(table, given.tenant))):
        found = f"the tenant {given.tenant} has valid tokens ({valid}): revoke or disable them before --delete"
        if given.delete:
            raise Failure(found)
        say(found)


def report_unknown(customers, given):
    """Says of how many customers nothing was found; fails where that is due to the form of the list."""
    say(f"IDs: {given}, of which nothing was found: {len(customers)}")
    if any(set(customer) & set("\"',;\t") for customer in customers):
        raise Failure("some of these have quotes, commas, semicolons or tabs: give one ID a line, and nothing else")
    if any(customer in FIELDS or near_miss(customer) for customer in customers):
        raise Failure("one of these is the heading of a column, no ID")
