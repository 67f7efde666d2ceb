"""A stack that sam deployed to an emulated AWS which enforces its role. For Linux: the emulator runs the function as a
process of this machine."""

import json

import pytest

from deploy.stack import CUSTOMERS, Stack, for_this_machine


@pytest.fixture
def fault(emulator):
    """Sets the fault of invocations by state machines (distributed_map.py), until the test ends."""
    file = emulator.directory / "fault.json"
    yield lambda **fault: file.write_text(json.dumps(fault))
    file.unlink()


@pytest.fixture(scope="session")
def emulator_settings():
    # State machines wait for a twentieth of the time that they would.
    return {"AUTH": "true", "SFN_WAIT_SCALE": "0.05"}


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    return for_this_machine(tmp_path_factory.mktemp("template") / "built")


@pytest.fixture(scope="session")
def stack(emulator, template):
    return Stack("deploy-test", emulator, template)


@pytest.fixture(scope="session")
def tables(stack):
    tables = stack.tables()
    tables.put_tenant()
    tables.put_customers(CUSTOMERS)
    return tables
