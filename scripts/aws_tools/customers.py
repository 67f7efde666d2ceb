"""Customers: of a CSV file, made ready for their table; and in the table, checked and mended."""

import collections
import gzip
import json
from concurrent.futures import ThreadPoolExecutor

from boto3.dynamodb.conditions import Attr

import import_groups
from import_groups import IDENTIFIERS

from .client import Failure, progress, say
from .table import Pace, scan
from .values import Unfit, flaw, identifier, trim

# Phones that are mended in a second, and at a time.
MENDED = 500
AT_A_TIME = 8


class Customers(import_groups.Csv):
    """A CSV file of customers, which the client's own reader reads. Each pass reads the file anew.

    A row that cannot be a customer is left out and counted.
    """

    def __init__(self, given):
        file, _ = import_groups.open_input(given.file)
        super().__init__(file, import_groups.encoding_of(file, given.encoding))
        self.tenant = given.tenant

    def check_names(self):
        for name in self.names:
            field = import_groups.near_miss(name)
            if field in IDENTIFIERS:
                raise Failure(f"the column {name} is nearly {field}: rename it")
            if name in IDENTIFIERS and self.names.count(name) > 1:
                raise Failure(f"the first line names the column {name} twice")
        if "audienceUserId" not in self.names:
            raise Failure("the first line, which has the columns' names between commas, has no audienceUserId")

    def __iter__(self):
        """The customers as items of their table."""
        self.left_out = []
        seen = set()
        for row in self.rows():
            if any(map(trim, row.content)):
                try:
                    item = self.item(row)
                    if item["audienceUserId"] in seen:
                        raise Unfit("its audienceUserId came before")
                except Unfit as reason:
                    self.left_out.append(f"line {row.line}: {reason}")
                    continue
                seen.add(item["audienceUserId"])
                yield item

    def item(self, row):
        """What is stored of a row. An empty value is left out, as an index takes none."""
        if row.fault:
            raise Unfit("cells or quotes that do not fit the first line")
        found = {field: row.content[place] for place, field in self.sent if field in IDENTIFIERS}
        found = {field: value for field, text in found.items() if (value := identifier(field, text))}
        if "audienceUserId" not in found:
            raise Unfit("no audienceUserId")
        return {**found, "tenantId": self.tenant}

    def checked(self):
        """Reads the whole file before anything is done with it; the number of its customers."""
        _, notes = import_groups.look_over(self)
        number = sum(1 for _ in self)
        if missing := [field for field in IDENTIFIERS if field not in self.names]:
            notes.append(f"there is no column {', '.join(missing)}")
        for note in notes + self.left_out:
            say(note)
        if not number:
            raise Failure("the file has no customer")
        return number


def convert(given):
    """Writes the file that DynamoDB imports from S3; the exit status."""
    if given.out.exists() and given.out.samefile(given.file):
        raise Failure("--out is the CSV file itself")
    customers = Customers(given)
    number = customers.checked()
    # A run that is stopped leaves no half of a file. Only its owner may read it.
    unfinished = given.out.with_name(f"{given.out.name}.new")
    unfinished.touch(mode=0o600)
    try:
        with (gzip.open if given.out.suffix == ".gz" else open)(unfinished, "wt") as file:
            for item in customers:
                print(json.dumps({"Item": {name: {"S": value} for name, value in item.items()}}), file=file)
        unfinished.replace(given.out)
    finally:
        unfinished.unlink(missing_ok=True)
    return report(customers, number, "written")


def load(table, given):
    """Puts the customers into a table in use; the exit status."""
    customers = Customers(given)
    number = customers.checked()
    with table.batch_writer() as batch:
        for item in Pace(given.rate).each(progress("customers", customers, number)):
            batch.put_item(Item=item)
    return report(customers, number, "loaded")


def report(customers, number, done):
    say(f"customers: {number} {done}, {len(customers.left_out)} left out")
    return 1 if customers.left_out else 0


def check(table, given):
    """Counts what in the table matches nothing in the form that it has, and mends phones; the exit status."""
    fields = (*IDENTIFIERS, "tenantId")
    request = {"ProjectionExpression": ", ".join(fields)}
    if given.tenant:
        request["FilterExpression"] = Attr("tenantId").eq(given.tenant)
    found = collections.Counter()
    customers = mended = 0
    writes = Pace(MENDED)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for items in scan(table, "customers", Pace(given.rate), **request):
            customers += len(items)
            judged = [(item, field, *flaw(field, item[field])) for item in items for field in fields if field in item]
            found.update((field, reason) for _, field, reason, _ in judged if reason)
            faulty = [(item, phone) for item, field, _, phone in judged if field == "phone" and phone is not None]
            if given.mend:
                mended += sum(pool.map(lambda one: mend(table, *one), writes.each(faulty)))
    print(f"customers: {customers}")
    for (field, reason), number in sorted(found.items()):
        print(f"{field}, {reason}: {number}")
    if given.mend:
        print(f"phones mended: {mended}")
    left = found.total() - mended
    if left:
        say(f"to be mended: {left}. `--mend` mends phones; load other customers anew, see docs/operations/tenants.md")
    return 1 if left else 0


def mend(table, item, phone):
    """Stores a phone as it ought to be, unless it has changed meanwhile."""
    try:
        # Expressions in text: boto3 builds others in a state that the threads would share.
        table.update_item(
            Key={key: item[key] for key in ("audienceUserId", "tenantId")},
            UpdateExpression="SET phone = :new" if phone else "REMOVE phone",
            ConditionExpression="phone = :old",
            ExpressionAttributeValues={":old": item["phone"], **({":new": phone} if phone else {})},
        )
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        return False
    return True
