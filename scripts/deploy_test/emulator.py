"""An AWS on this machine: ministack, which runs the function as a process and enforces IAM policies."""

import os
import socket
import time
import urllib.error
import urllib.request

from processes import Group

REGION = "us-east-1"

# The emulator's own root user.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

STARTED_WITHIN = 60


class NotStarted(Exception):
    """The emulator does not answer; its last lines are the message."""


class Emulator:
    """A running emulator, in a `with` statement. Everything that it writes lies under `directory`."""

    def __init__(self, executable, directory):
        self.executable = executable
        self.directory = directory
        self.log = directory / "emulator.log"

    def __enter__(self):
        # Another program may take the port between its choice and its use.
        for last in (False, False, True):
            self.port = free_port()
            self.endpoint = f"http://127.0.0.1:{self.port}"
            with open(self.log, "w", encoding="utf-8") as log:
                self.group = Group([self.executable], env=self.environment(), stdout=log, stderr=log)
            try:
                self.wait()
                return self
            except NotStarted:
                self.group.end()
                if last:
                    raise
            except BaseException:
                self.group.end()
                raise

    def __exit__(self, *_):
        self.group.end()

    def environment(self):
        """Little of this process's own: an AWS_PROFILE or a proxy would lead away from this machine."""
        temporary = self.directory / "tmp"
        temporary.mkdir(exist_ok=True)
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            **CREDENTIALS,
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            # Where the function finds the emulator.
            "AWS_ENDPOINT_URL": self.endpoint,
            "MINISTACK_REGION": REGION,
            "TMPDIR": str(temporary),
            "S3_DATA_DIR": str(self.directory / "s3"),
            "STATE_DIR": str(self.directory / "state"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }

    def wait(self):
        deadline = time.monotonic() + STARTED_WITHIN
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while time.monotonic() < deadline and not self.group.has_ended():
            try:
                opener.open(f"{self.endpoint}/_ministack/health", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise NotStarted(self.log.read_text(encoding="utf-8")[-2000:])

    def client_environment(self):
        """This process's environment, with which programs of AWS talk to the emulator and to nothing else."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **inherited,
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
