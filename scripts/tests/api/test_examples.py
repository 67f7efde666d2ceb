"""The calls of docs/examples, run as callers would."""

import email.utils
import json
import os
import subprocess
import time

import pytest

from api.double import IN_PROGRESS, PYTHON, STORE_ERROR, cut_short, reply, result
from api.markdown import PROJECT

EXAMPLES = PROJECT / "docs" / "examples"
REQUEST = EXAMPLES / "request.json"

# What runs each call.
CALLS = {"call.sh": "bash", "call.py": PYTHON, "call.mjs": "node", "Call.java": "java"}
LINES = 45


@pytest.fixture(params=CALLS)
def call(request, tmp_path):
    return Call(request.param, tmp_path / "request.json")


class Call:
    """One of the calls, whatever it is written in."""

    def __init__(self, name, file):
        self.command = [CALLS[name], EXAMPLES / name, file]
        self.file = file
        # Group names that no other call writes.
        self.group = name.replace(".", "-")

    def run(self, url, content, **environment):
        """Its exit code, the failed records that it printed, its messages."""
        self.file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        environment = {**os.environ, "IMPORT_URL": url, "IMPORT_TOKEN": "demo-token", **environment}
        done = subprocess.run(self.command, env=environment, capture_output=True, timeout=120, check=False)
        messages = done.stderr.decode(errors="replace")
        assert "Traceback" not in messages
        assert "demo-token" not in messages
        return done.returncode, [json.loads(line) for line in done.stdout.decode("ascii").splitlines()], messages


def body(*records):
    return {"publicParams": {"isMatching": False, "optType": "add"}, "data": list(records)}


GOOD = body({"audienceUserId": "c0003", "groups": "g"})


def test_every_call_is_short_and_run():
    assert {file.name for file in EXAMPLES.iterdir()} == {REQUEST.name, *CALLS}
    for name in CALLS:
        assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= LINES


def test_the_request_of_the_page_is_imported(call, service):
    content = REQUEST.read_bytes().replace(b"vip", call.group.encode())
    code, failed, messages = call.run(service.url, content)
    reason = {"errorCode": "NOT_MATCHED", "errorMsg": "未匹配到客户", "retryable": False}
    assert (code, failed) == (1, [{"openid": "nobody", "groups": call.group, "index": 2, **reason}]), messages
    written = {pair for pair in service.memberships() if pair[1] == call.group}
    assert written == {("c0001", call.group), ("c0002", call.group)}
    assert call.run(service.url, GOOD) == (0, [], "")


def test_the_same_is_sent_with_the_same_key_after_a_pause(call, double):
    def until_a_date(*_):
        # In whole seconds, so after more than three.
        return 503, {"Retry-After": email.utils.formatdate(time.time() + 4, usegmt=True)}, b""

    faults = [
        until_a_date,
        (429, {"Retry-After": "3"}, b'{"message":"Too Many Requests"}'),
        reply(201, "IN_PROGRESS", IN_PROGRESS),
        (),
    ]
    double.faults = dict(enumerate(faults))
    code, _, messages = call.run(double.url, GOOD)
    assert code == 0, messages
    assert messages.count("again in") == 4
    assert len(double.requests) == 5
    assert len(set(double.requests)) == 1
    assert double.requests[0][0]
    # Without Retry-After the first two are shorter.
    assert min(double.pauses[:2]) >= 3
    assert min(double.pauses) >= 0.5


@pytest.mark.parametrize(
    "response",
    [
        (200, {}, b"<html>Welcome</html>"),
        (200, {}, b'{"code":"401","errorCode":"TOKEN_ERROR","msg":"x","data":null}'),
        (200, {}, b'{"data":{}}'),
        (200, {}, b'{"data":[]}'),
        (200, {}, b""),
        (200, {}, b"[" * 100_000),
        (200, {}, b'{"data":{"importFailNum":1,"errorData":['),
        reply(202, "SUCCESS", result([], None)),
        reply(413, "PAYLOAD_TOO_LARGE", message="请求体超过上限"),
        reply(401, "TOKEN_ERROR", message="X-Token缺失、无效或已过期"),
        (302, {"Location": "http://127.0.0.1:9/elsewhere"}, b""),
    ],
)
def test_what_has_no_result_is_named_and_not_repeated(call, double, response):
    double.faults = {0: response}
    code, failed, messages = call.run(double.url, GOOD)
    assert (code, failed, len(double.requests)) == (1, [], 1)
    assert f"{response[0]}, no result" in messages
    assert "IMPORT_URL" in messages


def test_matches_are_no_failed_records(call, double):
    data = {**result([{}], lambda _: None), "matches": [{"index": 0, "audienceUserId": "c1", "matchedBy": "phone"}]}
    double.faults = {0: reply(200, "SUCCESS", data)}
    assert call.run(double.url, GOOD) == (0, [], "")


def test_no_response_and_no_retry_after_is_an_end(call, double):
    odd = [(503, {"Retry-After": after}, b"") for after in ("08", "\xb2", "x")]
    double.faults = dict(enumerate([*odd, cut_short(200)]))
    code, _, messages = call.run(double.url, GOOD)
    assert (code, len(double.requests)) == (0, 5), messages
    assert double.pauses[0] >= 8


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_failed_records_are_printed_on_any_console(call, double, encoding):
    records = [
        {"openid": "nobody", "groups": "vip\ud83d"},
        {"openid": "nobody", "groups": "\udf81vip"},
        {"openid": "nobody", "groups": '🎁福利,"]},{[\\'},
        {"openid": "nobody", "groups": ["a", {"b": "c"}]},
    ]

    def failed(_, sent):
        data = result(json.loads(sent)["data"], lambda _: STORE_ERROR)
        return 200, {}, json.dumps({"code": "200", "errorCode": "SUCCESS", "msg": "ok", "data": data}).encode()

    double.faults = {0: failed}
    code, printed, messages = call.run(double.url, body(*records), PYTHONIOENCODING=encoding)
    assert (code, messages) == (1, "")
    assert [(record["openid"], record["groups"]) for record in printed] == [
        ("nobody", one["groups"]) for one in records
    ]
    # As it is in the file.
    assert double.requests[0][1] == call.file.read_bytes()


@pytest.mark.parametrize(
    "content", [b'{"data":[{"phone":NaN}]}', b"openid,groups", b"\xd0\xc2\xbf\xcd", b"\xef\xbb\xbf{}"]
)
def test_what_is_no_json_is_left_to_the_service(call, double, content):
    double.faults = {0: reply(400, "PARAM_ERROR", message="请求体不是合法的JSON：第1行第1列有误")}
    code, _, messages = call.run(double.url, content)
    assert (code, double.requests[0][1]) == (1, content)
    assert "PARAM_ERROR" in messages
