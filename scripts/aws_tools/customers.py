"""Customers: of a CSV file, made ready for their table; and in the table, checked and mended."""

import collections
import csv
import gzip
import itertools
import json
import re
from concurrent.futures import ThreadPoolExecutor

from . import table
from .client import Failure, progress, say
from .files import lines
from .values import IDENTIFIERS, Unfit, flaw, folded, identifier, trim

# So many faulty rows are named; the others are counted.
NAMED = 20

# What a spreadsheet makes of a number, or an export of nothing. It may be meant, so it is only counted.
DOUBTFUL = re.compile(r"[0-9.]+E\+[0-9]+|[0-9]+\.0|[='].*|null|none|nan|#?n/a|\\n|undefined", re.IGNORECASE)

# Phones that are mended in a second, and at a time.
MENDED = 500
AT_A_TIME = 8


class Customers:
    """The customers of a CSV file, as items of the table. Each pass reads the file anew.

    A row that cannot be a customer is left out and counted.
    """

    def __init__(self, path, tenant):
        self.path, self.tenant = path, tenant

    def __iter__(self):
        self.left_out = self.doubtful = 0
        self.notes = []
        seen = set()
        rows = csv.reader(lines(self.path), strict=True, skipinitialspace=True)
        try:
            columns = self.columns(next(rows, []))
            for cells in rows:
                if not any(map(trim, cells)):
                    continue
                try:
                    item = item_of(columns, cells)
                    if item["audienceUserId"] in seen:
                        raise Unfit("its audienceUserId came before")
                except Unfit as reason:
                    self.left_out += 1
                    if self.left_out <= NAMED:
                        self.notes.append(f"line {rows.line_num}: {reason}")
                    continue
                seen.add(item["audienceUserId"])
                self.doubtful += any(map(DOUBTFUL.fullmatch, item.values()))
                yield {name: {"S": value} for name, value in {**item, "tenantId": self.tenant}.items()}
        except csv.Error as error:
            raise Failure(f"line {rows.line_num}: {error}") from error

    def columns(self, header):
        """The names of the columns, up to the last one that has a name."""
        names = [trim(name) for name in header]
        while names and not names[-1]:
            names.pop()
        for name in names:
            if name not in IDENTIFIERS and folded(name) in map(folded, IDENTIFIERS):
                raise Failure(f"the column {name} is nearly one of {', '.join(IDENTIFIERS)}: rename it")
        for field in IDENTIFIERS:
            if names.count(field) > 1:
                raise Failure(f"the first line names the column {field} twice")
        if "audienceUserId" not in names:
            raise Failure("the first line, which has the columns' names between commas, has no audienceUserId")
        if missing := [field for field in IDENTIFIERS if field not in names]:
            self.notes.append(f"there is no column {', '.join(missing)}")
        return names

    def checked(self):
        """Reads the whole file before anything is done with it; the number of its customers."""
        number = sum(1 for _ in self)
        for note in self.notes:
            say(note)
        if self.left_out > NAMED:
            say(f"and {self.left_out - NAMED} more lines")
        if self.doubtful:
            say(f"customers with a value like 1.38E+10, 138.0 or NULL, as spreadsheets write them: {self.doubtful}")
        if not number:
            raise Failure("the file has no customer")
        return number


def item_of(columns, cells):
    """The identifiers of a row. An empty value is left out, as an index takes none."""
    if len(cells) < len(columns) or any(map(trim, cells[len(columns) :])):
        raise Unfit(f"{len(cells)} cells, but {len(columns)} columns")
    item = {}
    for field, cell in zip(columns, cells, strict=False):
        if field in IDENTIFIERS:
            try:
                item[field] = identifier(field, cell)
            except Unfit as reason:
                raise Unfit(f"{field}: {reason}") from reason
    if not item["audienceUserId"]:
        raise Unfit("no audienceUserId")
    return {field: value for field, value in item.items() if value}


def convert(given):
    """Writes the file that DynamoDB imports from S3; the exit status."""
    if given.out.exists() and given.out.samefile(given.file):
        raise Failure("--out is the CSV file itself")
    customers = Customers(given.file, given.tenant)
    number = customers.checked()
    # A run that is stopped leaves no half of a file. Only its owner may read it.
    unfinished = given.out.with_name(f"{given.out.name}.new")
    unfinished.touch(mode=0o600)
    try:
        with (gzip.open if given.out.suffix == ".gz" else open)(unfinished, "wt") as file:
            for item in customers:
                print(json.dumps({"Item": item}), file=file)
        unfinished.replace(given.out)
    finally:
        unfinished.unlink(missing_ok=True)
    return report(customers, number, "written")


def load(client, name, given):
    """Puts the customers into a table in use; the exit status."""
    customers = Customers(given.file, given.tenant)
    number = customers.checked()
    pace = table.Pace(given.rate)
    items = iter(progress("customers", customers, number))
    while batch := list(itertools.islice(items, table.BATCH_WRITE_ITEMS)):
        table.put(client, name, batch, pace)
    return report(customers, number, "loaded")


def report(customers, number, done):
    say(f"customers: {number} {done}, {customers.left_out} left out")
    return 1 if customers.left_out else 0


def check(client, name, given):
    """Counts what in the table matches nothing in the form that it has, and mends phones; the exit status."""
    fields = (*IDENTIFIERS, "tenantId")
    request = {"ProjectionExpression": ", ".join(fields)}
    if given.tenant:
        request["FilterExpression"] = "tenantId = :tenant"
        request["ExpressionAttributeValues"] = {":tenant": {"S": given.tenant}}
    total = client.describe_table(TableName=name)["Table"].get("ItemCount")
    found = collections.Counter()
    customers = mended = 0
    reads, writes = table.Pace(given.rate), table.Pace(MENDED)
    with progress("customers", total=total) as bar, ThreadPoolExecutor(AT_A_TIME) as pool:
        for page in table.scan(client, name, reads, **request):
            customers += len(page["Items"])
            faulty = []
            for item in page["Items"]:
                flaws = {field: flaw(field, item[field]) for field in fields if field in item}
                found.update((field, reason) for field, (reason, _) in flaws.items() if reason)
                if flaws.get("phone", (None, None))[1] is not None:
                    faulty.append((item, flaws["phone"][1]))
            for first in range(0, len(faulty) if given.mend else 0, AT_A_TIME):
                some = faulty[first : first + AT_A_TIME]
                writes.wait(len(some))
                mended += sum(pool.map(lambda one: mend(client, name, *one), some))
            bar.update(page["ScannedCount"])
    print(f"customers: {customers}")
    for (field, reason), number in sorted(found.items()):
        print(f"{field}, {reason}: {number}")
    if given.mend:
        print(f"phones mended: {mended}")
    left = found.total() - mended
    if left:
        say(f"to be mended: {left}. `--mend` mends phones; load other customers anew, see docs/operations/tenants.md")
    return 1 if left else 0


def mend(client, name, item, phone):
    """Stores a phone as it ought to be, unless it has changed meanwhile."""
    values = {":old": item["phone"], **({":new": {"S": phone}} if phone else {})}
    try:
        client.update_item(
            TableName=name,
            Key={key: item[key] for key in ("audienceUserId", "tenantId")},
            UpdateExpression="SET phone = :new" if phone else "REMOVE phone",
            ConditionExpression="phone = :old",
            ExpressionAttributeValues=values,
        )
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True
