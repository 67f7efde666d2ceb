"""What fails in a run: batches, rows, the file, the tenant."""

import time

import pytest

from deploy.bulk import rows
from deploy.stack import TENANT
from proxy import AwsProxy

BATCH = 1000


@pytest.fixture
def broken(faults):
    """Makes the batch with a text fail for ever, until the test mends it."""
    yield lambda text, error="INTERNAL_ERROR": faults.set({text: error})
    faults.set({})


def batches(made):
    """The places of the rows by batch, as rows of this size are batched."""
    return [range(start, min(start + BATCH, len(made))) for start in range(0, len(made), BATCH)]


def test_batch_that_fails_for_ever_costs_no_other_row(bulk, broken, file, tmp_path):
    made = rows.make(3000, "broken")
    broken('"broken-1500"')
    ended = bulk.import_(file(made), "--tolerate", 50, cwd=tmp_path)
    assert ended.returncode == 2, ended.err
    lost = batches(made)[1]
    pairs, errors = rows.expected([one if place not in lost else {} for place, one in enumerate(made)])
    assert bulk.pairs("broken") == pairs
    assert rows.failed_rows(tmp_path / "rows.failed.csv") == errors | dict.fromkeys(lost, "INTERNAL_ERROR")
    assert f"3,000 rows: {3000 - len(errors):,} imported, {len(errors):,} failed" in ended.out


def test_run_that_failed_goes_on_by_redrive(bulk, emulator, broken, faults, file, tmp_path):
    made = rows.make(3000, "redriven")
    broken('"redriven-500"')
    ended = bulk.import_(file(made), "--concurrency", 1, cwd=tmp_path)
    assert ended.returncode == 1
    assert "0 imported, 1,000 failed, 2,000 not run" in ended.out
    assert "ExceedToleratedFailureThreshold" in ended.err
    assert f"--redrive {bulk.last_run()}" in ended.err
    assert set(rows.failed_rows(tmp_path / "rows.failed.csv").values()) == {"INTERNAL_ERROR"}

    refused = bulk.run("--redrive", bulk.last_run(), cwd=tmp_path)
    assert (refused.returncode, "rows.failed.csv exists" in refused.err) == (1, True)

    faults.set({})
    # What AWS says of a run may be some seconds old.
    with AwsProxy(emulator.endpoint, {"DescribeExecution": late(3)}) as proxy:
        redriven = bulk.run("--redrive", bulk.last_run(), "--overwrite", cwd=tmp_path, states=proxy.url)
    pairs, errors = rows.expected(made)
    assert redriven.returncode == 2, redriven.err
    assert bulk.pairs("redriven") == pairs
    assert rows.failed_rows(tmp_path / "rows.failed.csv") == errors

    again = bulk.run("--redrive", bulk.last_run(), "--overwrite", cwd=tmp_path)
    assert again.returncode == 1
    assert "cannot go on" in again.err


def late(times):
    """Responds with the first response so many times."""
    first = []

    def respond(request, forward):
        if len(first) == times:
            return forward(request)
        first.append(first[0] if first else forward(request))
        return first[0]

    return respond


def test_throttled_invocations_are_repeated(bulk, emulator, file, tmp_path):
    lambda_ = emulator.client("lambda")
    lambda_.put_function_concurrency(FunctionName=bulk.function, ReservedConcurrentExecutions=1)
    try:
        made = rows.make(3000, "throttled")
        ended = bulk.import_(file(made), "--concurrency", 3, cwd=tmp_path)
    finally:
        lambda_.delete_function_concurrency(FunctionName=bulk.function)
    pairs, errors = rows.expected(made)
    assert ended.returncode == 2, ended.err
    assert bulk.pairs("throttled") == pairs
    assert rows.failed_rows(tmp_path / "rows.failed.csv") == errors


def test_function_killed_in_the_middle_loses_no_row(bulk, emulator, file, tmp_path):
    made = rows.make(6000, "killed")
    process = bulk.start(file(made), "--tenant", TENANT, "--match", "fuzzy", cwd=tmp_path)
    before = died(emulator)
    while died(emulator) == before and process.poll() is None:
        bulk.kill_function()
        # Time for the emulator to notice, so that no batch meets this more often than it is retried.
        time.sleep(0.3)
    _, log = process.communicate(timeout=600)
    assert died(emulator) > before, "no invocation was killed"
    pairs, errors = rows.expected(made)
    assert process.returncode == 2, log
    assert bulk.pairs("killed") == pairs
    assert rows.failed_rows(tmp_path / "rows.failed.csv") == errors


