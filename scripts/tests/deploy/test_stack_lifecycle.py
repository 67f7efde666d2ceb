"""The stack is updated, deleted, and its tables are used by a new one. The tests build on each other, in this order."""

import pytest

from deploy.stack import Stack

# The parameters of settings that have no tests of their own here, by the function's variables.
SETTINGS = {
    "LOOKUP_CONCURRENCY": ("LookupConcurrency", "8"),
    "WRITE_CONCURRENCY": ("WriteConcurrency", "9"),
    "DEADLINE_MARGIN_MS": ("DeadlineMarginMs", "3000"),
}


@pytest.fixture(scope="module")
def topic(emulator):
    return emulator.client("sns").create_topic(Name="alarms")["TopicArn"]


@pytest.fixture(scope="module")
def updated(stack, template, topic):
    stack.deploy(template, MaxRecords=2, AlarmTopicArn=topic, **dict(SETTINGS.values()))
    return stack


@pytest.fixture(scope="module")
def kept(updated, tables):
    """The memberships as they were when the stack was deleted."""
    pairs = tables.pairs()
    updated.delete()
    return pairs


@pytest.fixture(scope="module")
def second(kept, sam, emulator, template, tables):
    stack = Stack("deploy-test-again", sam, emulator)
    stack.deploy(template, **{f"{table}Name": name for table, name in tables.names.items()})
    return stack


@pytest.mark.usefixtures("updated")
def test_update_changes_the_limit(api, tables):
    records = [{"audienceUserId": "c9", "groups": f"limit{number}"} for number in range(3)]
    assert api.add(records)[0] == 413
    assert "2" in api.responses[-1].json()["msg"]
    api.add(records[:2])
    assert ("c9", "limit1") in tables.pairs()


def test_update_changes_the_settings_of_the_function(emulator, updated):
    name = updated.resources()["Function"]
    settings = emulator.client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    assert {variable: settings[variable] for variable in SETTINGS} == {
        variable: value for variable, (_, value) in SETTINGS.items()
    }


def test_alarms_watch_function_and_api_and_notify_the_topic(emulator, updated, topic):
    names = updated.resources()
    own = [name for resource, name in names.items() if resource.endswith("Alarm")]
    alarms = emulator.client("cloudwatch").describe_alarms(AlarmNames=own)["MetricAlarms"]
    assert len(alarms) == len(own) > 0
    watched = {dimension["Value"] for alarm in alarms for dimension in alarm["Dimensions"]}
    assert watched == {names["Function"], names["Api"]}
    for alarm in alarms:
        assert alarm["AlarmActions"] == alarm["OKActions"] == [topic]


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
