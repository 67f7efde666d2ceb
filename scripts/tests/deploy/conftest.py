"""A stack that sam deployed to an emulated AWS which enforces its role. For Linux: the emulator runs the function as a
process of this machine."""

import json

import pytest

from deploy.stack import CUSTOMERS, Sam, Stack, for_this_machine


@pytest.fixture(scope="session")
def fault_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("fault") / "fault.json"
    path.touch()
    return path


@pytest.fixture
def fault(fault_file):
    """Sets the fault of invocations by state machines (distributed_map/invocations.py), until the test ends."""

    def set_fault(**fault):
        fault_file.write_text(json.dumps(fault))

    yield set_fault
    set_fault()


@pytest.fixture(scope="session")
def emulator_settings(fault_file):
    # State machines wait for a twentieth of the time that they would.
    return {"AUTH": "true", "INVOCATION_FAULT": str(fault_file), "SFN_WAIT_SCALE": "0.05"}


@pytest.fixture(scope="session")
def sam(emulator, tmp_path_factory):
    return Sam(emulator, tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    return for_this_machine(tmp_path_factory.mktemp("template") / "built")


@pytest.fixture(scope="session")
def stack(sam, emulator, template):
    return Stack("deploy-test", sam, emulator, template)


@pytest.fixture(scope="session")
def api(stack):
    return stack.api()


@pytest.fixture(scope="session")
def tables(stack):
    tables = stack.tables()
    tables.put_tenant()
    tables.put_customers(CUSTOMERS)
    return tables
