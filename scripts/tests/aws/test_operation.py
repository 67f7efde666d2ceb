"""admin start and set on an emulated AWS; that a stopped function is not invoked: deploy/test_sandbox.py."""

import pytest


@pytest.mark.parametrize(
    ("reserved", "expected", "message"),
    [
        ("", None, "started"),
        ("7", 7, "started: ReservedConcurrency=7"),
        ("0", 0, "error: the parameter ReservedConcurrency is 0: change it by set"),
    ],
    ids=["none", "some", "stopped by the parameter"],
)
def test_start_restores_what_the_parameter_reserves(admin, deploy, emulator, reserved, expected, message):
    name = deploy(ReservedConcurrency=reserved)
    lambda_ = emulator.client("lambda")
    lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    started = admin("start", place=("--stack", name))
    assert (started.returncode, started.err) == (int(message.startswith("error")), f"{message}\n")
    assert lambda_.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions") == expected


def test_a_parameter_that_the_stack_does_not_have_is_named(admin, deploy):
    name = deploy(MaxRecords="5000")
    rejected = admin("set", "Nothing=1", place=("--stack", name))
    assert (rejected.returncode, rejected.err) == (1, f"error: {name} has no parameter Nothing; it has MaxRecords\n")
