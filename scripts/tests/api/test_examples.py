"""The example programs of docs/examples, run as callers would."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from api.unreliable import OutOfTime, Unreliable

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "docs" / "examples"
REQUEST = EXAMPLES / "request.json"

# What runs each program, and what else that needs.
PROGRAMS = {
    "import.sh": ["bash", "curl", "jq"],
    "import_groups.py": ["python3"],
    "import_groups.mjs": ["node"],
    "ImportGroups.java": ["java"],
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
        self.command = [PROGRAMS[name][0], str(EXAMPLES / name), str(file)]
        self.file = file
        # Group names that no other program writes.
        self.group = name.replace(".", "-")

    def run(self, url, token, records, **params):
        """Its exit code, the failed records that it printed, what it counted as imported and failed, its messages."""
        request = json.loads(REQUEST.read_text(encoding="utf-8"))
        request = {"publicParams": {**request["publicParams"], **params}, "data": records}
        self.file.write_text(json.dumps(request, ensure_ascii=False), encoding="utf-8")
        environment = {**os.environ, "IMPORT_URL": url, "IMPORT_TOKEN": token}
        done = subprocess.run(self.command, env=environment, capture_output=True, timeout=DONE_WITHIN, check=False)
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
    assert connection.times[2] - connection.times[1] >= 1, "Retry-After"
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
