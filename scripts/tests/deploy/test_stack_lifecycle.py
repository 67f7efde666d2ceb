"""The stack is updated, deleted, and its tables are used by a new one. The tests build on each other, in this order."""

import os

import pytest

from deploy.stack import Stack
from processes import run_script

# The parameters of settings that have no tests of their own here, by the function's variables.
SETTINGS = {
    "LOOKUP_CONCURRENCY": ("LookupConcurrency", "8"),
    "WRITE_CONCURRENCY": ("WriteConcurrency", "9"),
    "DEADLINE_MARGIN_MS": ("DeadlineMarginMs", "3000"),
}


@pytest.fixture(scope="module")
def function(emulator, stack):
    """Its configuration, as it is at the moment."""
    name = stack.resources()["Function"]
    return lambda: emulator.client("lambda").get_function_configuration(FunctionName=name)


@pytest.fixture(scope="module")
def before(function):
    return function()


@pytest.fixture(scope="module")
def admin(emulator, stack, before):
    """Runs a command of scripts/admin on the stack; its messages."""

    def run(*arguments, status=0):
        done = run_script("admin", *arguments, "--stack", stack.name, env={**os.environ, **emulator.variables})
        assert done.returncode == status, done.err
        return done.err

    return run


@pytest.fixture(scope="module")
def updated(stack, admin):
    values = {"MaxRecords": 2, "MaxWriteUnits": 500, **dict(SETTINGS.values())}
    admin("set", *(f"{name}={value}" for name, value in values.items()))
    return stack


@pytest.fixture(scope="module")
def kept(updated, tables):
    """The memberships as they were when the stack was deleted."""
    pairs = tables.pairs()
    updated.delete()
    return pairs


@pytest.fixture(scope="module")
def second(kept, sam, emulator, template, tables):
    names = {f"{table}Name": name for table, name in tables.names.items()}
    return Stack("deploy-test-again", sam, emulator, template, **names)


@pytest.mark.usefixtures("updated")
def test_changed_limit_holds(api, tables):
    records = [{"audienceUserId": "c9", "groups": f"limit{number}"} for number in range(3)]
    assert api.add(records)[0] == 413
    assert "2" in api.responses[-1].json()["msg"]
    api.add(records[:2])
    assert ("c9", "limit1") in tables.pairs()


def test_parameters_are_changed_without_the_code(function, before, updated, admin):
    changed = {"MAX_RECORDS": "2"} | {variable: value for variable, (_, value) in SETTINGS.items()}
    after = function()
    assert after["Environment"]["Variables"] == before["Environment"]["Variables"] | changed
    assert after["CodeSha256"] == before["CodeSha256"]
    (described,) = updated.client.describe_stacks(StackName=updated.name)["Stacks"]
    values = {one["ParameterKey"]: one["ParameterValue"] for one in described["Parameters"]}
    assert (values["MaxWriteUnits"], values["MaxReadUnits"]) == ("500", "12000")
    assert "no parameter Nothing" in admin("set", "Nothing=1", status=1)


def test_tables_survive_the_stack(stack, kept, tables):
    assert not stack.exists()
    assert kept
    assert tables.pairs() == kept


def test_new_stack_uses_existing_tables(second, tables, customers):
    assert second.tables().names == tables.names
    assert [name for name in second.resources() if name.endswith("Table")] == []
    second.api().add([{"phone": customers[7]["phone"], "groups": "again"}])
    assert ("c7", "again") in tables.pairs()


def test_new_stack_is_deleted(second):
    second.delete()
    assert not second.exists()
