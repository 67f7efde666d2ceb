"""What the command does with a run, and with files here and in S3."""

import gzip
import re
import signal
import subprocess
import sys
import time

import pytest

from deploy.bulk import rows
from deploy.stack import PROJECT, TENANT
from proxy import AwsProxy

STARTED = re.compile(r"starting the run (\S+);")


@pytest.mark.parametrize(
    ("stop", "status", "says"),
    [
        pytest.param(signal.SIGKILL, -signal.SIGKILL, "", id="killed"),
        pytest.param(signal.SIGINT, 130, "the run continues; to see it again: --resume", id="Ctrl-C"),
    ],
)
def test_run_continues_when_the_command_is_stopped(bulk, stop, status, says):
    made = rows.make(3000, f"stopped{stop:d}")
    command = [sys.executable, PROJECT / "scripts" / "bulk", bulk.write("rows.csv", made), "--stack", bulk.stack.name]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*command, "--tenant", TENANT, "--match", "fuzzy"], **pipes, **bulk.surroundings())
    name = next(found[1] for found in map(STARTED.search, process.stderr) if found)
    run = f"{bulk.machine.replace(':stateMachine:', ':execution:')}:{name}"
    while bulk.last_run() != name or not bulk.states.list_map_runs(executionArn=run)["mapRuns"]:
        time.sleep(0.05)
    process.send_signal(stop)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (status, "")
    assert says in err

    resumed = bulk.run("--resume", name)
    assert resumed.returncode == 2, resumed.err
    bulk.assert_imported(made, f"stopped{stop:d}")


@pytest.mark.parametrize(
    ("operation", "times", "response"),
    [
        # The client itself tries a call five times.
        pytest.param("DescribeMapRun", 6, (None, None), id="the network fails for a while"),
        pytest.param("DescribeExecution", 1, (400, {"__type": "ExecutionDoesNotExist"}), id="AWS does not show it yet"),
    ],
)
def test_run_is_waited_for(bulk, emulator, operation, times, response):
    made = rows.make(10, f"waited{times}")
    failures = iter([response] * times)
    rules = {operation: lambda request, forward: next(failures, None) or forward(request)}
    with AwsProxy(emulator.endpoint, rules) as proxy:
        ended = bulk.import_(made, states=proxy.url)
    assert ended.err.count("no response from AWS, trying again") == 1
    assert next(failures, None) is None
    assert bulk.pairs(f"waited{times}") == rows.pairs(made)


def test_delete_takes_customers_out_and_a_dry_run_none(bulk):
    made = rows.make(10, "taken")
    bulk.import_(made)
    dry = bulk.import_([*made, {"openid": "nobody", "groups": "taken"}], "--opt", "delete", "--dry-run", status=2)
    assert dry.out.startswith("dry run: 11 rows: 10 would be imported, 1 failed")
    assert rows.errors(bulk.folder / "rows.dry-run-failed.csv") == {10: "NOT_MATCHED"}
    assert bulk.pairs("taken") == rows.pairs(made)
    bulk.import_(made[5:], "--opt", "delete")
    assert bulk.pairs("taken") == rows.pairs(made[:5])


@pytest.mark.parametrize(("format", "write"), [("csv", rows.comma_separated), ("jsonl", rows.json_lines)])
def test_objects_below_a_prefix_are_one_run(bulk, format, write):
    nobody = {"openid": "nobody", "groups": "g", "note": "kept"}
    first, second = (rows.make(10, f"{name}-{format}") for name in ("first", "second"))
    bulk.put(f"nightly-{format}/a.{format}", write([*first, nobody]))
    bulk.put(f"nightly-{format}/b.{format}.gz", gzip.compress(write([*second, nobody])))
    address = f"s3://{bulk.bucket}/incoming/nightly-{format}/"
    ended = bulk.import_(address, "--format", format, status=2)
    assert ended.out.startswith("22 rows: 20 imported, 2 failed")
    assert bulk.tables.pairs(f"-{format}-") == rows.pairs(first) | rows.pairs(second)
    failed = rows.failed_rows(bulk.folder / f"nightly-{format}.failed.jsonl")
    assert [(row["errorCode"], row["note"]) for row in failed] == [("NOT_MATCHED", "kept")] * 2
    run = bulk.last_run()
    assert bulk.run("--resume", run).returncode == 2
    assert list(rows.errors(bulk.folder / f"{run}.failed.{format}")) == [row["index"] for row in failed]


@pytest.mark.parametrize("address", ["s3://other/incoming/rows/", "s3://{}/incoming/rows.csv"])
def test_address_that_no_run_reads_is_rejected(bulk, address):
    ended = bulk.import_(address.format(bulk.bucket), "--format", "csv", status=1)
    assert ended.err == f"error: an INPUT in S3 is s3://{bulk.bucket}/incoming/PREFIX/, and needs --format\n"


def test_item_that_is_no_object_fails_alone(bulk):
    bulk.put("items/rows.jsonl", b'["o3"]\n{"openid": "o4", "groups": "items-4"}\n')
    bulk.import_(f"s3://{bulk.bucket}/incoming/items/", "--format", "jsonl", status=2)
    assert rows.errors(bulk.folder / "items.failed.jsonl") == {0: "MISSING_IDENTIFIER"}
    assert bulk.pairs("items") == {("c4", "items-4")}
