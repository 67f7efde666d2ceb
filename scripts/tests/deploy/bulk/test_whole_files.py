"""Files of many batches, from the upload to the file of failed rows, and that once more."""

import pytest
from boto3.dynamodb.conditions import Key

from deploy.bulk import rows
from deploy.stack import TENANT


# The first has more batches than run at a time.
@pytest.mark.parametrize(
    ("name", "number", "write"),
    [("whole.csv", 9_500, rows.comma_separated), ("whole.jsonl", 1_500, rows.json_lines)],
)
def test_failed_rows_are_imported_as_they_are_once_the_cause_is_gone(bulk, name, number, write):
    made = rows.make(number, name)
    failed = bulk.folder / name.replace(".", ".failed.")
    ended = bulk.import_(bulk.write(name, write(made)), status=2)
    errors = bulk.assert_imported(made, name, failed)
    assert f"{number:,} rows: {number - len(errors):,} imported, {len(errors):,} failed" in ended.out

    nobody, still = rows.nobody(name), bulk.folder / f"still-{name}"
    bulk.tables.put_customers([{"audienceUserId": f"found-{name}", "openid": nobody, "unionid": nobody}])
    in_order = list(rows.errors(failed).items())
    bulk.import_(failed, "--failed", still, status=2)
    assert list(rows.errors(still).values()) == [error for _, error in in_order if error != "NOT_MATCHED"]
    groups = [made[place]["groups"] for place, error in in_order if error == "NOT_MATCHED"]
    of_found = Key("customerKey").eq(f"{TENANT}#found-{name}")
    found = bulk.tables.memberships.query(KeyConditionExpression=of_found)["Items"]
    assert {item["groupName"] for item in found} == {name for names in groups for name in names.split(",")}
