"""The bulk stack beside a stack of the function, and the command as people run it."""

import pytest

from deploy.bulk import rows
from deploy.bulk.command import HASH, MAIL, TEMPLATE, Bulk
from deploy.bulk.rows import CUSTOMERS
from deploy.stack import PROJECT, Stack, for_this_machine


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Not as sam builds it: that takes minutes."""
    return for_this_machine(PROJECT / "template.yaml", tmp_path_factory.mktemp("template") / "built")


@pytest.fixture(scope="session")
def function(sam, emulator, template):
    """A stack of its own, whose requests nobody counts."""
    stack = Stack("bulk-function", sam, emulator)
    stack.deploy(template)
    return stack


@pytest.fixture(scope="session")
def tables(function):
    tables = function.tables()
    tables.put_tenant()
    tables.put_customers(CUSTOMERS)
    return tables


@pytest.fixture(scope="session")
def stack(sam, emulator, function):
    lambda_ = emulator.client("lambda")
    found = lambda_.get_function_configuration(FunctionName=function.resources()["Function"])
    stack = Stack("bulk", sam, emulator)
    stack.deploy(TEMPLATE, FunctionArn=found["FunctionArn"])
    return stack


@pytest.fixture(scope="session")
def bulk(emulator, stack, tables):
    return Bulk(emulator, stack, tables)


@pytest.fixture(scope="session")
def topic(emulator):
    return emulator.client("sns").create_topic(Name="on-call")["TopicArn"]


@pytest.fixture(scope="session")
def pinned(sam, emulator, bulk, topic):
    """The command on a stack for one tenant, which sends mails and notifies a topic."""
    stack = Stack("bulk-of-one-tenant", sam, emulator)
    stack.deploy(TEMPLATE, FunctionArn=bulk.function, TokenHash=HASH, AlarmTopicArn=topic, Mail=MAIL)
    return Bulk(emulator, stack, bulk.tables)


@pytest.fixture
def fault(faults):
    """Makes invocations fail that hold a text, until the test ends."""
    yield faults.set
    faults.clear()


@pytest.fixture
def file(tmp_path):
    """Writes rows as CSV and returns the file."""

    def write(made, name="rows.csv"):
        path = tmp_path / name
        path.write_bytes(rows.comma_separated(made))
        return path

    return write
