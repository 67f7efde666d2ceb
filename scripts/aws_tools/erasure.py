"""What the tables hold of a tenant or of some of its customers, and deleting it."""

from import_groups import FIELDS, near_miss

from . import table, tokens
from .client import Failure, progress, say
from .journal import Journal
from .values import words

# The default of the function (src/config.rs).
DEFAULT_TOKEN_CACHE = 60

# One invocation of the function: an import that began before its token was revoked may still write for so long.
INVOCATION_SECONDS = 29

# Read units a second, 8 MB: a small part of what an on-demand table gives.
READ_UNITS = 2_000

# What is erased of a tenant, in this order: the attributes of each table's key, and which items are the tenant's. A
# tenant's ID has no `#` (contract, section 10). The tokens come last: as long as they exist, a disabled tenant is known
# as such.
PARTS = {
    "memberships": ("MembershipsTable", ("customerKey", "groupName"), "begins_with(customerKey, :prefix)"),
    "customers": ("CustomersTable", ("audienceUserId", "tenantId"), "tenantId = :tenant"),
    "idempotency keys": ("ImportsTable", ("importKey",), "begins_with(importKey, :prefix)"),
    "tokens": ("TenantsTable", ("tokenHash",), "tenantId = :tenant"),
}


def erase(client, names, given):
    """Erases the tenant, or the customers that standard input lists."""
    run = Erasure(client, names, given)
    if not given.customers:
        run.of_tenant()
        return run.report()
    ids = sorted(set(words()))
    if not ids:
        raise Failure("no audienceUserId was given: one a line on standard input")
    unknown = run.of_customers(ids)
    run.report()
    return report_unknown(unknown, len(ids))


class Erasure:
    """One run: the tables, and what was found in each."""

    def __init__(self, client, names, given):
        self.client, self.given = client, given
        self.tables = {part: names[output] for part, (output, *_) in PARTS.items()}
        self.reads = table.Pace(READ_UNITS)
        self.deletions = table.Pace(given.rate)
        self.found = {}

    def report(self):
        for part, number in self.found.items():
            print(f"{part}: {number} {'deleted' if self.given.delete else 'to delete'}")
        if self.given.delete:
            say("point-in-time backups keep it for up to 35 days more; see docs/operations/tenants.md")
        else:
            say("nothing was changed: --delete deletes")

    def count(self, part, items):
        """Counts items, and deletes them with --delete."""
        self.found[part] = self.found.get(part, 0) + len(items)
        if self.given.delete:
            keys = [{name: item[name] for name in PARTS[part][1]} for item in items]
            table.delete(self.client, self.tables[part], keys, self.deletions)

    def pages(self, part, after=None):
        """The pages of a table behind a key, with the keys of the tenant's items, and a bar of progress."""
        _, key, condition = PARTS[part]
        tenant = self.given.tenant
        values = {":tenant": {"S": tenant}} if ":tenant" in condition else {":prefix": {"S": f"{tenant}#"}}
        request = {
            "FilterExpression": condition,
            "ExpressionAttributeValues": values,
            "ProjectionExpression": ", ".join((*key, "customers") if part == "idempotency keys" else key),
        }
        # An estimate that DynamoDB updates every six hours or so.
        total = self.client.describe_table(TableName=self.tables[part])["Table"].get("ItemCount")
        with progress(part, total=total) as bar:
            for page in table.scan(self.client, self.tables[part], self.reads, after, **request):
                yield page
                bar.update(page["ScannedCount"])

    def of_customers(self, customers):
        """Erases customers; those of which nothing was found.

        The customers come first: from then on none of them can be matched.
        """
        self.found = dict.fromkeys((part for part in self.tables if part != "tokens"), 0)
        known = set()
        tenant = self.given.tenant
        for customer in progress("customers", customers):
            key = {"audienceUserId": {"S": customer}, "tenantId": {"S": tenant}}
            response = self.client.get_item(TableName=self.tables["customers"], Key=key, ConsistentRead=True)
            if "Item" in response:
                known.add(customer)
                self.count("customers", [key])
        for customer in progress("memberships", customers):
            pages = self.client.get_paginator("query").paginate(
                TableName=self.tables["memberships"],
                ConsistentRead=True,
                KeyConditionExpression="customerKey = :key",
                ExpressionAttributeValues={":key": {"S": f"{tenant}#{customer}"}},
                ProjectionExpression="customerKey, groupName",
            )
            for page in pages:
                known.update([customer] if page["Items"] else [])
                self.count("memberships", page["Items"])
        # The outcome of an import with `explain` names the customers that its records matched.
        given = set(customers)
        for page in self.pages("idempotency keys"):
            items = page["Items"]
            named = [given & {one.get("S") for one in item.get("customers", {}).get("L", [])} for item in items]
            known.update(*named)
            self.count("idempotency keys", [item for item, of in zip(items, named, strict=True) if of])
        return [customer for customer in customers if customer not in known]

    def of_tenant(self):
        """Erases a tenant. Where a run was stopped, the next one resumes."""
        self.check_tokens()
        seconds = int(self.given.token_cache or DEFAULT_TOKEN_CACHE) + INVOCATION_SECONDS
        say(f"imports may go on for {seconds} s after a token was revoked: wait that long before --delete")
        journal = Journal(self.given.journal / f"erase-{self.given.tenant}.json", self.tables)
        state = journal.read() if self.given.delete and not self.given.restart else None
        if state:
            say("resuming an earlier run; --restart begins anew")
        state = state or {"found": {}, "done": [], "after": None}
        self.found = state["found"]
        for part in (part for part in self.tables if part not in state["done"]):
            if part == "tokens":
                # One may have been created meanwhile.
                self.check_tokens()
            self.found.setdefault(part, 0)
            for page in self.pages(part, state["after"]):
                self.count(part, page["Items"])
                state["after"] = page.get("LastEvaluatedKey")
                if self.given.delete:
                    journal.write(state)
            state["done"].append(part)
        if self.given.delete:
            journal.delete()

    def check_tokens(self):
        """Fails with --delete while the function would accept a token of the tenant."""
        valid = sum(map(tokens.is_valid, tokens.entries(self.client, self.tables["tokens"], self.given.tenant)))
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
