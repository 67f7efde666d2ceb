"""What the suites share: a clean environment, and one emulated AWS."""

import os
import signal

import pytest

from emulator import MINISTACK, Emulator


def pytest_configure():
    # No account or proxy that the environment names: all servers are on this machine.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    # `kill` and a closed terminal end the run through every fixture, as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


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
        running.wait_until(running.is_healthy, 60)
        yield running
