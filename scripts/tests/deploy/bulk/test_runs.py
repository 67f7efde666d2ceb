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
        pytest.param(signal.SIGINT, 130, "the run continues; to see it again: --resume", id="Ctrl-C"),
    ],
)
def test_run_continues_when_the_command_is_stopped(bulk, file, tmp_path, stop, status, says):
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
    made, pairs = good(2000, "looks")
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
    assert ended.err.count("no response from AWS, trying again") == 1


def test_run_that_aws_does_not_show_yet_is_waited_for(bulk, emulator, file, tmp_path):
    made, pairs = good(10, "unseen")
    looks = iter(range(1))

    def unseen(request, forward):
        return forward(request) if next(looks, None) is None else (400, {"__type": "ExecutionDoesNotExist"})

    with AwsProxy(emulator.endpoint, {"DescribeExecution": unseen}) as proxy:
        ended = bulk.import_(file(made), cwd=tmp_path, states=proxy.url)
    assert ended.returncode == 0, ended.err
    assert bulk.pairs("unseen") == pairs


def test_dry_run_writes_nothing(bulk, file, tmp_path):
    made, _ = good(20, "dry")
    ended = bulk.import_(file([*made, {"openid": "nobody", "groups": "dry"}]), "--dry-run", cwd=tmp_path)
    assert ended.returncode == 2, ended.err
    assert ended.out.startswith("dry run: 21 rows: 20 would be imported, 1 failed")
    assert rows.errors(tmp_path / "rows.dry-run-failed.csv") == {20: "NOT_MATCHED"}
    assert bulk.pairs("dry") == set()


def test_delete_takes_customers_out(bulk, file, tmp_path):
    made, _ = good(20, "taken")
    assert bulk.import_(file(made), cwd=tmp_path).returncode == 0
    ended = bulk.import_(file(made[5:]), "--opt", "delete", cwd=tmp_path)
    assert ended.returncode == 0, ended.err
    assert bulk.pairs("taken") == rows.expected(made[:5])[0]


@pytest.mark.parametrize(
    ("format", "objects"),
    [
        ("csv", {"a.csv": rows.comma_separated, "b.csv.gz": lambda made: rows.packed(rows.comma_separated(made))}),
        ("jsonl", {"a.jsonl": rows.json_lines, "b.jsonl.gz": lambda made: rows.packed(rows.json_lines(made))}),
    ],
)
def test_objects_below_a_prefix_are_one_run(bulk, tmp_path, format, objects):
    expected = set()
    for name, write in objects.items():
        made, pairs = good(30, name)
        bulk.put(f"nightly-{format}/{name}", write([*made, {"openid": "nobody", "groups": "g", "note": "kept"}]))
        expected |= pairs
    address = f"s3://{bulk.bucket}/incoming/nightly-{format}/"
    ended = bulk.import_(address, "--format", format, "--failed", tmp_path / "failed.jsonl", cwd=tmp_path)
    assert ended.returncode == 2, ended.err
    assert ended.out.startswith("62 rows: 60 imported, 2 failed")
    assert set.union(*(bulk.pairs(name) for name in objects)) == expected
    failed = rows.failed_rows(tmp_path / "failed.jsonl")
    assert [(row["errorCode"], row["note"]) for row in failed] == [("NOT_MATCHED", "kept")] * 2


@pytest.mark.parametrize("address", ["s3://other/incoming/rows/", "s3://{}/incoming/rows.csv"])
def test_address_that_no_run_reads_is_rejected(bulk, tmp_path, address):
    ended = bulk.import_(address.format(bulk.bucket), "--format", "csv", cwd=tmp_path)
    assert (ended.returncode, ended.out) == (1, "")
    assert ended.err == f"error: an INPUT in S3 is s3://{bulk.bucket}/incoming/PREFIX/, and needs --format\n"


def test_item_that_is_no_object_fails_alone(bulk, tmp_path):
    bulk.put("items/rows.jsonl", b'["o3"]\n{"openid": "o4", "groups": "items-4"}\n')
    ended = bulk.import_(f"s3://{bulk.bucket}/incoming/items/", "--format", "jsonl", cwd=tmp_path)
    assert ended.returncode == 2, ended.err
    assert rows.errors(tmp_path / "items.failed.jsonl") == {0: "MISSING_IDENTIFIER"}
    assert bulk.pairs("items") == {("c4", "items-4")}
