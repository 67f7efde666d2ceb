"""What fails in a run: batches, the function, the tenant."""

import time
from types import SimpleNamespace

import pytest

from aws_tools.client import Failure
from bulk_tools.stack import BulkStack
from deploy.bulk import rows
from proxy import AwsProxy

# Rows of this size, by bulk/template.yaml.
BATCH = 1000


def test_batch_that_always_fails_costs_no_other_row(bulk, fault):
    made = rows.make(3000, "broken")
    fault(text='"broken-1501"', error="INTERNAL_ERROR")
    ended = bulk.import_(made, "--tolerate", 50, status=2)
    lost = dict.fromkeys(range(BATCH, 2 * BATCH), "INTERNAL_ERROR")
    errors = bulk.assert_imported(made, "broken", lost=lost)
    assert f"3,000 rows: {3000 - len(errors):,} imported, {len(errors):,} failed" in ended.out


@pytest.mark.parametrize(
    ("error", "given"),
    [
        pytest.param(
            "WRONG_RESPONSE", {"response": {"statusCode": 404, "headers": {}, "body": "{}"}}, id="reply to an API"
        ),
        pytest.param("WRONG_RESPONSE", {"response": {"errorCode": "IN_PROGRESS", "data": {}}}, id="another code"),
        pytest.param("WRONG_RESPONSE", {"response": {"errorCode": "SUCCESS", "data": None}}, id="no result"),
        pytest.param("WRONG_RESPONSE", {"response": None}, id="null"),
        pytest.param("FORBIDDEN", {"error": "FORBIDDEN"}, id="final error"),
    ],
)
def test_rows_are_imported_only_if_the_function_says_so_at_once(bulk, fault, error, given):
    fault(text='"wrong-1"', times=1, **given)
    ended = bulk.import_(rows.make(3, "wrong"), status=1)
    assert "3 rows: 0 imported, 3 failed" in ended.out
    failed = rows.failed_rows(bulk.folder / "rows.failed.csv")
    assert [(row["errorCode"], row["retryable"]) for row in failed] == [(error, "false")] * 3
    assert bulk.pairs("wrong") == set()


@pytest.mark.parametrize(
    ("error", "times"), [("Lambda.TooManyRequestsException", 50), ("Lambda.NeverSeenBefore", 8)], ids=["full", "other"]
)
def test_other_error_is_retried(bulk, fault, error, times):
    fault(text=f'"retried-{times}"', error=error, times=times)
    bulk.import_([{"openid": "o1", "groups": f"retried-{times}"}])
    assert ("c1", f"retried-{times}") in bulk.pairs("retried")
    assert not (bulk.folder / "rows.failed.csv").exists()


def test_more_batches_than_lambda_runs_are_rejected(bulk, emulator):
    lambda_, before = emulator.client("lambda"), bulk.last_run()
    of_account = lambda_.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]

    def reject(allowed):
        ended = bulk.import_(rows.make(1, "rejected"), "--concurrency", allowed + 1, status=1)
        assert ended.err.startswith(f"error: Lambda runs at most {allowed} invocations of the function at a time")

    reject(of_account)
    lambda_.put_function_concurrency(FunctionName=bulk.function, ReservedConcurrentExecutions=0)
    try:
        reject(0)
    finally:
        lambda_.delete_function_concurrency(FunctionName=bulk.function)
    assert bulk.last_run() == before


def test_failed_run_is_redriven(bulk, emulator, fault):
    made = rows.make(3000, "redriven")
    fault(text='"redriven-501"', error="INTERNAL_ERROR")
    ended = bulk.import_(made, "--concurrency", 1, status=1)
    assert "0 imported, 1,000 failed, 2,000 not run" in ended.out
    assert "ExceedToleratedFailureThreshold" in ended.err
    redrive = ("--redrive", bulk.last_run())
    assert " ".join(redrive) in ended.err
    assert set(rows.errors(bulk.folder / "rows.failed.csv").values()) == {"INTERNAL_ERROR"}

    for more, word in ((), "rows.failed.csv"), (("--overwrite", "--failed", bulk.folder), str(bulk.folder)):
        rejected = bulk.run(*redrive, *more)
        assert (rejected.returncode, f"{word} exists" in rejected.err) == (1, True)

    fault()
    # What AWS says of a run may be some seconds old. It is asked before the redrive, and then once a second.
    began = time.monotonic()
    with AwsProxy(emulator.endpoint, {"DescribeExecution": late(3), "DescribeMapRun": late(3)}) as proxy:
        redriven = bulk.run(*redrive, "--overwrite", states=proxy.url)
    assert redriven.returncode == 2, redriven.err
    looks = [operation for operation, _ in proxy.calls].count("DescribeMapRun")
    assert 3 < looks <= time.monotonic() - began + 2
    bulk.assert_imported(made, "redriven")

    again = bulk.run(*redrive, "--overwrite")
    assert (again.returncode, "cannot be redriven" in again.err) == (1, True)


def late(times):
    """Responds with the first response so many times."""
    responses = []

    def respond(request, forward):
        responses.append(forward(request))
        return responses[0 if len(responses) <= times else -1]

    return respond


def test_unknown_tenant_imports_nothing(bulk):
    file = bulk.write("rows.csv", rows.make(2000, "unknown"))
    ended = bulk.run(file, "--token-hash", "0" * 64, "--match", "fuzzy")
    assert (ended.returncode, "0 imported" in ended.out, "warning" in ended.err) == (1, True, False)
    assert set(rows.errors(bulk.folder / "rows.failed.csv").values()) == {"TOKEN_ERROR"}
    assert bulk.pairs("unknown") == set()


def test_function_that_is_another_one_is_named():
    lambda_ = SimpleNamespace(get_function_configuration=lambda **_: {})
    stack = SimpleNamespace(lambda_=lambda_, function="another", given=SimpleNamespace(stack="bulk"))
    with pytest.raises(Failure, match="the FunctionArn of bulk is not the import function"):
        BulkStack.token_of(stack, "acme")


def test_tenant_without_a_token_is_named(bulk):
    ended = bulk.import_(rows.make(1, "nobody"), "--tenant", "nobody", status=1)
    assert ended.err == "error: the tenant nobody has no token that may import: create one by make admin\n"
