"""An AWS on this machine: ministack, which runs functions as processes."""

import os
import pathlib

import boto3
import requests

from processes import Group, free_port

MINISTACK = pathlib.Path(__file__).resolve().parents[2] / ".local" / "emulator" / "bin" / "ministack"

REGION = "us-east-1"

# The emulator's own root user.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class Emulator(Group):
    """A process of ministack. Everything that it writes lies under `directory`."""

    def __init__(self, directory, settings):
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.session = boto3.Session(*CREDENTIALS.values(), region_name=REGION)
        # Little of this process's own environment, as the functions inherit it.
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            **CREDENTIALS,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            # Where functions find the emulator.
            "AWS_ENDPOINT_URL": self.endpoint,
            "MINISTACK_REGION": REGION,
            "TMPDIR": str(directory),
            "S3_DATA_DIR": str(directory / "s3"),
            "STATE_DIR": str(directory / "state"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            **settings,
        }
        super().__init__([MINISTACK], directory / "emulator.log", env=environment)

    def is_healthy(self):
        try:
            return requests.get(f"{self.endpoint}/_ministack/health", timeout=5).ok
        except requests.RequestException:
            return False

    def client(self, service):
        return self.session.client(service, endpoint_url=self.endpoint)
