"""HTTP over a unix socket."""

import http.client
import socket

import wslvm_enter as enter


class Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with enter.short_path(self.path) as path:
            self.sock.connect(path)
