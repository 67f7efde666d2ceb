"""The stack is updated, deleted, and its tables are used by a new one. The tests build on each other, in this order."""

import os
import re

import pytest

from deploy.stack import CUSTOMERS, Stack
from processes import run_script

# Each is a variable of the function, too.
CHANGES = {"MaxRecords": "2", "LookupConcurrency": "8", "WriteConcurrency": "9", "TokenCacheSeconds": "100"}


@pytest.fixture(scope="module")
def admin(emulator, stack):
    """Runs a command on the stack; what it said."""

    def run(*arguments, status=0):
        done = run_script("admin", *arguments, "--stack", stack.name, env={**os.environ, **emulator.variables})
        assert done.returncode == status, done.err
        return done.err

    return run


@pytest.fixture(scope="module")
def updated(emulator, stack, admin):
    """The function's configuration before and after `admin set`."""
    lambda_, name = emulator.client("lambda"), stack.resources()["Function"]
    before = lambda_.get_function_configuration(FunctionName=name)
    admin("set", "MaxWriteUnits=500", *map("=".join, CHANGES.items()))
    return before, lambda_.get_function_configuration(FunctionName=name)


@pytest.fixture(scope="module")
def kept(stack, tables):
    """The memberships as they were when the stack was deleted."""
    pairs = tables.pairs("first")
    stack.run("delete", "--no-prompts")
    return pairs


@pytest.fixture(scope="module")
def second(kept, sam, emulator, template, tables):
    names = {f"{table}Name": name for table, name in tables.names.items()}
    return Stack("deploy-test-again", sam, emulator, template, **names)


def test_parameters_are_changed_without_the_code(stack, updated):
    before, after = updated
    changed = {re.sub(r"\B(?=[A-Z])", "_", name).upper(): value for name, value in CHANGES.items()}
    assert after["Environment"]["Variables"] == before["Environment"]["Variables"] | changed
    assert after["CodeSha256"] == before["CodeSha256"]
    (described,) = stack.client.describe_stacks(StackName=stack.name)["Stacks"]
    values = {one["ParameterKey"]: one["ParameterValue"] for one in described["Parameters"]}
    assert (values["MaxWriteUnits"], values["MaxReadUnits"]) == ("500", "12000")


@pytest.mark.usefixtures("updated")
def test_erasing_says_for_how_long_the_stack_caches_tokens(admin):
    assert "imports may go on for 129 s" in admin("erase", "--tenant", "nobody")


def test_a_parameter_that_the_stack_does_not_have_is_named(admin, stack):
    assert f"{stack.name} has no parameter Nothing; it has Al" in admin("set", "Nothing=1", status=1)


@pytest.mark.parametrize(
    ("reserved", "expected", "message"),
    [
        ("0", 0, "error: the parameter ReservedConcurrency is 0: change it by set"),
        ("7", 7, "started: ReservedConcurrency=7"),
        ("", None, "started"),
    ],
    ids=["stopped by the parameter", "some", "none"],
)
def test_start_restores_what_the_parameter_reserves(admin, stack, emulator, reserved, expected, message):
    admin("set", f"ReservedConcurrency={reserved}")
    admin("stop")
    assert admin("start", status=int(message.startswith("error"))) == f"{message}\n"
    found = emulator.client("lambda").get_function_concurrency(FunctionName=stack.resources()["Function"])
    assert found.get("ReservedConcurrentExecutions") == expected


def test_tables_survive_the_stack(kept, tables):
    assert kept
    assert tables.pairs("first") == kept


def test_new_stack_uses_existing_tables(second, tables):
    assert second.tables().names == tables.names
    assert [name for name in second.resources() if name.endswith("Table")] == []
    second.api().add([{"phone": CUSTOMERS[7]["phone"], "groups": "again"}])
    assert tables.pairs("again") == {("c7", "again")}
