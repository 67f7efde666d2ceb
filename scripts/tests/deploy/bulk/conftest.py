"""The bulk stack beside a stack of the function, and the command as people run it."""

import pytest

from deploy.bulk.command import HASH, TEMPLATE, TOPIC, Bulk
from deploy.bulk.rows import CUSTOMERS
from deploy.stack import PROJECT, Stack, for_this_machine


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Not as sam builds it: that takes minutes."""
    return for_this_machine(PROJECT / "template.yaml", tmp_path_factory.mktemp("template") / "built")


@pytest.fixture(scope="session")
def function(sam, emulator, template):
    """A stack of its own, whose requests nobody counts."""
    return Stack("bulk-function", sam, emulator, template)


@pytest.fixture(scope="session")
def tables(function):
    tables = function.tables()
    tables.put_tenant()
    tables.put_customers(CUSTOMERS)
    return tables


@pytest.fixture(scope="session")
def stack(sam, emulator, function):
    return Stack("bulk", sam, emulator, TEMPLATE, FunctionArn=function.outputs()["FunctionArn"])


@pytest.fixture
def bulk(emulator, stack, tables, tmp_path):
    return Bulk(emulator, stack, tables, tmp_path)


@pytest.fixture(scope="session")
def pinned_stack(sam, emulator, function):
    arn = function.outputs()["FunctionArn"]
    given = {"FunctionArn": arn, "TokenHash": HASH, "AlarmTopicArn": TOPIC, "Mail": "operator@example.com"}
    return Stack("bulk-of-one-tenant", sam, emulator, TEMPLATE, **given)


@pytest.fixture
def pinned(emulator, pinned_stack, tables, tmp_path):
    """The command on a stack for one tenant, which sends mails and notifies a topic."""
    return Bulk(emulator, pinned_stack, tables, tmp_path)
