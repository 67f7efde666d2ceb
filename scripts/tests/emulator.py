"""An AWS on this machine: ministack, which runs functions as processes."""

import os
import pathlib

import boto3

from processes import Group, free_port, is_served

TESTS = pathlib.Path(__file__).resolve().parent
COMMAND = [TESTS.parents[1] / ".local" / "emulator" / "bin" / "python", "-B", "-m", "distributed_map"]

REGION = "us-east-1"

# The emulator's own root user.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def leave_accounts():
    """No account or proxy that the environment names: all servers are on this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


class Emulator(Group):
    """A process of ministack, with a Distributed Map as AWS documents it. All that it writes lies under `directory`."""

    def __init__(self, directory, settings):
        self.directory, self.port = directory, free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.session = boto3.Session(*CREDENTIALS.values(), region_name=REGION)
        # What leads a program or a function here. The AWS CLI and boto3 read the region from different variables.
        self.variables = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **CREDENTIALS,
            "SAM_CLI_TELEMETRY": "0",
            # Else sam keeps a file of its own in the user's home.
            "__SAM_CLI_APP_DIR": str(directory / "sam"),
        }
        # Little of this process's own environment, as the functions inherit it.
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            **self.variables,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "TMPDIR": str(directory),
            "S3_DATA_DIR": str(directory / "s3"),
            "STATE_DIR": str(directory / "state"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            **settings,
        }
        super().__init__(COMMAND, directory / "emulator.log", env=environment, cwd=TESTS)

    def wait_until_ready(self):
        self.wait_until(lambda: is_served(self.port), 60)

    def client(self, service):
        return self.session.client(service, endpoint_url=self.endpoint)
