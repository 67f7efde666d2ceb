"""The rows of a file are those that the client finds in it."""

import json
import re
from argparse import Namespace

import pytest
from boto3.dynamodb.conditions import Key

from aws_tools.client import Failure
from bulk_tools import results, upload
from deploy.bulk import rows
from deploy.stack import TENANT


def test_table_is_read_as_the_client_reads_it(bulk):
    data = 'openid,name,groups\r "o1" ,x,"客户,vip"\rNULL,y,vip\r'.encode("gbk")
    ended = bulk.import_(bulk.write("rows.csv", data), "--dry-run", "--encoding", "gbk", status=2)
    assert ended.out.startswith("dry run: 2 rows: 1 would be imported, 1 failed")
    assert "columns that are not sent: name\n" in ended.err
    assert re.search("^note: values that seem to mean nothing.*: 1, first in line 3$", ended.err, re.MULTILINE)
    sent = bulk.read(f"incoming/{bulk.last_run()}/0000.jsonl").splitlines()
    assert json.loads(sent[0]) == {"openid": "o1", "groups": "客户,vip"}


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        (b"unionId,groups\nu1,vip\n", 1, "error: the column unionId is not sent"),
        (b"openid,groups\n", 0, "rows.csv has no rows: nothing was started\n"),
    ],
    ids=["rejected", "without rows"],
)
def test_file_that_has_no_rows_to_import_starts_nothing(bulk, data, status, says):
    before = bulk.last_run()
    ended = bulk.import_(bulk.write("rows.csv", data), status=status)
    assert says in ended.out + ended.err
    assert bulk.last_run() == before


@pytest.mark.parametrize(
    ("name", "data", "places"),
    [
        pytest.param("rows.csv", b'openid,groups\no1,"bad-1"x\no2,bad-2\no3\n', (1, 3), id="CSV"),
        pytest.param(
            "rows.jsonl",
            b'{"openid": "o2", "groups": "bad-2"}\n{"openid": "o1", \n{"openid": "o3", "phone": NaN}\n',
            (1, 2),
            id="JSON Lines",
        ),
    ],
)
def test_line_that_is_no_record_fails_alone(bulk, name, data, places):
    ended = bulk.import_(bulk.write(name, data), status=2)
    assert ended.out.startswith("3 rows: 1 imported, 2 failed")
    failed = rows.failed_rows(bulk.folder / name.replace(".", ".failed."))
    assert [row["errorCode"] for row in failed] == ["BAD_ROW", "BAD_ROW"]
    assert [row["badRow"] for row in failed] == [data.decode().splitlines()[place].strip() for place in places]
    assert all("第" in row["errorMsg"] for row in failed)
    assert bulk.pairs("bad") == {("c2", "bad-2")}


def test_failed_rows_do_not_replace_the_input(tmp_path):
    file = tmp_path / "rows.csv"
    with pytest.raises(Failure, match="--failed is the input itself"):
        results.path(Namespace(failed=file, overwrite=True), file, False)


def test_half_a_character_is_written_as_an_escape(tmp_path):
    path = tmp_path / "rows.failed.jsonl"
    results.write(path, [{"groups": "客户\ud83d"}])
    assert path.read_text(encoding="utf-8") == '{"groups": "客户\\ud83d"}\n'


def test_large_file_becomes_several_objects(bulk, monkeypatch):
    monkeypatch.setattr(upload, "OBJECT_BYTES", 60)
    made = [json.dumps({"openid": f"o{n}", "groups": "g"}).encode() + b"\n" for n in range(10)]
    upload.upload(bulk.s3, bulk.bucket, "incoming/parts/", iter(made))
    found = bulk.s3.list_objects_v2(Bucket=bulk.bucket, Prefix="incoming/parts/")["Contents"]
    assert [one["Key"].rpartition("/")[2] for one in found] == [f"000{n}.jsonl" for n in range(5)]
    bodies = [bulk.read(one["Key"]) for one in found]
    assert b"".join(bodies) == b"".join(made)
    assert all(body.endswith(b"\n") for body in bodies)


@pytest.mark.parametrize("openid", ["客" * 50_000, "\u2028" * 30_000, "o\ud83d"], ids=["long", "once escaped", "half"])
def test_row_that_no_batch_can_have_is_a_bad_row(tmp_path, openid):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"openid": openid, "groups": "g"}, ensure_ascii=openid == "o\ud83d"), encoding="utf-8")
    reader, _, _ = upload.open_file(path, None, None)
    (line,) = upload.lines(reader, reader.rows())
    assert len(line) <= upload.ROW_BYTES
    assert set(json.loads(line)) == {"badRow", "fault"}


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
