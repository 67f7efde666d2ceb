"""Runs the example programs of docs/examples as callers would, and looks at what they did."""

import json
import os
import re
import shutil
import subprocess

from service import TOKEN
from unreliable import Unreliable

# What runs each, and what else it needs.
PROGRAMS = {
    "import.sh": (["bash"], ["curl", "jq"]),
    "import_groups.py": (["python3"], []),
    "import_groups.mjs": (["node"], []),
    "ImportGroups.java": (["java"], []),
}

# More than one batch of the programs. The demo tenant has 300 customers of this kind.
RECORDS = 1100

DONE_WITHIN = 300


def check(report, examples, service, directory):
    expected = {file.name for file in examples.iterdir()} - {"request.json"}
    report.check("each example program is run", expected == set(PROGRAMS), expected)
    skipped = []
    for name, (command, needs) in PROGRAMS.items():
        missing = [tool for tool in command + needs if not shutil.which(tool)]
        if missing:
            report.say(f"SKIPPED  {name}: {', '.join(missing)} is not installed here")
            skipped.append(name)
            continue
        program = Program(name, [*command, str(examples / name)], directory)
        request_of_the_page(report, program, examples / "request.json", service)
        bad_way(report, program, service)
        refusal(report, program, examples / "request.json", service)
    if skipped:
        report.say(f"not run, and not counted: {', '.join(skipped)}")


class Program:
    """One of the programs, whatever it is written in."""

    def __init__(self, name, command, directory):
        self.name = name
        self.command = command
        self.directory = directory

    def run(self, url, file, token=TOKEN):
        """Runs it and returns its exit code, the failed records that it printed, and its messages."""
        environment = {**os.environ, "IMPORT_URL": url, "IMPORT_TOKEN": token, "NO_PROXY": "127.0.0.1"}
        ended = subprocess.run([*self.command, str(file)], env=environment, capture_output=True, timeout=DONE_WITHIN)
        failed = [json.loads(line) for line in ended.stdout.decode().splitlines()]
        return ended.returncode, failed, ended.stderr.decode()

    def write(self, name, records):
        params = {"isMatching": True, "matchingType": 2, "identifyWay": 2, "optType": "add"}
        file = self.directory / f"{self.name}.{name}.json"
        file.write_text(json.dumps({"publicParams": params, "data": records}, ensure_ascii=False), encoding="utf-8")
        return file


def not_matched(openid, groups):
    failure = {"errorCode": "NOT_MATCHED", "errorMsg": "未匹配到客户", "retryable": False}
    return {"openid": openid, "groups": groups, **failure}


def counts(messages):
    found = re.search(r"^imported (\d+), failed (\d+)$", messages, re.MULTILINE)
    return found and (int(found[1]), int(found[2]))


def request_of_the_page(report, program, file, service):
    # Its own group names, so that no other program can have written them.
    own = program.name.replace(".", "-")
    request = json.loads(file.read_text(encoding="utf-8").replace("vip", own))
    copy = program.write("request", [])
    copy.write_text(json.dumps(request), encoding="utf-8")
    code, failed, messages = program.run(service.url, copy)
    report.check(f"{program.name}: reports the record that matches nobody, and fails",
                 (code, failed, counts(messages)) == (1, [not_matched("nobody", own)], (2, 1)),
                 (code, failed, messages))
    written = {pair for pair in service.memberships() if pair[1] == own}
    report.check("  the others are written", written == {("c0001", own), ("c0002", own)}, written)

    good = program.write("good", [{"audienceUserId": "c0003", "groups": f"{own}-good"}])
    code, failed, messages = program.run(service.url, good)
    report.check("  ends well when every record is imported", (code, failed, counts(messages)) == (0, [], (1, 0)),
                 (code, failed, messages))


def bad_way(report, program, service):
    """Through lost answers and passing failures: everything ends up written, and nothing is lost or made up."""
    own = program.name.replace(".", "-") + "-"
    records = [{"audienceUserId": f"c{1 + number % 300:04}", "groups": f"{own}{number}"} for number in range(RECORDS)]
    # What a program that splits JSON at commas or quotes would stumble over. The last one is held back at first.
    records[0]["phone"] = records[-1]["phone"] = 'x", "retryable": false}], \\"[{'
    records.insert(3, {"openid": "nobody", "groups": "分组一,\"q\""})
    file = program.write("many", records)
    with Unreliable(service.url) as way:
        code, failed, messages = program.run(way.url, file)
    report.check(f"{program.name}: {len(records)} records on a bad way: one matches nobody, the rest is imported",
                 (code, failed, counts(messages)) == (1, [not_matched("nobody", "分组一,\"q\"")], (RECORDS, 1)),
                 (code, failed[:3], messages))
    expected = {(record["audienceUserId"], record["groups"]) for record in records if "audienceUserId" in record}
    written = {pair for pair in service.memberships() if pair[1].startswith(own)} & expected
    report.check("  each has its membership", written == expected, f"{len(expected - written)} missing")

    sent = way.requests
    repeated = len(sent) == 6 and all(request == sent[0] for request in sent[:4]) and sent[0][0]
    report.check("  what was throttled, unavailable or lost is repeated with its key", repeated,
                 [(key, len(body["data"])) for key, body in sent])
    if not repeated:
        return
    replayed = {name.lower() for name in way.answers[1][1]} >= {"idempotent-replayed"}
    report.check("  so that the lost answer is told again", replayed, way.answers[1][1])
    key, resent = sent[5]
    same = {name: value for name, value in resent["data"][0].items() if name in records[-1]}
    report.check("  the record that failed retryably, and no other, is resent under a new key",
                 len(resent["data"]) == 1 and same == records[-1] and key not in (sent[0][0], sent[4][0]), resent)


def refusal(report, program, file, service):
    code, failed, messages = program.run(service.url, file, token="unknown")
    report.check(f"{program.name}: tells a refusal, and fails",
                 code == 1 and not failed and "401" in messages and "TOKEN_ERROR" in messages, (code, failed, messages))
