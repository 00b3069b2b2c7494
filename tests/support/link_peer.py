"""Windows' end of the link, for tests: the program link_client, and hellos by hand."""

import json
import os
import select
import socket
import subprocess
import threading

import wslvm_enter as enter
import wslvm_kernel as kernel
from vm_fixtures import REPOSITORY
from wslvm_http import Connection

CLIENT = os.path.join(REPOSITORY, "build", "release", "tests", "support", "programs", "link_client")
DOCKER = "/usr/bin/docker"


def hello(nonce, major=1):
    """The shim's hello, by the layout in agent/wire/hello.h."""
    return (b"CAUSEWAY" + major.to_bytes(2, "big") + bytes(2) + b"\x01\0" + bytes(2) + bytes(4) + bytes(4) + b"s" * 16
            + bytes.fromhex(nonce))


def refusal(answer):
    """The text of a refusing hello; empty when it doesn't refuse."""
    assert answer[:8] == b"CAUSEWAY", answer
    return answer[56:56 + int.from_bytes(answer[14:16], "big")].decode()


def dial(path):
    """A connection to a unix socket, whatever its path's length."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    with enter.short_path(path) as short:
        connection.connect(short)
    return connection


def enter_network(pid):
    """This thread goes into that process's network namespace."""
    target = os.pidfd_open(pid)
    kernel.setns(target, kernel.CLONE_NEWNET)
    os.close(target)


def dial_tcp(pid, port, address="127.0.0.1"):
    """A connection within that process's network namespace."""
    result = []

    def connect():  # in a thread of its own, which ends with its namespace
        enter_network(pid)
        try:
            result.append(socket.create_connection((address, port), 30))
        except OSError as error:
            result.append(error)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    if isinstance(result[0], OSError):
        raise result[0]
    return result[0]


def read_all(connection):
    """Until its end."""
    out = b""
    try:
        while data := connection.recv(65536):
            out += data
    except ConnectionResetError:
        pass
    return out


class LinkPeer:
    """A running link_client with the sockets `engine` and `control` in `folder`. `link` is the agent's link.sock, or a TCP port in the
    network namespace of process `network`."""

    def __init__(self, folder, link, nonce, *options, network=None):
        self.engine, self.control_socket = f"{folder}/engine.sock", f"{folder}/control.sock"
        self.home = str(folder)
        carrier = f"tcp:{link}" if network else f"unix:{os.path.basename(link)}"
        # Started in the socket's folder: its path may be longer than an address takes.
        self.process = subprocess.Popen(
            [CLIENT, "--carrier", carrier, "--nonce", nonce, "--engine", self.engine, "--control", self.control_socket, *options],
            cwd=None if network else os.path.dirname(link), preexec_fn=(lambda: enter_network(network)) if network else None,
            bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # no lines beyond select()

    def line(self, timeout=20):
        """Its next line, without the newline; empty at its end."""
        assert select.select([self.process.stdout], [], [], timeout)[0], "link_client says nothing"
        return self.process.stdout.readline().decode().rstrip("\n")

    def wait_connected(self):
        said = self.line()
        assert said == "connected", said + self.end()[1]
        return self

    def end(self):
        """Its exit code and what it said on stderr, after its end."""
        errors = self.process.communicate(timeout=30)[1].decode()
        return self.process.returncode, errors

    def close(self):
        self.process.kill()
        self.process.communicate()

    def docker(self, *arguments, check=True, **options):
        """The docker CLI of this machine, through the link: CompletedProcess with bytes."""
        done = subprocess.run([DOCKER, *arguments], env=self.environment(), capture_output=True, check=False,
                              timeout=options.pop("timeout", 120), **options)
        assert not check or done.returncode == 0, f"docker {arguments}: {done.returncode}\n{done.stderr.decode()}"
        return done

    def popen(self, *arguments, **options):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([DOCKER, *arguments], env=self.environment(), **{**pipes, **options})

    def environment(self, **more):
        return {"PATH": "/usr/bin:/bin", "HOME": self.home, "DOCKER_HOST": f"unix://{self.engine}", **more}

    def control(self, path, method="GET", body=None):
        connection = Connection(self.control_socket, 30)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()
