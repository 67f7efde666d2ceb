"""The example programs of docs/examples, run as callers would."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from api.unreliable import DATE_AFTER, Canned, OutOfTime, Unreliable
from proxy import Proxy

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "docs" / "examples"
REQUEST = EXAMPLES / "request.json"

# What runs each program, and what else that needs.
PROGRAMS = {
    "import.sh": ["bash", "curl", "jq"],
    "import_groups.py": ["python3"],
    "import_groups.mjs": ["node"],
    "ImportGroups.java": ["java"],
}

# An address where nothing listens, and a token; a program that is used wrongly sends nothing.
URL, ANY = "http://127.0.0.1:1/api", "any"

GOOD = b'{"publicParams": {}, "data": [{}]}'

# How a program may be used wrongly: the address, the token, the content of the file or None for no argument, and what
# the program says.
WRONG_USES = {
    "no argument": (URL, ANY, None, "usage: .*request.json"),
    "no address": (None, ANY, GOOD, "IMPORT_URL is not set: .*"),
    "no URL": ("api.example.com", ANY, GOOD, "IMPORT_URL must begin with https:// or http:// and a host"),
    "no token": (URL, None, GOOD, "IMPORT_TOKEN is not set: .*"),
    "token of two lines": (URL, "a\nb", GOOD, "IMPORT_TOKEN may have visible ASCII characters only"),
    "token in Chinese": (URL, "令牌", GOOD, "IMPORT_TOKEN may have visible ASCII characters only"),
    "no file": (URL, ANY, b"", "FILE cannot be read"),
    "no JSON": (URL, ANY, b"openid,groups", "FILE is not JSON in UTF-8"),
    "JSON cut off": (URL, ANY, GOOD[:-1], "FILE is not JSON in UTF-8"),
    "GBK": (URL, ANY, '{"publicParams": {}, "data": [{"groups": "新客"}]}'.encode("gbk"), "FILE is not JSON in UTF-8"),
    "byte order mark": (URL, ANY, b"\xef\xbb\xbf" + GOOD, "FILE begins with a byte order mark: .*"),
    "records alone": (URL, ANY, b"[{}]", "FILE must be an object with publicParams, .*"),
    "no records": (URL, ANY, b'{"publicParams": {}, "data": []}', "FILE has no records: data is empty"),
}

# More than one batch of the programs. The demo tenant has 300 customers of this kind.
RECORDS = 1100

DONE_WITHIN = 300


@pytest.fixture(params=PROGRAMS)
def program(request, tmp_path):
    missing = [tool for tool in PROGRAMS[request.param] if not shutil.which(tool)]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed here")
    return Program(request.param, tmp_path / "request.json")


class Program:
    """One of the programs, whatever it is written in."""

    def __init__(self, name, file):
        self.command = [PROGRAMS[name][0], str(EXAMPLES / name)]
        self.file = file
        # Group names that no other program writes.
        self.group = name.replace(".", "-")

    def start(self, url, token, *arguments):
        """Runs it; an environment variable that is None is not set."""
        given = {"IMPORT_URL": url, "IMPORT_TOKEN": token}
        environment = {**os.environ, **{name: value for name, value in given.items() if value is not None}}
        command = [*self.command, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, timeout=DONE_WITHIN, check=False)

    def run(self, url, token, records, **params):
        """Its exit code, the failed records that it printed, what it counted as imported and failed, its messages."""
        request = json.loads(REQUEST.read_text(encoding="utf-8"))
        request = {"publicParams": {**request["publicParams"], **params}, "data": records}
        self.file.write_text(json.dumps(request, ensure_ascii=False), encoding="utf-8")
        done = self.start(url, token, self.file)
        failed = [json.loads(line) for line in done.stdout.decode().splitlines()]
        messages = done.stderr.decode()
        counts = re.search(r"^imported (\d+), failed (\d+)$", messages, re.MULTILINE)
        return done.returncode, failed, counts and (int(counts[1]), int(counts[2])), messages


def not_matched(openid, groups):
    failure = {"errorCode": "NOT_MATCHED", "errorMsg": "未匹配到客户", "retryable": False}
    return {"openid": openid, "groups": groups, **failure}


def test_every_program_is_run():
    assert {file.name for file in EXAMPLES.iterdir()} == {REQUEST.name, *PROGRAMS}


def test_the_request_of_the_page_is_imported(program, service):
    request = json.loads(REQUEST.read_text(encoding="utf-8").replace("vip", program.group))
    code, failed, counts, messages = program.run(service.url, service.token, request["data"])
    assert (code, failed, counts) == (1, [not_matched("nobody", program.group)], (2, 1)), messages
    written = {pair for pair in service.memberships() if pair[1] == program.group}
    assert written == {("c0001", program.group), ("c0002", program.group)}


def test_success_is_the_exit_code_0(program, service):
    records = [{"audienceUserId": "c0003", "groups": f"{program.group}-good"}]
    code, failed, counts, messages = program.run(service.url, service.token, records)
    assert (code, failed, counts) == (0, [], (1, 0)), messages


def test_a_dry_run_is_reported_as_one(program, service):
    records = [{"audienceUserId": "c0003", "groups": f"{program.group}-dry"}, {"openid": "nobody", "groups": "vip"}]
    code, failed, _, messages = program.run(service.url, service.token, records, dryRun=True)
    assert (code, failed) == (1, [not_matched("nobody", "vip")])
    assert messages.splitlines()[-1] == "dry run: would import 1, failed 1"
    assert not {pair for pair in service.memberships() if pair[1] == f"{program.group}-dry"}


def test_a_rejected_request_is_reported(program, service):
    records = json.loads(REQUEST.read_text(encoding="utf-8"))["data"]
    code, failed, _, messages = program.run(service.url, "unknown", records)
    assert (code, failed) == (1, [])
    assert "401" in messages
    assert "TOKEN_ERROR" in messages


@pytest.mark.parametrize(("url", "token", "content", "message"), WRONG_USES.values(), ids=WRONG_USES)
def test_wrong_use_is_one_sentence_and_exit_status_2(program, url, token, content, message):
    if content:
        program.file.write_bytes(content)
    done = program.start(url, token, *([] if content is None else [program.file]))
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b""), said
    assert re.fullmatch(message.replace("FILE", re.escape(str(program.file))), said.rstrip("\r\n")), said


def test_a_redirect_does_not_carry_the_token_away(program, service):
    with Proxy(service.url) as elsewhere, Canned(302, {"Location": elsewhere.url}) as connection:
        code, failed, _, messages = program.run(connection.url, ANY, [{}])
    assert (code, failed) == (1, [])
    assert messages.startswith("rejected: 302"), messages


def test_another_server_is_recognised(program):
    with Canned(200, {"Content-Type": "text/html"}, b"<html>Welcome</html>") as connection:
        code, failed, _, messages = program.run(connection.url, ANY, [{}])
    assert (code, failed) == (1, [])
    assert messages.splitlines() == ["stopped: the response is not one of the service; check IMPORT_URL"]


def test_every_record_survives_an_unreliable_connection(program, service):
    own = f"{program.group}-"
    records = [{"audienceUserId": f"c{1 + number % 300:04}", "groups": f"{own}{number}"} for number in range(RECORDS)]
    # What a program that splits JSON at commas or quotes would stumble over. The last one fails at first.
    records[0]["phone"] = records[-1]["phone"] = 'x", "retryable": false}], \\"[{'
    records.insert(3, {"openid": "nobody", "groups": '分组一,"q"'})
    with Unreliable(service.url) as connection:
        code, failed, counts, messages = program.run(connection.url, service.token, records)
    assert (code, failed, counts) == (1, [not_matched("nobody", '分组一,"q"')], (RECORDS, 1)), messages
    expected = {(record["audienceUserId"], record["groups"]) for record in records if "audienceUserId" in record}
    assert not expected - service.memberships()

    # What was throttled, unavailable or lost is repeated with its key, so that the lost response is replayed.
    sent = connection.requests
    assert len(sent) == 6, [(key, len(body["data"])) for key, body in sent]
    assert all(request == sent[0] for request in sent[:4])
    # Retry-After is a date, in whole seconds, then a number of seconds.
    assert connection.times[1] - connection.times[0] >= DATE_AFTER - 1
    assert connection.times[2] - connection.times[1] >= 1
    # Every pause is reported, and every request that ended.
    assert re.findall(
        r"^(status \d+|no response|\d+ records failed for now)\b.*; again in", messages, re.MULTILINE
    ) == [*("status 429", "status 503", "no response", "1 records failed for now")]
    assert f"sent 1000 records: 999 of {RECORDS + 1} succeeded so far" in messages
    (first, _), (second, _), (third, resent) = sent[0], sent[4], sent[5]
    assert first
    assert "idempotent-replayed" in connection.received[1]
    # The record that failed retryably, and no other, is resent under a new key.
    (record,) = resent["data"]
    assert {name: record.get(name) for name in records[-1]} == records[-1]
    assert third not in (first, second)


def test_batches_are_smaller_while_records_run_out_of_time(program):
    records = [{"audienceUserId": f"c{number}", "groups": "g"} for number in range(1700)]
    # All records of the first request, and the last one of each of the next six.
    with OutOfTime([1000, *[1] * 6]) as service:
        code, failed, counts, messages = program.run(service.url, "any", records)
    assert (code, failed, counts) == (0, [], (1700, 0)), messages
    # Resent by halves, down to 50; once nothing runs out of time, the sizes double, also those of the next batches.
    resent = [500, 250, 125, 62, 50, 13]
    assert service.sizes == [1000, *resent, len(resent), 100, 200, 400]
    assert sorted(service.imported) == sorted(record["audienceUserId"] for record in records)
