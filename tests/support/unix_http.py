"""HTTP over a unix socket. Runs in the guest under QEMU, too."""

import contextlib
import http.client
import json

from unix_socket import dial


class HttpConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = dial(self.path, self.timeout)


def request(path, target, method="GET", body=None, timeout=30):
    """One request on a connection of its own; `body` is sent as JSON. Returns (status code, body as bytes)."""
    connection = HttpConnection(path, timeout)
    with contextlib.closing(connection):
        connection.request(method, target, *([json.dumps(body), {"Content-Type": "application/json"}] if body is not None else []))
        answer = connection.getresponse()
        return answer.status, answer.read()


def request_json(path, target, method="GET", body=None, timeout=30):
    """As request(); the answer's body decoded, None when there is none."""
    status, data = request(path, target, method, body, timeout)
    return status, json.loads(data) if data else None
