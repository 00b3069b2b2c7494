"""Stands between the Windows side of the link and the agent: notes what passes, and can hold the agent's side back."""

import contextlib
import select
import socket
import struct
import threading

_FRAME = struct.Struct(">BBHII")  # yamux: version, kind, flags, stream, length
DATA, SYN = 0, 1


class Tap(threading.Thread):
    """Passes one connection to the unix socket `path` on to what `dial()` gives; the Windows side says `said`."""

    def __init__(self, path, dial):
        super().__init__(daemon=True)
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(path)
        self.listening.listen(1)
        self.dial, self.said, self.heard = dial, b"", 0  # heard: how many bytes of the agent's were passed on
        self.changed = threading.Condition()
        self.holding = False
        self.told, self.tell = socket.socketpair()
        self.start()

    def hold(self):
        """From its return on nothing of the agent's is passed on."""
        self._set(True)

    def release(self):
        self._set(False)

    def _set(self, holding):
        self.tell.send(b"h" if holding else b"r")
        with self.changed:
            assert self.changed.wait_for(lambda: self.holding == holding, 10), "no connection is tapped"

    def wait_said(self, what, since=0, timeout=10):
        """False when the Windows side hasn't said it in that time."""
        with self.changed:
            return self.changed.wait_for(lambda: what in self.said[since:], timeout)

    def run(self):
        near, _ = self.listening.accept()
        self.listening.close()
        far = self.dial()
        with near, far, contextlib.suppress(ConnectionError):
            while self._pass(near, far):
                pass

    def _pass(self, near, far):
        ready = select.select([self.told, near, *([] if self.holding else [far])], [], [])[0]
        for end in ready:
            if end is self.told:
                with self.changed:
                    self.holding = self.told.recv(1) == b"h"
                    self.changed.notify_all()
                return True  # what else is ready is looked at anew
            data = end.recv(65536)
            if not data:
                return False
            (far if end is near else near).sendall(data)
            with self.changed:
                self.said += data if end is near else b""
                self.heard += len(data) if end is far else 0
                self.changed.notify_all()
        return True


def frames(conversation):
    """Yields (kind, flags, stream, payload) of the whole frames in it."""
    at = 0
    while at + _FRAME.size <= len(conversation):
        _, kind, flags, stream, length = _FRAME.unpack_from(conversation, at)
        at += _FRAME.size
        payload = conversation[at:at + length] if kind == DATA else b""
        at += len(payload)
        yield kind, flags, stream, payload
