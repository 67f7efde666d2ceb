"""The bulk stack beside the stack of the function, and the command as people run it."""

import pytest

from deploy.bulk.command import HASH, TEMPLATE, TOPIC, Bulk
from deploy.stack import Stack


@pytest.fixture(scope="session")
def bulk_stack(sam, emulator, stack):
    return Stack("bulk", sam, emulator, TEMPLATE, FunctionArn=stack.outputs()["FunctionArn"])


@pytest.fixture
def bulk(emulator, bulk_stack, tables, tmp_path):
    return Bulk(emulator, bulk_stack, tables, tmp_path)


@pytest.fixture(scope="session")
def pinned_stack(sam, emulator, stack):
    arn = stack.outputs()["FunctionArn"]
    given = {"FunctionArn": arn, "TokenHash": HASH, "AlarmTopicArn": TOPIC, "Mail": "operator@example.com"}
    return Stack("bulk-of-one-tenant", sam, emulator, TEMPLATE, **given)


@pytest.fixture
def pinned(emulator, pinned_stack, tables, tmp_path):
    """The command on a stack for one tenant, which sends mails and notifies a topic."""
    return Bulk(emulator, pinned_stack, tables, tmp_path)
