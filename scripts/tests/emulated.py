"""An emulated AWS, and a proxy before it that records what is asked and makes what the emulator cannot."""

import argparse
import atexit
import http.client
import http.server
import json
import os
import pathlib
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time

from aws_tools import client as aws

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
START_SECONDS = 60

# Whatever is not passed on of an answer that may have been changed.
OWN_HEADERS = {"content-length", "transfer-encoding", "connection", "x-amz-crc32", "date", "server"}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Emulator:
    """ministack in a process of its own, on a free port and in memory, for all tests of a run."""

    running = None

    @classmethod
    def get(cls):
        if cls.running is None:
            cls.running = cls()
        return cls.running

    def __init__(self):
        self.port = free_port()
        # Its state, its logs and its PID file end with the tests.
        self.home = tempfile.TemporaryDirectory(prefix="verify-aws-tests-")
        own = {"GATEWAY_PORT": str(self.port), "BIND_HOST": "127.0.0.1", "TMPDIR": self.home.name}
        own.update(STATE_DIR=self.home.name, PERSIST_STATE="0", IOT_MTLS_ENABLED="0")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env={**os.environ, **own},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        atexit.register(self.stop)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.2)
        raise RuntimeError("ministack did not start")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.home.cleanup()

    def client(self, service):
        return client(service, f"http://127.0.0.1:{self.port}")

    def deploy(self, test, variables):
        """A stack of one function with these environment variables, for the time of the test; its name."""
        formation = self.client("cloudformation")
        name = f"stack-{secrets.token_hex(4)}"
        formation.create_stack(StackName=name, TemplateBody=json.dumps(template(variables)))
        test.addCleanup(formation.delete_stack, StackName=name)
        formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
        return name


def template(variables):
    properties = {
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/none",
        "Code": {"ZipFile": "def handler(event, context): pass"},
        "Environment": {"Variables": variables},
    }
    return {"Resources": {"Function": {"Type": "AWS::Lambda::Function", "Properties": properties}}}


def client(service, endpoint):
    return aws.client(service, argparse.Namespace(region=None, endpoint=endpoint))


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        # A program that was stopped does not wait for its answer.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Proxy:
    """Passes everything on to the emulator, except what a rule answers.

    `rules` has a function for an operation's name: it takes the request and `forward`, which passes a request on, and
    returns status and answer. A status of 0 hangs up without an answer.
    """

    def __init__(self, emulator, rules=None):
        self.calls = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One segment an answer: else each waits for the acknowledgement of its headers.
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                if len(body) < length:
                    # A program that was stopped halfway through a request.
                    self.close_connection = True
                    return None
                operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                headers = {"Content-Type": "application/json"}

                def forward(changed):
                    status, headers_back, answer = self.pass_on(json.dumps(changed).encode())
                    headers.update(headers_back)
                    return status, json.loads(answer)

                if not operation:
                    proxy.calls.append((f"{self.command} {self.path}", body.decode()))
                    return self.answer(*self.pass_on(body))
                request = json.loads(body)
                proxy.calls.append((operation, request))
                rule = (rules or {}).get(operation, lambda asked, forward: forward(asked))
                status, answer = rule(request, forward)
                if status == 0:
                    self.close_connection = True
                    return None
                return self.answer(status, headers, json.dumps(answer).encode())

            do_GET = do_POST

            def pass_on(self, body):
                connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=30)
                kept = {name: text for name, text in self.headers.items() if name.lower() not in OWN_HEADERS}
                connection.request(self.command, self.path, body, kept)
                response = connection.getresponse()
                content = response.read()
                connection.close()
                return response.status, dict(response.getheaders()), content

            def answer(self, status, headers, content):
                self.send_response(status)
                for name, text in headers.items():
                    if name.lower() not in OWN_HEADERS:
                        self.send_header(name, text)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def operations(self):
        return {operation for operation, _ in self.calls}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def start(script, *arguments):
    """One of the programs, as a user would start it, with an environment that knows no AWS account."""
    known = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.Popen(
        [sys.executable, str(SCRIPTS / script), *map(str, arguments)],
        env={**known, "AWS_EC2_METADATA_DISABLED": "true"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(script, *arguments, stdin=""):
    process = start(script, *arguments)
    process.stdout_text, process.stderr_text = process.communicate(stdin, timeout=180)
    return process
