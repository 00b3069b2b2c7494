"""The Windows side of the link in the simulated VM: link_client at the agent's link.sock or TCP port, and hellos by hand."""

import os
import socket
import threading

from repository import support_program
from unix_http import request_json
from wslvm import kernel

from .client import LinkClient


def hello(nonce, major=1):
    """The shim's hello, by the layout in agent/wire/hello.h."""
    return (b"CAUSEWAY" + major.to_bytes(2, "big") + bytes(2) + b"\x01\0" + bytes(2) + bytes(4) + bytes(4) + b"s" * 16
            + bytes.fromhex(nonce))


def refusal(answer):
    """The text of a refusing hello; empty when it doesn't refuse."""
    assert answer[:8] == b"CAUSEWAY", answer
    return answer[56:56 + int.from_bytes(answer[14:16], "big")].decode()


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


class LinkPeer(LinkClient):
    """`link` is the agent's link.sock, or a TCP port in the network namespace of process `network`."""

    def __init__(self, folder, link, nonce, *options, network=None):
        program = support_program("link_client")
        if network:
            super().__init__(program, folder, f"tcp:{link}", nonce, *options, preexec_fn=lambda: enter_network(network))
        else:
            # Started in the socket's folder: its path may be longer than an address takes.
            super().__init__(program, folder, f"unix:{os.path.basename(link)}", nonce, *options, cwd=os.path.dirname(link))

    def control(self, path, method="GET", body=None):
        """One request to the control API. Returns (status code, decoded JSON or None)."""
        return request_json(self.control_socket, path, method, body)
