"""`make local`, `make watch` and `make invoke`, as somebody who changes the function uses them."""

import json
import socket
import subprocess
import urllib.parse

import pytest

from api.conftest import PROJECT, Service

# The function alone is compiled again.
RESTARTED_WITHIN = 300

EVENT = "events/fuzzy-add.json"


def shell(command):
    return subprocess.run(["bash", "-c", command], cwd=PROJECT, capture_output=True, text=True, check=False)


def invoke(port):
    # As if nobody's make ran the tests: a nested one prints the directory, too.
    return shell(f"env -u MAKELEVEL -u MAKEFLAGS -u MFLAGS make invoke EVENT={EVENT} PORT={port}")


def test_an_event_is_invoked(service):
    done = invoke(urllib.parse.urlsplit(service.url).port)
    reply = json.loads(done.stdout)
    assert (reply["statusCode"], json.loads(reply["body"])["data"]["importSuccessNum"]) == (200, 3), done


def test_an_invocation_without_a_function_says_what_is_missing():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        done = invoke(listener.getsockname()[1])
    assert done.returncode != 0
    assert "make invoke needs make local or make watch" in done.stderr


def test_memberships_are_json_lines_that_a_pipe_may_cut(service):
    # More than the buffer of a pipe holds, so that the writer notices that its reader is gone.
    groups = ",".join(f"分组 {number:03} {'名' * 60}" for number in range(100))
    records = [{"audienceUserId": f"c{number:04}", "groups": groups} for number in range(1, 6)]
    body = {"publicParams": {"isMatching": False, "optType": "add"}, "data": records}
    assert service.request("POST", service.url, body).json()["data"]["status"] == 1
    assert {("c0001", f"分组 000 {'名' * 60}")} <= service.memberships()
    done = shell(f"set -o pipefail; {' '.join(map(str, service.show))} | head -1")
    assert (done.returncode, done.stderr) == (0, "")
    first = json.loads(done.stdout)
    assert list(first) == ["tenantId", "audienceUserId", "groupName", "updatedAt", "importId"]


def test_starting_and_a_caller_that_disconnects_are_no_errors(service):
    before = len(service.output())
    records = [{"audienceUserId": "x0001", "groups": "a"}]
    body = json.dumps({"publicParams": {"isMatching": False, "optType": "add"}, "data": records})
    url = urllib.parse.urlsplit(service.url)
    with service.paused_database(), socket.create_connection((url.hostname, url.port)) as connection:
        head = f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nX-Token: {service.token}\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        # Time for the request to arrive.
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    service.request("POST", service.url, {"publicParams": {"isMatching": False, "optType": "add"}, "data": [{}]})
    service.wait_until(lambda: "the caller disconnected before its response" in service.output(), 60)
    assert "ERROR" not in service.output()[before:]
    assert "status=401" not in service.output().partition("Ctrl-C")[0]


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    with Service(tmp_path_factory.mktemp("watched"), "--watch") as running:
        running.wait_until_ready()
        yield running


def test_a_change_starts_the_function_again(watched):
    (PROJECT / "src" / "main.rs").touch()
    watched.wait_until(lambda: "The changed function is running" in watched.output(), RESTARTED_WITHIN)
    response = watched.request(
        "POST", watched.url, {"publicParams": {"isMatching": False, "optType": "add"}, "data": [{}]}
    )
    assert response.json()["data"]["errorData"][0]["errorCode"] == "MISSING_IDENTIFIER"
    watched.wait_until(lambda: watched.output().count("coldStart=true") == 2, 10)
