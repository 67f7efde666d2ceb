"""A reverse proxy that makes the faults which no emulator makes."""

import http.server
import json
import sys
import threading

import requests

# Headers of one connection, or of a body that may change on its way.
NOT_FORWARDED = {
    *("content-length", "content-encoding", "transfer-encoding", "connection", "x-amz-crc32", "date", "server")
}


def forwarded(headers):
    return {name: text for name, text in headers.items() if name.lower() not in NOT_FORWARDED}


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        # A client that was stopped does not wait for its response.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Proxy:
    """Forwards to the server at `target`, in a `with` statement. Subclasses override `respond`."""

    def __init__(self, target):
        self.target = target
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One segment per response: else each waits for the acknowledgement of its headers.
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                # The client may have been stopped halfway through its request.
                response = proxy.respond(self, body) if len(body) == length else None
                if response is None:
                    self.close_connection = True
                    return
                status, headers, content = response
                self.send_response(status)
                for name, text in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_DELETE = do_POST

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def respond(self, request, body):
        """Status, headers and body of the response; None closes the connection without one."""
        return self.forward(request, body)

    def forward(self, request, body):
        url, headers = self.target + request.path, forwarded(request.headers)
        response = requests.request(request.command, url, data=body, headers=headers, timeout=60)
        return response.status_code, forwarded(response.headers), response.content


class AwsProxy(Proxy):
    """Records the calls of AWS operations. `rules` has a function for an operation's name that takes the request and
    `forward`, and returns status and response; a status of None closes the connection."""

    def __init__(self, endpoint, rules=None):
        super().__init__(endpoint)
        self.rules = rules or {}
        self.calls = []

    def respond(self, request, body):
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if not operation:
            self.calls.append((f"{request.command} {request.path}", body.decode()))
            return self.forward(request, body)
        headers = {"Content-Type": "application/json"}

        def forward(changed):
            status, received, content = self.forward(request, json.dumps(changed).encode())
            headers.update(received)
            return status, json.loads(content)

        parsed = json.loads(body)
        self.calls.append((operation, parsed))
        rule = self.rules.get(operation, lambda request, forward: forward(request))
        status, response = rule(parsed, forward)
        return status and (status, headers, json.dumps(response).encode())
