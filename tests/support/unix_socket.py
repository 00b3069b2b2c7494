"""Unix sockets with paths of any length. Runs in the guest under QEMU, too."""

import contextlib
import os
import socket


@contextlib.contextmanager
def short_path(path):
    """A path of the same file that fits into a unix socket's address (107 bytes), whatever the length of `path`. Changes nothing of
    the process: several threads may connect at once."""
    folder = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)


def dial(path, timeout=30):
    """A connected socket."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        with short_path(path) as short:
            connection.connect(short)
    except OSError:
        connection.close()
        raise
    return connection
