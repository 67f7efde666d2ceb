"""The service behind an unreliable connection.

The first requests meet, one after the other, faults that no emulator makes at will: a throttle of API Gateway, an
unavailable database, a response that is lost after the import, and a record that could not be written.
"""

import json
import urllib.parse

from proxy import Proxy

JSON = {"Content-Type": "application/json"}
THROTTLED = (429, JSON, b'{"message": "Too Many Requests"}')
UNAVAILABLE = (
    503,
    {**JSON, "Retry-After": "1"},
    '{"code": "503", "errorCode": "SERVICE_UNAVAILABLE", "msg": "服务暂时不可用，请稍后重试", "data": null}'.encode(),
)
FAILURE = {"errorCode": "STORE_ERROR", "errorMsg": "数据库暂时不可用，请重试", "retryable": True}


class Unreliable(Proxy):
    """Keeps the requests as (key, body), and the headers of the service's responses."""

    def __init__(self, url):
        target = urllib.parse.urlsplit(url)
        super().__init__(f"http://{target.netloc}")
        self.url += target.path
        self.requests = []
        self.received = []

    def respond(self, request, body):
        self.requests.append((request.headers["Idempotency-Key"], json.loads(body)))
        match len(self.requests):
            case 1:
                return THROTTLED
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
