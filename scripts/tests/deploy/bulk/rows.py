"""Rows of many kinds, and what importing them must do: the rules of docs/api.md, stated a second time, briefly."""

import csv
import io
import json

from import_groups import FIELDS, IDENTIFIERS

# Few, so that the emulator has few look-ups; each row has a group of its own.
CUSTOMERS = [
    {"audienceUserId": f"c{n}", "unionid": f"u{n}", "openid": f"o{n}", "phone": f"{13900000000 + n}"} for n in range(30)
]
OWNERS = {value: customer["audienceUserId"] for customer in CUSTOMERS for value in customer.values()}


def nobody(seed):
    """The identifier that matches no customer."""
    return f"nobody of {seed}"


def good(number, seed):
    """Rows that all are imported, and their memberships."""
    made = [{"openid": f"o{n % len(CUSTOMERS)}", "groups": f"{seed}-{n}"} for n in range(number)]
    return made, expected(made)[0]


def make(number, seed):
    """So many rows, of which three in fifty fail, each in another way."""
    return [row(n, seed) for n in range(number)]


def row(n, seed):
    group, customer = f"{seed}-{n}", CUSTOMERS[n % len(CUSTOMERS)]
    names = {IDENTIFIERS[n % len(IDENTIFIERS)], IDENTIFIERS[n // 7 % len(IDENTIFIERS)]}
    fields = {name: customer[name] for name in names} | {"groups": group if n % 10 else f"{group},客户 {group}"}
    failing = {11: {"openid": nobody(seed), "groups": group}, 23: fields | {"groups": " , "}, 37: {"groups": group}}
    return failing.get(n % 50, fields)


def expected(rows):
    """The memberships, and the error of each row that fails by its place."""
    pairs, errors = set(), {}
    for index, row in enumerate(rows):
        groups = {name.strip() for name in row.get("groups", "").split(",")} - {""}
        given = {row[name] for name in IDENTIFIERS if row.get(name)}
        if not given:
            errors[index] = "MISSING_IDENTIFIER"
        elif not groups:
            errors[index] = "MISSING_GROUPS"
        elif found := {OWNERS[value] for value in given if value in OWNERS}:
            pairs |= {(customer, group) for customer in found for group in groups}
        else:
            errors[index] = "NOT_MATCHED"
    return pairs, errors


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
