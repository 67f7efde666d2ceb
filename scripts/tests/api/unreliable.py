"""The service behind an unreliable connection, and a service that runs out of time.

On the unreliable connection the first requests meet, one after the other, faults that no emulator makes at will: a
throttle of API Gateway, an unavailable database, a response that is lost after the import, and a record that could not
be written.
"""

import email.utils
import json
import time
import urllib.parse

from proxy import Proxy

JSON = {"Content-Type": "application/json"}
# A proxy on the way may require a pause by a date.
DATE_AFTER = 3


def throttled():
    date = email.utils.formatdate(time.time() + DATE_AFTER, usegmt=True)
    return 429, {**JSON, "Retry-After": date}, b'{"message": "Too Many Requests"}'


UNAVAILABLE = (
    503,
    {**JSON, "Retry-After": "1"},
    '{"code": "503", "errorCode": "SERVICE_UNAVAILABLE", "msg": "服务暂时不可用，请稍后重试", "data": null}'.encode(),
)
FAILURE = {"errorCode": "STORE_ERROR", "errorMsg": "系统繁忙，请稍后重试", "retryable": True}
TIMEOUT = {"errorCode": "TIMEOUT", "errorMsg": "处理超时，请稍后重试", "retryable": True}


class Unreliable(Proxy):
    """Keeps the requests as (key, body), their times, and the headers of the service's responses."""

    def __init__(self, url):
        target = urllib.parse.urlsplit(url)
        super().__init__(f"http://{target.netloc}")
        self.url += target.path
        self.requests = []
        self.times = []
        self.received = []

    def respond(self, request, body):
        self.requests.append((request.headers["Idempotency-Key"], json.loads(body)))
        self.times.append(time.monotonic())
        match len(self.requests):
            case 1:
                return throttled()
            case 2:
                return UNAVAILABLE
            case 3:
                self.forward(request, body)
                return None
            case 5:
                return self.without_last_record(request, json.loads(body))
            case _:
                return self.forward(request, body)

    def without_last_record(self, request, body):
        """As if the last record could not be written."""
        *records, failed = body["data"]
        status, headers, content = self.forward(request, json.dumps({**body, "data": records}).encode())
        envelope = json.loads(content)
        result = envelope["data"]
        result["importFailNum"] += 1
        result["errorData"] = [*(result["errorData"] or []), {**failed, "index": len(records), **FAILURE}]
        result |= {"status": 2, "message": "部分导入成功"}
        return status, headers, json.dumps(envelope, ensure_ascii=False).encode()

    def forward(self, request, body):
        status, headers, content = super().forward(request, body)
        self.received.append({name.lower(): text for name, text in headers.items()})
        return status, headers, content


class Canned(Proxy):
    """Responds to everything alike."""

    def __init__(self, status, headers, content=b""):
        super().__init__("")
        self.response = status, headers, content

    def respond(self, _request, _body):
        return self.response


class OutOfTime(Proxy):
    """Responds in place of the service: of each of the first requests, so many of the last records run out of time."""

    def __init__(self, out_of_time):
        super().__init__("")
        self.out_of_time = out_of_time
        self.sizes = []
        self.imported = []

    def respond(self, request, body):
        records = json.loads(body)["data"]
        out_of_time = self.out_of_time[len(self.sizes)] if len(self.sizes) < len(self.out_of_time) else 0
        done = len(records) - out_of_time
        self.sizes.append(len(records))
        self.imported += [record["audienceUserId"] for record in records[:done]]
        errors = [{**record, "index": done + n, **TIMEOUT} for n, record in enumerate(records[done:])]
        result = {
            "importSuccessNum": done,
            "message": "部分导入成功" if errors else "成功",
            "importFailNum": len(errors),
            "errorData": errors or None,
            "status": 2 if errors else 1,
        }
        envelope = {"code": "200", "errorCode": "SUCCESS", "msg": "ok", "data": result}
        return 200, JSON, json.dumps(envelope, ensure_ascii=False).encode()
