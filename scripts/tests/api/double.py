"""A service that takes everything, for faults and files of which the real one would see nothing; and the client beside
it, as a process with a folder of its own."""

import itertools
import json
import os
import subprocess
import sys
import threading
import time

import import_groups
from proxy import Proxy

JSON = {"Content-Type": "application/json"}
PATH = "/api/integrate/audience/info/batchAdd"
MISSING_GROUPS = {"errorCode": "MISSING_GROUPS", "errorMsg": "缺少groups，或其中没有分组名", "retryable": False}
STORE_ERROR = {"errorCode": "STORE_ERROR", "errorMsg": "系统繁忙，请稍后重试", "retryable": True}
TIMEOUT = {"errorCode": "TIMEOUT", "errorMsg": "处理超时，请稍后重试", "retryable": True}
IN_PROGRESS = {"importSuccessNum": 0, "importFailNum": 0, "status": 0, "message": "进行中", "errorData": None}

# Another Python, such as the oldest that the client is for.
PYTHON = os.environ.get("CLIENT_PYTHON", sys.executable)


def reply(status, code, data=None, headers=None, message="ok"):
    envelope = {"code": str(status), "errorCode": code, "msg": message, "data": data}
    return status, {**JSON, **(headers or {})}, json.dumps(envelope, ensure_ascii=False).encode()


def cut_short(status):
    """A response that ends before its end."""

    def write(request, _):
        request.wfile.write(f"HTTP/1.1 {status} OK\r\nContent-Length: 99\r\n\r\n{{".encode())
        return ()

    return write


def result(records, reason_of):
    """What the service says of records that fail for the reason that `reason_of` gives, or none."""
    reasons = [(place, record, reason_of(record)) for place, record in enumerate(records)]
    failed = [{**record, "index": place, **reason} for place, record, reason in reasons if reason]
    done = len(records) - len(failed)
    status, message = (1, "成功") if not failed else (2, "部分导入成功") if done else (-1, "失败")
    numbers = {"importSuccessNum": done, "importFailNum": len(failed), "status": status, "message": message}
    return {**numbers, "errorData": failed or None}


class Double(Proxy):
    """Imports records unless they have no groups, or as `reason_of` says. `faults` has, by the number of a request,
    what is returned instead: a response, none, or a function that makes one. `imported` collects what was."""

    def __init__(self, faults=None, reason_of=None, target=""):
        super().__init__(target)
        self.origin, self.url = self.url, self.url + PATH
        self.faults = faults or {}
        self.reason_of = reason_of or (lambda record: None if record.get("groups") else MISSING_GROUPS)
        self.requests, self.times, self.paths, self.imported = [], [], [], []
        self.lock = threading.Lock()

    def respond(self, request, body):
        with self.lock:
            number = len(self.requests)
            self.requests.append((request.headers.get("Idempotency-Key"), body))
            self.times.append(time.monotonic())
            self.paths.append(request.path)
        fault = self.faults(number) if callable(self.faults) else self.faults.get(number)
        if callable(fault):
            fault = fault(request, body)
        if fault is not None:
            return fault or None
        if self.target:
            return self.forward(request, body)
        records, params = (json.loads(body)[name] for name in ("data", "publicParams"))
        done = {**result(records, self.reason_of), **({"dryRun": True} if params.get("dryRun") else {})}
        failed = {error["index"] for error in done["errorData"] or []}
        with self.lock:
            self.imported += [record for place, record in enumerate(records) if place not in failed]
        return reply(200, "SUCCESS", done)

    @property
    def sizes(self):
        return [len(json.loads(body)["data"]) for _, body in self.requests]

    @property
    def pauses(self):
        return [after - before for before, after in itertools.pairwise(self.times)]

    @property
    def pairs(self):
        return [(record.get("audienceUserId") or record.get("openid"), record["groups"]) for record in self.imported]


class Desk:
    """A folder with the files of a test, and the client."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url

    def write(self, name, content):
        content = content if isinstance(content, bytes) else content.encode()
        (self.folder / name).write_bytes(content)

    def read(self, name, encoding="utf-8"):
        return (self.folder / name).read_bytes().decode(encoding)

    def files(self):
        return sorted(file.name for file in self.folder.iterdir())

    def start(self, arguments, url=None, redirected="", **environment):
        inherited = {name: text for name, text in os.environ.items() if "proxy" not in name.lower()}
        command = ["bash", "-o", "pipefail", "-c", f'"$@" {redirected}' if redirected else 'exec "$@"', "bash"]
        command += [PYTHON, "-B", import_groups.__file__, *arguments.split(), "--url", url or self.url]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = {**inherited, "IMPORT_TOKEN": "demo-token", **environment}
        return subprocess.Popen(command, cwd=self.folder, env=environment, **streams)

    def run(self, arguments, content=None, stdin=b"", **options):
        """Writes the content as the file that comes first, and runs the client to its end."""
        if content is not None:
            self.write(arguments.split()[0], content)
        return Ended(self.start(arguments, **options), stdin)


class Ended:
    """How a run ended."""

    def __init__(self, process, stdin=b""):
        stdout, stderr = process.communicate(stdin, timeout=300)
        self.code, self.stdout, self.stderr = process.returncode, stdout.decode(), stderr.decode()
        assert "demo-token" not in self.stdout + self.stderr
        assert "Traceback" not in self.stderr, self.stderr

    def __repr__(self):
        return f"{self.code}\n{self.stdout}\n{self.stderr}"
