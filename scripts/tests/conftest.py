"""What the suites share: a clean environment, and one emulated AWS."""

import pytest

from emulator import MINISTACK, Emulator, leave_accounts
from processes import end_as_by_ctrl_c


def pytest_configure():
    leave_accounts()
    end_as_by_ctrl_c()


@pytest.fixture(scope="session")
def emulator_settings():
    """Settings of ministack that a suite adds."""
    return {}


@pytest.fixture(scope="session")
def emulator_command():
    return MINISTACK


@pytest.fixture(scope="session")
def emulator(tmp_path_factory, emulator_settings, emulator_command):
    with Emulator(tmp_path_factory.mktemp("emulator"), emulator_settings, emulator_command) as running:
        running.wait_until_healthy()
        yield running
