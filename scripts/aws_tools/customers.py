"""Customers: of a CSV file, made ready for their table; and in the table, checked and mended."""

import collections
import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import import_groups
from import_groups import IDENTIFIERS

from .client import Failure, progress, say, whole_file
from .table import Pace, of_tenant, scan
from .values import Unfit, flaw, identifier, trim

# Phones that are mended at a time.
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
        self.left_out, seen = [], set()
        for row in self.rows():
            try:
                if any(map(trim, row.content)):
                    yield self.item(row, seen)
            except Unfit as reason:
                self.left_out.append(f"line {row.line}: {reason}")

    def item(self, row, seen):
        """What is stored of a row. An empty value is left out, as an index takes none."""
        if row.fault:
            raise Unfit("cells or quotes that do not fit the first line")
        found = {field: identifier(field, row.content[place]) for place, field in self.sent if field in IDENTIFIERS}
        if not (customer := found["audienceUserId"]):
            raise Unfit("no audienceUserId")
        if customer in seen:
            raise Unfit("its audienceUserId came before")
        seen.add(customer)
        return {field: value for field, value in found.items() if value} | {"tenantId": self.tenant}

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
    """Write the file that DynamoDB imports from S3 into a new table."""
    if given.out.exists() and (not given.out.is_file() or given.out.samefile(given.file)):
        raise Failure("--out is the CSV file itself, or no file")
    customers = Customers(given)
    number = customers.checked()
    with whole_file(given.out, gzip.open if given.out.suffix == ".gz" else open) as file:
        for item in customers:
            print(json.dumps({"Item": {name: {"S": value} for name, value in item.items()}}), file=file)
    return report(customers, number, "written")


def load(table, given):
    """Put the customers into a table in use."""
    customers = Customers(given)
    number = customers.checked()
    with table.batch_writer() as batch:
        for item in Pace(given.rate).each(progress("customers", customers, number)):
            batch.put_item(Item=item)
    return report(customers, number, "loaded")


def report(customers, number, done):
    """Says what was done; the exit status."""
    say(f"customers: {number} {done}, {len(customers.left_out)} left out")
    return 1 if customers.left_out else 0


def check(table, given):
    """Count what in the customers table matches nothing in the form that it has, and mend phones."""
    found, customers, mended, writes = collections.Counter(), 0, 0, Pace(given.rate)
    pool = ThreadPoolExecutor(AT_A_TIME)
    try:
        for items in scan(table, **of_tenant(given.tenant)):
            customers += len(items)
            for field in (*IDENTIFIERS, "tenantId"):
                judged = [(item, *flaw(field, item[field])) for item in items if field in item]
                found.update((field, reason) for _, reason, _ in judged if reason)
                if given.mend and field == "phone":
                    faulty = [(item, phone) for item, _, phone in judged if phone is not None]
                    mended += sum(pool.map(lambda one: mend(table, *one), writes.each(faulty)))
    finally:
        # Without what has not begun: Ctrl-C ends it at once.
        pool.shutdown(cancel_futures=True)
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