def died(emulator):
    return emulator.output().count("Runtime exited before returning a response")


def test_unknown_tenant_imports_nothing(bulk, file, tmp_path):
    made = rows.make(2000, "unknown")
    ended = bulk.run(file(made), "--token-hash", "0" * 64, "--match", "fuzzy", cwd=tmp_path)
    assert ended.returncode == 1
    assert "0 imported" in ended.out
    failed = rows.failed_rows(tmp_path / "rows.failed.csv")
    assert set(failed.values()) == {"TOKEN_ERROR"}
    assert bulk.pairs("unknown") == set()


def test_tenant_without_a_token_is_named(bulk, file, tmp_path):
    ended = bulk.run(file(rows.make(1, "nobody")), "--tenant", "nobody", "--match", "off", cwd=tmp_path)
    assert (ended.returncode, ended.out) == (1, "")
    assert ended.err == "error: the tenant nobody has no token: create one by make admin\n"


def test_file_without_rows_starts_nothing(bulk, file, tmp_path):
    before = bulk.last_run()
    ended = bulk.import_(file([]), cwd=tmp_path)
    assert (ended.returncode, ended.out) == (0, "rows.csv has no rows: nothing was started\n")
    assert bulk.last_run() == before


@pytest.mark.parametrize("name", ["empty.csv", "empty.jsonl"])
def test_empty_object_is_a_run_without_rows(bulk, tmp_path, name):
    bulk.s3.put_object(Bucket=bulk.bucket, Key=f"incoming/{name}", Body=b"")
    ended = bulk.import_(f"s3://{bulk.bucket}/incoming/{name}", "--unchecked", cwd=tmp_path)
    assert ended.returncode == 0, ended.err
    assert ended.out.startswith("0 rows: 0 imported, 0 failed")


MALFORMED = (
    b'{"openid": "o1", "groups": "malformed-1"}\n{"openid": "o2", \n["o3"]\n{"openid": "o4", "groups": "malformed-4"}\n'
)


def test_malformed_line_is_found_before_the_upload(bulk, tmp_path):
    before = bulk.last_run()
    (tmp_path / "rows.jsonl").write_bytes(MALFORMED)
    ended = bulk.import_(tmp_path / "rows.jsonl", cwd=tmp_path)
    assert (ended.returncode, ended.out) == (1, "")
    assert "rows.jsonl: line 2 is no JSON object, line 3 is no JSON object: correct the file" in ended.err
    assert bulk.last_run() == before


def test_malformed_line_that_reaches_the_engine_ends_the_run(bulk, tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(MALFORMED)
    ended = bulk.import_(tmp_path / "rows.jsonl", "--unchecked", cwd=tmp_path)
    assert (ended.returncode, ended.out) == (1, "")
    assert "failed: States.ItemReaderFailed" in ended.err
    assert bulk.pairs("malformed") == set()


def test_line_that_is_no_object_fails_alone(bulk, tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b"".join(line for line in MALFORMED.splitlines(True) if line[-2:] != b" \n"))
    ended = bulk.import_(tmp_path / "rows.jsonl", "--unchecked", cwd=tmp_path)
    assert ended.returncode == 2, ended.err
    assert rows.failed_rows(tmp_path / "rows.failed.jsonl") == {1: "MISSING_IDENTIFIER"}
    assert bulk.pairs("malformed") == {("c1", "malformed-1"), ("c4", "malformed-4")}


def test_row_with_too_few_fields_fails_alone(bulk, tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"openid,groups\no1,short-1\no2\no3,short-3\n")
    checked = bulk.import_(tmp_path / "rows.csv", cwd=tmp_path)
    assert "line 3 has 1 fields instead of 2" in checked.err
    ended = bulk.import_(tmp_path / "rows.csv", "--unchecked", cwd=tmp_path)
    assert ended.returncode == 2, ended.err
    assert rows.failed_rows(tmp_path / "rows.failed.csv") == {1: "MISSING_GROUPS"}
    assert bulk.pairs("short") == {("c1", "short-1"), ("c3", "short-3")}


def test_header_that_names_no_column_is_rejected_or_fails_every_row(bulk, tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"o1,header-1\no2,header-2\n")
    checked = bulk.import_(tmp_path / "rows.csv", cwd=tmp_path)
    assert checked.returncode == 1
    assert "it names 'o1', 'header-1'" in checked.err
    ended = bulk.import_(tmp_path / "rows.csv", "--unchecked", cwd=tmp_path)
    assert ended.returncode == 2, ended.err
    assert rows.failed_rows(tmp_path / "rows.failed.csv") == {0: "MISSING_IDENTIFIER"}
