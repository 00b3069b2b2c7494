"""In the guest: the Windows side of the link over AF_VSOCK, and what the agent says of itself."""

import contextlib
import http.client
import io
import itertools
import json
import os
import socket
import tarfile
import time

import unix_http
from link.client import LinkClient
from unix_socket import dial

ROOT = "/proc/1/root"  # of init: in here an absolute link would lead elsewhere
RUN = f"{ROOT}/run/causeway"
IMAGE = "busybox"
SELF_CID = 1  # VMADDR_CID_LOCAL
_numbers = itertools.count()


def request(path, what, method="GET", body=None):
    """(status, JSON or text) of the API behind the unix socket `path`."""
    status, data = unix_http.request(path, what, method, body, timeout=60)
    text = data.decode()
    return status, json.loads(text) if text[:1] in ("{", "[") else text


def control(what, method="GET", body=None):
    return request(f"{RUN}/control.sock", what, method, body)[1]


def link_status():
    return control("/v1/status")["link"]


def vsock_listener():
    return next(entry for entry in link_status()["listeners"] if entry["transport"] == "vsock")


def agent_pid():
    return control("/v1/status")["agent"]["pid"]


def settings_file():
    path = f"{ROOT}/etc/causeway/settings.json"
    return ROOT + os.readlink(path) if os.path.islink(path) else path


def follow(ready, seconds=30):
    """The first status of the agent's event stream for which `ready` is true; the stream begins with the present one. An agent
    that ends is no end: the socket is init's, and the next one answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection = unix_http.HttpConnection(f"{RUN}/control.sock", timeout=max(0.1, end - time.monotonic()))
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/v1/events")
            for line in connection.getresponse():
                status = json.loads(line)
                if ready(status):
                    return status
        connection.close()
    raise AssertionError(f"not within {seconds} s: {control('/v1/status')}")


class Peer(LinkClient):
    """A running link_client that dials the agent's AF_VSOCK listener."""

    def __init__(self, *options, cid=SELF_CID):
        told = control("/v1/link")
        folder = f"/tmp/peer-{os.getpid()}-{next(_numbers)}"
        os.makedirs(folder)
        super().__init__("link_client", folder, f"vsock:{cid}:{told['port']}", told["nonce"], *options)

    def exec(self, container, argv):
        """A hijacked stream of a command in `container`: raw, both ways."""
        status, made = request(self.engine, f"/v1.40/containers/{container}/exec", "POST",
                               {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Tty": False, "Cmd": argv})
        assert status == 201, made
        return RawStream(self.engine, "POST", f"/v1.40/exec/{made['Id']}/start", {"Detach": False, "Tty": False})

    def logs(self, container):
        """The stream of what `container` has printed and prints."""
        return RawStream(self.engine, "GET", f"/v1.40/containers/{container}/logs?stdout=1&follow=1")

    def import_image(self):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add("/usr/bin/busybox", "bin/busybox")
            for applet in ("sh", "cat", "dd", "head", "sleep", "echo", "true"):
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        self.docker("import", "-", IMAGE, input=archive.getvalue())


class RawStream:
    """A connection that carries Docker's frames of stdout and stderr; both ways when the engine agreed to an upgrade."""

    def __init__(self, path, method, what, body=None):
        text = json.dumps(body) if body is not None else ""
        upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if body is not None else ""
        self.sock = dial(path, 90)
        self.sock.sendall((f"{method} {what} HTTP/1.{1 if upgrade else 0}\r\nHost: docker\r\nContent-Type: application/json\r\n{upgrade}"
                           f"Content-Length: {len(text)}\r\n\r\n{text}").encode())
        self.file = self.sock.makefile("rb")
        head = self.file.readline()
        assert b" 101 " in head or b" 200 " in head, head
        while self.file.readline() not in (b"\r\n", b""):
            pass

    def send(self, data):
        self.sock.sendall(data)

    def end_input(self):
        self.sock.shutdown(socket.SHUT_WR)

    def read(self, count):
        """(stdout, stderr) until stdout has `count` bytes or the stream ends; None: to its end."""
        out = {1: b"", 2: b""}
        while count is None or len(out[1]) < count:
            head = self.file.read(8)
            if len(head) < 8:
                break
            out[head[0]] += self.file.read(int.from_bytes(head[4:], "big"))
        return out[1], out[2]

    def close(self):
        self.file.close()
        self.sock.close()
