"""Rows of many kinds, and what importing them must do: the rules of docs/api.md, stated a second time, briefly."""

import csv
import io
import json
import random

FIELDS = ("audienceUserId", "openid", "unionid", "phone", "groups")

# The order of fuzzy matching with identifyWay 1.
ORDER = ("unionid", "openid", "phone", "audienceUserId")

# Few, so that the emulator has few look-ups; each row has a group of its own.
CUSTOMERS = [
    {"audienceUserId": f"c{n}", "unionid": f"u{n}", "openid": f"o{n}", "phone": f"{13900000000 + n}"} for n in range(30)
]


def nobody(seed):
    """The identifier that matches no customer."""
    return f"nobody of {seed}"


def make(number, seed):
    """So many rows, of which one in fifty fails."""
    random_ = random.Random(seed)
    return [row(random_, f"{seed}-{index}", nobody(seed)) for index in range(number)]


def row(random_, group, nobody):
    customer = random_.choice(CUSTOMERS)
    fields = {name: customer[name] for name in random_.sample(ORDER, random_.randint(1, 3))}
    if random_.random() < 0.1:
        # Matches nobody, so a later identifier may.
        fields[random_.choice(ORDER[:2])] = nobody
    fields["groups"] = f"{group},客户 {group}" if random_.random() < 0.1 else group
    kind = random_.random()
    if kind < 0.01:
        return {"openid": nobody, "groups": group}
    if kind < 0.015:
        return fields | {"groups": " , "}
    if kind < 0.02:
        return {"groups": group}
    return fields


def expected(rows):
    """The memberships, and the error of each row that fails by its place."""
    pairs, errors = set(), {}
    for index, one in enumerate(rows):
        groups = {name.strip() for name in one.get("groups", "").split(",")} - {""}
        given = [(name, one[name]) for name in ORDER if one.get(name)]
        found = [
            customer["audienceUserId"] for name, value in given for customer in CUSTOMERS if customer[name] == value
        ]
        if not given:
            errors[index] = "MISSING_IDENTIFIER"
        elif not groups:
            errors[index] = "MISSING_GROUPS"
        elif not found:
            errors[index] = "NOT_MATCHED"
        else:
            pairs |= {(found[0], group) for group in groups}
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
