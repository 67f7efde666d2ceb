"""`make local` and `make invoke`, as somebody who changes the function uses them."""

import contextlib
import json
import os
import re
import signal
import urllib.parse

import pytest

from api.conftest import ENDED_WITHIN, PROJECT, Service
from processes import Group, below, free_port, is_served, paste

# The function alone is compiled again.
RESTARTED_WITHIN = 300

EVENT = "events/fuzzy-add.json"

# One after the other: all of them compile.
pytestmark = pytest.mark.usefixtures("service")


def port(url):
    return urllib.parse.urlsplit(url).port


def test_every_printed_command_runs(service):
    guide = service.guide().partition("The database is running")[2]
    commands = [block.partition("\n")[2] for block in re.split(r"^# ", guide, flags=re.MULTILINE)[1:]]
    commands[-1] = commands[-1].partition("\n")[0]
    dry_run, imported, scan, invoked = [json.loads(paste(command).stdout) for command in commands]
    assert [match["audienceUserId"] for match in dry_run["data"]["matches"]] == ["c0001", "c0002"]
    assert imported["data"]["importSuccessNum"] == 2
    assert {"S": "spring"} in [item["groupName"] for item in scan["Items"]]
    assert invoked["statusCode"] == 200


def test_an_invocation_without_a_function_says_what_is_missing():
    done = paste(f"make invoke PORT={free_port()}")
    assert done.returncode != 0
    assert "make invoke needs make local" in done.stderr


def test_a_change_of_the_source_is_compiled_and_served(service):
    before = len(service.output())
    (PROJECT / "src" / "main.rs").touch()
    # Another cargo that runs here may be the one that compiles it.
    service.wait_until(lambda: "Running `" in service.output()[before:], RESTARTED_WITHIN)
    body = {"publicParams": {"isMatching": False, "optType": "add"}, "data": [{}]}
    response = service.request("POST", service.url, body)
    assert response.json()["data"]["errorData"][0]["errorCode"] == "MISSING_IDENTIFIER"
    service.wait_until(lambda: "coldStart=true" in service.output()[before:], 10)


def test_a_port_in_use_is_named(service, tmp_path):
    for flag, url in [("--port", service.url), ("--db-port", service.database)]:
        with Service(tmp_path, flag, str(port(url))) as second:
            second.has_ended(wait=True)
        assert second.process.returncode == 1
        assert second.output() == (
            f"error: port {port(url)} is in use: end its program, which `lsof -i :{port(url)}` names, "
            f"or choose another with {flag}\n"
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_leaves_nothing_behind(number, tmp_path):
    with Service(tmp_path) as running:
        running.wait_until_ready()
        assert any("debug/customer-group-import" in command for _, command in below(running.process.pid))
        assert running.end(number) == (number if number == signal.SIGKILL else 0, set())
        for url in (running.url, running.database):
            assert not is_served(port(url))


def test_plain_cargo_lambda_works_beside_make_local(service, tmp_path):
    with plain_watch(service.database, tmp_path) as (_, number):
        for served in (port(service.url), number):
            done = plain_invoke(served)
            assert json.loads(done.stdout)["statusCode"] == 200, done


def test_without_its_database_the_function_logs_why_it_fails(tmp_path):
    with plain_watch(f"http://127.0.0.1:{free_port()}", tmp_path) as (watch, number):
        done = plain_invoke(number)
        assert json.loads(done.stdout)["statusCode"] == 503, done
        assert "Connection refused" in watch.output()


def plain_invoke(number):
    return paste(f"cargo lambda invoke --invoke-port {number} --data-file {EVENT}")


@contextlib.contextmanager
def plain_watch(database, tmp_path):
    number = free_port()
    command = ["cargo", "lambda", "watch", "--invoke-port", number]
    environment = {**os.environ, "AWS_ENDPOINT_URL_DYNAMODB": database}
    with Group(command, tmp_path / "watch.log", ENDED_WITHIN, cwd=PROJECT, env=environment) as watch:
        watch.wait_until(lambda: is_served(number), 60)
        yield watch, number
