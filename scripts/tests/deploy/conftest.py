"""A stack that sam deployed to an emulated AWS which enforces its role. For Linux: the emulator runs the function as a
process of this machine."""

import itertools
import json

import pytest
from _pytest.nodeid import NodeId

from deploy.stack import PROJECT, Sam, Stack, for_this_machine
from emulator import COMPLETED

# As many as a request may have, by the default of the template.
MAX_RECORDS = 5000

# Ten records each make a full request.
CUSTOMERS = [
    {"audienceUserId": f"c{n}", "unionid": f"u{n}", "openid": f"o{n}", "phone": f"{13800000000 + n}"}
    for n in range(MAX_RECORDS // 10)
]


def pytest_collection_modifyitems(config, items):
    """Of several processes, one runs the tests that build on each other or share stacks."""
    if not config.getoption("loadgroup", default=False):
        return
    for item in items:
        group = item.path.stem if item.path.stem == "test_sandbox" else item.path.parent.name
        # What xdist 3.8 does for its xdist_group, in a way that pytest 9.2 no longer sees.
        item._id = NodeId.parse(f"{item.nodeid}@{group}")


@pytest.fixture(scope="session")
def customers():
    return CUSTOMERS


class Faults:
    """Faults of the invocations by state machines (distributed_map/invocations.py)."""

    def __init__(self, path):
        self.path = path
        self.ids = itertools.count()
        self.clear()

    def set(self, text, **fault):
        """What holds `text` gets an `error` or a `response`, always or so many `times`."""
        self.path.write_text(json.dumps([{"id": next(self.ids), "text": text, **fault}]))

    def clear(self):
        self.path.write_text("[]")


@pytest.fixture(scope="session")
def faults(tmp_path_factory):
    return Faults(tmp_path_factory.mktemp("faults") / "faults.json")


@pytest.fixture(scope="session")
def emulator_settings(faults):
    # State machines wait for a twentieth of the time that they would.
    return {"AUTH": "true", "INVOCATION_FAULTS": str(faults.path), "SFN_WAIT_SCALE": "0.05"}


@pytest.fixture(scope="session")
def emulator_command():
    return COMPLETED


@pytest.fixture(scope="session")
def sam(emulator, tmp_path_factory):
    return Sam(emulator, tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="session")
def built(sam):
    """The template as sam builds it for AWS. The first time it compiles for minutes."""
    return sam.build(PROJECT / "target" / "sam")


@pytest.fixture(scope="session")
def template(built, tmp_path_factory):
    return for_this_machine(built, tmp_path_factory.mktemp("template") / "built")


@pytest.fixture(scope="session")
def stack(sam, emulator, template):
    stack = Stack("deploy-test", sam, emulator)
    stack.deploy(template)
    return stack


@pytest.fixture(scope="session")
def api(stack):
    return stack.api()


@pytest.fixture(scope="session")
def tables(stack):
    tables = stack.tables()
    tables.put_tenant()
    tables.put_customers(CUSTOMERS)
    return tables
