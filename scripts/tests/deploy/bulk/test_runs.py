"""What the command does with a run, and with files here and in S3."""

import re
import signal
import time

import pytest

from deploy.bulk import rows
from deploy.stack import TENANT
from proxy import AwsProxy

STARTED = re.compile(r"starting the run (\S+);")


def good(number, seed):
    """Rows that all are imported, and their memberships."""
    made = [{"openid": f"o{place % 30}", "groups": f"{seed}-{place}"} for place in range(number)]
    return made, rows.expected(made)[0]


@pytest.mark.parametrize(
    ("stop", "status", "says"),
    [
        pytest.param(signal.SIGKILL, -signal.SIGKILL, "", id="killed"),
        pytest.param(signal.SIGINT, 130, "the run goes on; to see it again: --resume", id="Ctrl-C"),
    ],
)
def test_run_goes_on_when_the_command_is_stopped(bulk, file, tmp_path, stop, status, says):
    made, pairs = good(3000, f"stopped{stop:d}")
    process = bulk.start(file(made), "--tenant", TENANT, "--match", "fuzzy", cwd=tmp_path)
    name = next(found[1] for found in map(STARTED.search, process.stderr) if found)
    while not bulk.is_running(name):
        time.sleep(0.05)
    process.send_signal(stop)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (status, "")
    assert says in err

    resumed = bulk.run("--resume", name, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.err
    assert resumed.out.startswith("3,000 rows: 3,000 imported, 0 failed, in ")
    assert bulk.pairs(f"stopped{stop:d}") == pairs
    assert not (tmp_path / "rows.failed.csv").exists()


def test_run_that_does_not_exist_is_named(bulk, tmp_path):
    ended = bulk.run("--resume", "nothing", cwd=tmp_path)
    assert (ended.returncode, ended.err) == (1, "error: the stack has no run nothing\n")


def test_map_run_is_looked_at_once_a_second_at_most(bulk, emulator, file, tmp_path):
    made, pairs = good(4000, "looks")
    began = time.monotonic()
    with AwsProxy(emulator.endpoint) as proxy:
        ended = bulk.import_(file(made), "--concurrency", 1, cwd=tmp_path, states=proxy.url)
    assert ended.returncode == 0, ended.err
    looks = [operation for operation, _ in proxy.calls].count("DescribeMapRun")
    assert 1 <= looks <= time.monotonic() - began + 1
    assert bulk.pairs("looks") == pairs


def test_network_that_fails_for_a_while_ends_nothing(bulk, emulator, file, tmp_path):
    made, _ = good(500, "network")
    # The client itself tries a call five times.
    failures = iter(range(6))

    def close(request, forward):
        return forward(request) if next(failures, None) is None else (None, None)

    with AwsProxy(emulator.endpoint, {"DescribeMapRun": close}) as proxy:
        ended = bulk.import_(file(made), cwd=tmp_path, states=proxy.url)
    assert ended.returncode == 0, ended.err
    assert next(failures, None) is None
    assert ended.err.count("no answer from AWS, trying again") == 1


def test_run_that_aws_does_not_show_yet_is_waited_for(bulk, emulator, file, tmp_path):
    made, pairs = good(10, "unseen")
    looks = iter(range(2))

    def unseen(request, forward):
        return forward(request) if next(looks, None) is None else (400, {"__type": "ExecutionDoesNotExist"})

    with AwsProxy(emulator.endpoint, {"DescribeExecution": unseen}) as proxy:
        ended = bulk.import_(file(made), cwd=tmp_path, states=proxy.url)
    assert ended.returncode == 0, ended.err
    assert bulk.pairs("unseen") == pairs


def test_hash_of_the_token_is_never_printed(bulk, file, tmp_path):
    made, _ = good(2, "hash")
    ended = bulk.import_(file(made), cwd=tmp_path)
    assert ended.returncode == 0
    run = bulk.states.describe_execution(executionArn=bulk.arn(STARTED.search(ended.err)[1]))
    (token,) = re.findall(r'"tokenHash": "([0-9a-f]{64})"', run["input"])
    assert token not in ended.out + ended.err


def test_dry_run_writes_nothing(bulk, file, tmp_path):
    made, _ = good(20, "dry")
    ended = bulk.import_(file([*made, {"openid": "nobody", "groups": "dry"}]), "--dry-run", cwd=tmp_path)
    assert ended.returncode == 2, ended.err
    assert ended.out.startswith("dry run: 21 rows: 20 would be imported, 1 failed")
    assert rows.failed_rows(tmp_path / "rows.failed.csv") == {20: "NOT_MATCHED"}
    assert bulk.pairs("dry") == set()


def test_delete_takes_customers_out(bulk, file, tmp_path):
    made, _ = good(20, "taken")
    assert bulk.import_(file(made), cwd=tmp_path).returncode == 0
    ended = bulk.import_(file(made[5:]), "--opt", "delete", cwd=tmp_path)
    assert ended.returncode == 0, ended.err
    assert bulk.pairs("taken") == rows.expected(made[:5])[0]


def test_several_files_are_one_run(bulk, file, tmp_path):
    (first, pairs), (second, others) = good(30, "first"), good(40, "second")
    bad = [{"openid": "nobody", "groups": "second"}]
    ended = bulk.import_(file(first, "one.csv"), file(second + bad, "two.csv"), cwd=tmp_path)
    assert ended.returncode == 2, ended.err
    assert ended.out.startswith("71 rows: 70 imported, 1 failed")
    assert (bulk.pairs("first"), bulk.pairs("second")) == (pairs, others)
    assert rows.failed_rows(tmp_path / "one.failed.csv") == {70: "NOT_MATCHED"}


@pytest.fixture
def other_bucket(bulk):
    bulk.s3.create_bucket(Bucket="exports")
    yield "exports"
    for item in bulk.s3.list_objects_v2(Bucket="exports")["Contents"]:
        bulk.s3.delete_object(Bucket="exports", Key=item["Key"])
    bulk.s3.delete_bucket(Bucket="exports")


def test_objects_in_s3_are_imported_from_any_bucket(bulk, other_bucket, tmp_path):
    (first, pairs), (second, others) = good(30, "mine"), good(40, "theirs")
    bulk.s3.put_object(Bucket=bulk.bucket, Key="incoming/nightly/a.jsonl", Body=rows.json_lines(first))
    bulk.s3.put_object(Bucket=other_bucket, Key="daily/b.csv.gz", Body=rows.packed(rows.comma_separated(second)))
    bulk.s3.put_object(Bucket=other_bucket, Key="daily/c.csv", Body=rows.comma_separated(second))
    for address, number in (
        (f"s3://{bulk.bucket}/incoming/nightly/a.jsonl", 30),
        (f"s3://{bulk.bucket}/incoming/nightly/", 30),
        (f"s3://{other_bucket}/daily/b.csv.gz", 40),
        (f"s3://{other_bucket}/daily/", 80),
    ):
        ended = bulk.import_(address, cwd=tmp_path)
        assert ended.returncode == 0, ended.err
        assert ended.out.startswith(f"{number} rows: {number} imported, 0 failed"), address
    assert (bulk.pairs("mine"), bulk.pairs("theirs")) == (pairs, others)


def test_byte_order_mark_is_no_part_of_the_first_name(bulk, tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"\xef\xbb\xbfopenid,groups\no1,mark-1\n")
    ended = bulk.import_(tmp_path / "rows.csv", cwd=tmp_path)
    assert ended.returncode == 0, ended.err
    assert bulk.pairs("mark") == {("c1", "mark-1")}


def test_backslash_and_quotes_survive_the_file_of_failed_rows(bulk, tmp_path):
    group = 'esc-\\ "quoted", esc-2'
    path = tmp_path / "rows.csv"
    path.write_bytes(rows.comma_separated([{"openid": "absent", "groups": group.replace("\\", "\\\\")}]))
    assert bulk.import_(path, cwd=tmp_path).returncode == 2
    bulk.tables.put_customers([{"audienceUserId": "late", "openid": "absent"}])
    ended = bulk.import_(tmp_path / "rows.failed.csv", cwd=tmp_path)
    assert ended.returncode == 0, ended.err
    assert bulk.pairs("esc") == {("late", 'esc-\\ "quoted"'), ("late", "esc-2")}
