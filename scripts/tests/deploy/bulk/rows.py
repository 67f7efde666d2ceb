"""Rows of many kinds, whose outcome is known by how they are made."""

import csv
import io
import json

from deploy.stack import CUSTOMERS
from import_groups import FIELDS

IDENTIFIERS = list(CUSTOMERS[0])
# Of fifty rows that are made, the places of those that fail.
ERRORS = {11: "NOT_MATCHED", 23: "MISSING_GROUPS", 37: "MISSING_IDENTIFIER"}


def nobody(seed):
    """The identifier that matches no customer."""
    return f"nobody of {seed}"


def make(number, seed):
    """So many rows; the first ten are all imported."""
    return [row(n, seed) for n in range(number)]


def row(n, seed):
    group, customer = f"{seed}-{n}", CUSTOMERS[n % len(CUSTOMERS)]
    names = {IDENTIFIERS[n % len(IDENTIFIERS)], IDENTIFIERS[n // 7 % len(IDENTIFIERS)]}
    fields = {name: customer[name] for name in names} | {"groups": group if n % 10 else f"{group},客户 {group}"}
    failing = {
        # With a character that some readers take for the end of a line.
        "NOT_MATCHED": {"openid": nobody(seed), "groups": f'{group}\\,"{group}" 客\u2028户'},
        "MISSING_GROUPS": fields | {"groups": " , "},
        "MISSING_IDENTIFIER": {"groups": group},
    }
    return failing.get(ERRORS.get(n % 50), fields)


def pairs(made, failed=()):
    """The memberships of rows; those at the places `failed` have none."""
    owners = [(CUSTOMERS[n % len(CUSTOMERS)], row) for n, row in enumerate(made) if n not in failed]
    return {(owner["audienceUserId"], group) for owner, row in owners for group in row["groups"].split(",")}


def comma_separated(rows):
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, ("note", *FIELDS), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def json_lines(rows):
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows).encode()


def failed_rows(path):
    """The rows of a file of failed rows."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]


def errors(path):
    """The errors of a file of failed rows by the places of the rows in the input."""
    rows = failed_rows(path)
    errors = {int(row["index"]): row["errorCode"] for row in rows}
    assert len(errors) == len(rows), "a row is in the file twice"
    return errors
