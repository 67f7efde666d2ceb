"""Files of many batches, from the upload to the file of failed rows."""

import pytest
from boto3.dynamodb.conditions import Key

from deploy.bulk import rows
from deploy.stack import TENANT

# More batches than run at a time.
FILES = {"rows.csv": (12_000, rows.comma_separated), "rows.jsonl": (3_000, rows.json_lines)}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def imported(bulk, directory):
    """The rows of each file, and how its import ended."""
    found = {}
    for name, (number, write) in FILES.items():
        made = rows.make(number, name)
        (directory / name).write_bytes(write(made))
        found[name] = made, bulk.import_(directory / name, cwd=directory)
    return found


@pytest.fixture(scope="module")
def pairs(bulk, imported):
    """All memberships, read once: the emulator takes long for so many."""
    return bulk.tables.pairs()


@pytest.mark.parametrize("name", FILES)
def test_each_membership_is_written_and_no_other(imported, pairs, name):
    made, ended = imported[name]
    expected, errors = rows.expected(made)
    assert errors
    assert ended.returncode == 2, ended.err
    assert {pair for pair in pairs if f"{name}-" in pair[1]} == expected


@pytest.mark.parametrize("name", FILES)
def test_each_failed_row_is_in_the_file_once(directory, imported, name):
    made, ended = imported[name]
    _, errors = rows.expected(made)
    assert rows.errors(directory / name.replace("rows.", "rows.failed.")) == errors
    assert f"{len(made):,} rows: {len(made) - len(errors):,} imported, {len(errors):,} failed" in ended.out


FAILED = ["rows.failed.csv", "rows.failed.jsonl"]


def test_failed_rows_are_imported_as_they_are_once_the_cause_is_gone(bulk, directory, imported):
    bulk.tables.put_customers([{"audienceUserId": "found", "openid": "nobody", "unionid": "nobody"}])
    missing = set()
    for name in FAILED:
        still = directory / f"still-{name}"
        ended = bulk.import_(directory / name, "--failed", still, cwd=directory)
        assert ended.returncode == 2, ended.err
        errors = errors_of(directory / name)
        assert errors_of(still) == [error for error in errors if error != "NOT_MATCHED"]
        made, _ = imported[name.replace(".failed", "")]
        places = [place for place, error in rows.errors(directory / name).items() if error == "NOT_MATCHED"]
        missing |= {("found", group) for place in places for group in made[place]["groups"].split(",")}
    of_found = Key("customerKey").eq(f"{TENANT}#found")
    found = bulk.tables.memberships.query(KeyConditionExpression=of_found)["Items"]
    assert {(item["audienceUserId"], item["groupName"]) for item in found} == missing


def errors_of(path):
    return list(rows.errors(path).values())
