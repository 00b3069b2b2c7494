"""HTTP over a unix socket."""

import http.client
import os
import socket

import wslvm_enter as enter


class Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        enter.in_folder(os.path.dirname(self.path), lambda: self.sock.connect(os.path.basename(self.path)))
