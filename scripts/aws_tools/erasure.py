"""What the tables hold of a tenant or of some of its customers, and deleting it."""

from boto3.dynamodb.conditions import Attr, Key

from import_groups import FIELDS, near_miss

from . import tokens
from .client import Failure, progress, say
from .table import Pace, scan
from .values import words

# The default of the function (src/config.rs).
DEFAULT_TOKEN_CACHE = 60

# One invocation of the function: an import that began before its token was revoked may still write for so long.
INVOCATION_SECONDS = 29

# Read units a second, 8 MB: a small part of what an on-demand table gives.
READ_UNITS = 2_000

# What is erased of a tenant, in this order: the output with the table's name, what is read of it, and which items are
# the tenant's, whose ID has no `#` (contract, section 10). The tokens come last: as long as they exist, a disabled
# tenant is known as such.
PARTS = {
    "memberships": ("MembershipsTable", "customerKey, groupName", Attr("customerKey").begins_with, "{}#"),
    "customers": ("CustomersTable", "audienceUserId, tenantId", Attr("tenantId").eq, "{}"),
    "idempotency keys": ("ImportsTable", "importKey, customers", Attr("importKey").begins_with, "{}#"),
    "tokens": ("TenantsTable", "tokenHash", Attr("tenantId").eq, "{}"),
}


def erase(tables, given):
    """Erases the tenant, or the customers that standard input lists."""
    run = Erasure(tables, given)
    ids = sorted(set(words())) if given.customers else None
    if ids == []:
        raise Failure("no audienceUserId was given: one a line on standard input")
    unknown = run.of_customers(ids) if ids else run.of_tenant()
    for part, number in run.found.items():
        print(f"{part}: {number} {'deleted' if given.delete else 'to delete'}")
    if given.delete:
        say("point-in-time backups keep it for up to 35 days more; see docs/operations/tenants.md")
    else:
        say("nothing was changed: --delete deletes")
    if ids:
        report_unknown(unknown, len(ids))


class Erasure:
    """One run: the tables, and what was found in each."""

    def __init__(self, tables, given):
        self.given = given
        self.tables = {part: tables[output] for part, (output, *_) in PARTS.items()}
        self.reads = Pace(READ_UNITS)
        self.deletions = Pace(given.rate)
        self.found = {}

    def count(self, part, items):
        """Counts items, and deletes them with --delete."""
        self.found[part] = self.found.get(part, 0) + len(items)
        if self.given.delete:
            table = self.tables[part]
            with table.batch_writer() as batch:
                for item in self.deletions.each(items):
                    batch.delete_item(
                        Key={one["AttributeName"]: item[one["AttributeName"]] for one in table.key_schema}
                    )

    def pages(self, part):
        """The pages of a table, with the tenant's items."""
        _, attributes, condition, form = PARTS[part]
        request = {"FilterExpression": condition(form.format(self.given.tenant)), "ProjectionExpression": attributes}
        return scan(self.tables[part], part, self.reads, **request)

    def of_customers(self, customers):
        """Erases customers; those of which nothing was found.

        The customers come first: from then on none of them can be matched.
        """
        self.found = dict.fromkeys((part for part in self.tables if part != "tokens"), 0)
        known = set()
        tenant = self.given.tenant
        for customer in progress("customers", customers):
            key = {"audienceUserId": customer, "tenantId": tenant}
            if "Item" in self.tables["customers"].get_item(Key=key, ConsistentRead=True):
                known.add(customer)
                self.count("customers", [key])
        memberships = self.tables["memberships"]
        for customer in progress("memberships", customers):
            pages = memberships.meta.client.get_paginator("query").paginate(
                TableName=memberships.name,
                ConsistentRead=True,
                KeyConditionExpression=Key("customerKey").eq(f"{tenant}#{customer}"),
                ProjectionExpression="customerKey, groupName",
            )
            for page in pages:
                known.update([customer] if page["Items"] else [])
                self.count("memberships", page["Items"])
        # The outcome of an import with `explain` names the customers that its records matched.
        given = set(customers)
        for items in self.pages("idempotency keys"):
            named = [given.intersection(item.get("customers", ())) for item in items]
            known.update(*named)
            self.count("idempotency keys", [item for item, of in zip(items, named, strict=True) if of])
        return [customer for customer in customers if customer not in known]

    def of_tenant(self):
        """Erases a tenant. After a run that was stopped, the next one deletes the rest.

        It reads the tables from their beginning: more may have been imported meanwhile.
        """
        self.check_tokens()
        seconds = int(self.given.token_cache or DEFAULT_TOKEN_CACHE) + INVOCATION_SECONDS
        say(f"imports may go on for {seconds} s after a token was revoked: wait that long before --delete")
        for part in self.tables:
            if part == "tokens":
                # One may have been created meanwhile.
                self.check_tokens()
            self.count(part, [])
            for items in self.pages(part):
                self.count(part, items)

    def check_tokens(self):
        """Fails with --delete while the function would accept a token of the tenant."""
        valid = sum(map(tokens.is_valid, tokens.entries(self.tables["tokens"], self.given.tenant)))
        if valid and self.given.delete:
            raise Failure(f"the tenant {self.given.tenant} has valid tokens ({valid}): revoke or disable them first")
        if valid:
            say(f"the tenant has valid tokens ({valid}), which must be revoked or disabled before --delete")


def report_unknown(customers, given):
    """Says of how many customers nothing was found; fails where that is due to the form of the list."""
    say(f"IDs: {given}, of which nothing was found: {len(customers)}")
    if any(set(customer) & set("\"',;\t") for customer in customers):
        raise Failure("some of these have quotes, commas, semicolons or tabs: give one ID a line, and nothing else")
    if any(customer in FIELDS or near_miss(customer) for customer in customers):
        raise Failure("one of these is the heading of a column, no ID")
