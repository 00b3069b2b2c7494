"""In the guest: Windows' end of the link over AF_VSOCK, and what the agent says of itself."""

import contextlib
import http.client
import io
import itertools
import json
import os
import select
import socket
import subprocess
import tarfile
import time

ROOT = "/proc/1/root"  # of init: in here an absolute link would lead elsewhere
RUN = f"{ROOT}/run/causeway"
IMAGE = "busybox"
SELF_CID = 1  # VMADDR_CID_LOCAL
_numbers = itertools.count()


class Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def request(path, what, method="GET", body=None):
    """(status, JSON or text) of the API behind the unix socket `path`."""
    connection = Connection(path)
    try:
        connection.request(method, what, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if text[:1] in ("{", "[") else text
    finally:
        connection.close()


def control(what, method="GET", body=None):
    return request(f"{RUN}/control.sock", what, method, body)[1]


def link_status():
    return control("/v1/status")["link"]


def vsock_listener():
    return next(entry for entry in link_status()["listeners"] if entry["carrier"] == "vsock")


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
        connection = Connection(f"{RUN}/control.sock", timeout=max(0.1, end - time.monotonic()))
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/v1/events")
            for line in connection.getresponse():
                status = json.loads(line)
                if ready(status):
                    return status
        connection.close()
    raise AssertionError(f"not within {seconds} s: {control('/v1/status')}")


class Peer:
    """A running link_client; its sockets are those of an engine and of the control API."""

    def __init__(self, *options, cid=SELF_CID):
        told = control("/v1/link")
        folder = f"/tmp/peer-{os.getpid()}-{next(_numbers)}"
        os.makedirs(folder)
        self.engine, self.control_socket = f"{folder}/engine.sock", f"{folder}/control.sock"
        self.process = subprocess.Popen(
            ["link_client", "--carrier", f"vsock:{cid}:{told['port']}", "--nonce", told["nonce"], "--engine", self.engine,
             "--control", self.control_socket, *options], bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def line(self, timeout=30):
        assert select.select([self.process.stdout], [], [], timeout)[0], "link_client says nothing"
        return self.process.stdout.readline().decode().rstrip("\n")

    def wait_connected(self):
        said = self.line()
        assert said == "connected", said + self.end()[1]
        return self

    def end(self):
        errors = self.process.communicate(timeout=30)[1].decode()
        return self.process.returncode, errors

    def docker(self, *arguments, data=b"", check=True):
        done = subprocess.run(["docker", *arguments], env=self.environment(), input=data, capture_output=True, check=False,
                              timeout=120)
        assert not check or done.returncode == 0, f"docker {arguments}: {done.returncode} {done.stderr.decode()}"
        return done

    def popen(self, *arguments):
        return subprocess.Popen(["docker", *arguments], env=self.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def environment(self):
        return {**os.environ, "DOCKER_HOST": f"unix://{self.engine}"}

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
        self.docker("import", "-", IMAGE, data=archive.getvalue())


class RawStream:
    """A connection that carries Docker's frames of stdout and stderr; both ways when the engine agreed to an upgrade."""

    def __init__(self, path, method, what, body=None):
        text = json.dumps(body) if body is not None else ""
        upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if body is not None else ""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(90)
        self.sock.connect(path)
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
