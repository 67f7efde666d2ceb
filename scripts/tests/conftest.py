"""What the suites share: a clean environment, and one emulated AWS."""

import pytest
from _pytest.nodeid import NodeId

from emulator import Emulator, leave_accounts
from processes import end_as_by_ctrl_c


def pytest_configure():
    leave_accounts()
    end_as_by_ctrl_c()


def pytest_collection_modifyitems(config, items):
    """Of several processes, one runs the tests that build on each other, or share a service or stacks."""
    if config.getoption("loadgroup", default=False):
        for item in items:
            if group := group_of(item):
                # What xdist 3.8 does for its xdist_group, in a way that pytest 9.2 no longer sees.
                item._id = NodeId.parse(f"{item.nodeid}@{group}")


def group_of(item):
    if "deploy" in item.path.parts:
        return item.path.stem if item.path.stem == "test_sandbox" else item.path.parent.name
    return next((name for name in ("service", "emulator") if name in item.fixturenames), None)


@pytest.fixture(scope="session")
def emulator_settings():
    """Settings of ministack that a suite adds."""
    return {}


@pytest.fixture(scope="session")
def emulator(tmp_path_factory, emulator_settings):
    with Emulator(tmp_path_factory.mktemp("emulator"), emulator_settings) as running:
        running.wait_until_ready()
        yield running
