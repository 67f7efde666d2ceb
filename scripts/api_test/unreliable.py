"""What may lie between a caller and the service: the real service, but the way there is bad.

The first requests meet, one after the other, what no emulator produces at will: API Gateway's throttle, a database
that cannot be asked, an answer that is lost after the import was done, and a record that could not be written.
"""

import http.client
import http.server
import json
import threading
import urllib.parse

THROTTLED = (429, {}, {"message": "Too Many Requests"})
UNAVAILABLE = (
    503,
    {"Retry-After": "1"},
    {"code": "503", "errorCode": "SERVICE_UNAVAILABLE", "msg": "服务暂时不可用，请稍后重试", "data": None},
)
FAILURE = {"errorCode": "STORE_ERROR", "errorMsg": "数据库暂时不可用，请重试", "retryable": True}


class Unreliable:
    """A way to the service at `url`, in a `with` statement; it keeps the requests and the answers of the service."""

    def __init__(self, url):
        self.target = urllib.parse.urlsplit(url)
        self.requests = []
        self.answers = []

    def __enter__(self):
        way = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                way.carry(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}{self.target.path}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def carry(self, handler):
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        key = handler.headers["Idempotency-Key"]
        self.requests.append((key, body))
        match len(self.requests):
            case 1:
                return answer(handler, *THROTTLED)
            case 2:
                return answer(handler, *UNAVAILABLE)
            case 3:
                self.forward(handler, body)
                # Nothing is sent: the connection ends without an answer.
                handler.close_connection = True
                return None
            case 5:
                # As if the last record could not be written.
                *records, held_back = body["data"]
                status, headers, envelope = self.forward(handler, {**body, "data": records})
                result = envelope["data"]
                result["importFailNum"] += 1
                result["errorData"] = [*(result["errorData"] or []), {**held_back, **FAILURE}]
                result |= {"status": 2, "message": "部分导入成功"}
                return answer(handler, status, headers, envelope)
            case _:
                return answer(handler, *self.forward(handler, body))

    def forward(self, handler, body):
        headers = {name: handler.headers[name] for name in ("X-Token", "Content-Type", "Idempotency-Key")}
        connection = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=60)
        try:
            connection.request("POST", self.target.path, json.dumps(body).encode(), headers)
            response = connection.getresponse()
            answered = (response.status, dict(response.getheaders()), json.loads(response.read()))
        finally:
            connection.close()
        self.answers.append(answered)
        return answered


def answer(handler, status, headers, body):
    content = json.dumps(body, ensure_ascii=False).encode()
    handler.send_response(status)
    for name, value in headers.items():
        if name.lower() in ("retry-after", "idempotent-replayed"):
            handler.send_header(name, value)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
