"""What stands behind wsl.exe for a Wine prefix: the simulated VM's side of tests/support/programs/windows/wsl_stand_in.cpp.

    with WslService(vm) as wsl:
        wsl.install(prefix.drive_c)     # C:\\windows\\system32\\wsl.exe is the stand-in, and finds us
        wsl.commands                    # the arguments of each wsl.exe that was started
        port = wsl.forward(2222)        # Windows' 127.0.0.1:port is the VM's 127.0.0.1:2222

As real wsl.exe, it starts a distro that is stopped, but for `--list`; the VM itself is started by whoever made it. A killed wsl.exe
ends its command. Only who can read the word beside the stand-in is let in: the commands run as root in the VM.
"""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import threading

from wslvm import kernel
from wslvm.vm import VmError

from .wine import PROGRAMS

_PIECE = 1 << 18
PLACE = "windows/system32/wsl_stand_in.txt"  # on C:, beside the stand-in
_FAILED = 0xFFFFFFFF  # wsl.exe's exit code for what isn't the command's


class WslService:
    def __init__(self, vm):
        self.vm, self.token = vm, secrets.token_hex(16)
        self.commands = []
        self._lock = threading.Lock()
        self._data = {}  # by key: an event, then its connection
        self._open = set()
        self._processes = set()
        self._over = threading.Event()
        self._listeners = []
        self.port = self._listen(self._serve)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._over.set()
        with self._lock:
            doomed, processes = [*self._listeners, *self._open], [*self._processes]
        for connection in doomed:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for process in processes:
            process.kill()

    def wait(self):
        """Until close(), or a connection that says `end` (which waits for the end of this process)."""
        self._over.wait()

    def install(self, drive_c):
        folder = os.path.join(drive_c, "windows", "system32")
        shutil.copy(os.path.join(PROGRAMS, "wsl_stand_in.exe"), os.path.join(folder, "wsl.exe"))
        place = os.path.join(drive_c, PLACE)
        with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(f"{self.port} {self.token}\n")

    def forward(self, port):
        """As WSL does with localhost: the port here that leads to the VM's own."""
        return self._listen(lambda connection: self._forward(connection, port))

    # Inside -----------------------------------------------------------------------------------------

    def _listen(self, serve):
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listeners.append(listener)

        def accept():
            while not self._over.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._open.add(connection)
                threading.Thread(target=self._guard, args=(serve, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    def _guard(self, serve, connection):
        try:
            serve(connection)
        except OSError:
            pass  # the other side has gone
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _serve(self, connection):
        words = _line(connection).split()
        if len(words) < 2 or not secrets.compare_digest(words[1], self.token):
            return
        if words[0] in ("hello", "end"):
            connection.sendall(b"here\n")
            if words[0] == "end":
                self._over.set()
                threading.Event().wait()  # the connection ends with this process
        elif words[0] == "data":
            done = threading.Event()
            with self._lock:
                arrived = self._data.setdefault(words[2], [threading.Event(), None, None])
                arrived[1:] = connection, done
            arrived[0].set()
            done.wait()
        elif words[0] == "talk":
            arguments = _exactly(connection, int(words[3])).decode().split("\0")[:-1]
            with self._lock:
                arrived = self._data.setdefault(words[2], [threading.Event(), None, None])
            if not arrived[0].wait(10):
                return
            with self._lock:
                del self._data[words[2]]
            try:
                self._wsl(arguments, connection, arrived[1])
            finally:
                arrived[2].set()

    def _wsl(self, arguments, talk, data):
        self.commands.append(arguments)
        try:
            distro, user, command = _understand(arguments)
            if command is None:
                running = [name for name, facts in self.vm.status()["distros"].items() if facts["running"]]
                data.sendall("".join(name + "\r\n" for name in running).encode())
                code = 0
            else:
                code = self._run(distro, user, command, talk, data)
        except (VmError, ValueError, OSError) as error:
            with contextlib.suppress(OSError):
                _frame(talk, f"wsl.exe stand-in: {error}\n".encode())
            code = _FAILED
        with contextlib.suppress(OSError):
            data.shutdown(socket.SHUT_WR)
        talk.sendall(b"X" + code.to_bytes(4, "big"))
        while talk.recv(1):  # until wsl.exe has ended: it reads the output first
            pass

    def _run(self, distro, user, command, talk, data):
        if not (self.vm.status()["distros"].get(distro) or {}).get("running"):
            self.vm.start(distro, helper=False)
        process = self.vm.popen(distro, command, user=user, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with self._lock:
            self._processes.add(process)
        ended = threading.Event()

        def carry_input():
            _pump(data, process.stdin)
            process.stdin.close()

        def carry_errors():
            while piece := os.read(process.stderr.fileno(), 65536):
                _frame(talk, piece)

        def watch():
            with contextlib.suppress(OSError):
                talk.recv(1, socket.MSG_PEEK)  # it says nothing more: its end
            if not ended.is_set():
                process.kill()

        carriers = [threading.Thread(target=_quiet, args=(action,), daemon=True) for action in (carry_input, carry_errors, watch)]
        for carrier in carriers:
            carrier.start()
        try:
            _quiet(lambda: _pump(process.stdout, data))
            process.stdout.close()
            code = process.wait()
            carriers[1].join()
            return code if code >= 0 else 128 - code
        finally:
            ended.set()
            with self._lock:
                self._processes.discard(process)

    def _forward(self, connection, port):
        inside = _connect_inside(self.vm, port)
        with self._lock:
            self._open.add(inside)
        try:
            back = threading.Thread(target=_quiet, args=(lambda: _carry(inside, connection),), daemon=True)
            back.start()
            _quiet(lambda: _carry(connection, inside))
            back.join()
        finally:
            with self._lock:
                self._open.discard(inside)
            inside.close()


def _understand(arguments):
    """(distro, user, command) of wsl.exe's arguments, as the product uses them; no command: --list."""
    if arguments == ["--list", "--running", "--quiet"]:
        return None, None, None
    options, rest = {}, list(arguments)
    while rest and rest[0] in ("-d", "-u"):
        options[rest[0]] = rest[1]
        rest = rest[2:]
    if rest[:1] != ["--exec"] or not rest[1:] or "-d" not in options:
        raise ValueError(f"not understood: {arguments}")
    return options["-d"], options.get("-u", "root"), rest[1:]


def _connect_inside(vm, port):
    """A connection to 127.0.0.1:port in the VM's network namespace. A socket belongs to the namespace of the thread that makes it."""
    connection = []

    def make():
        with open(f"/proc/{vm.distro_pid('docker-desktop')}/ns/net", encoding="ascii") as namespace:
            kernel.setns(namespace.fileno(), kernel.CLONE_NEWNET)
        connection.append(socket.socket())

    thread = threading.Thread(target=lambda: _quiet(make))
    thread.start()
    thread.join()
    if not connection:
        raise ConnectionRefusedError("the VM doesn't run")
    connection[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection[0].connect(("127.0.0.1", port))
    return connection[0]


def _quiet(action):
    with contextlib.suppress(OSError, ValueError, VmError):  # ValueError: of a file that was closed
        action()


def _pump(source, sink):
    """All of `source` to `sink`, as it comes. Not by splice(2): that keeps the last bytes back for more (measured on Linux 6.18)."""
    buffer = memoryview(bytearray(_PIECE))
    while size := os.readv(source.fileno(), [buffer]):
        begin = 0
        while begin < size:
            begin += os.write(sink.fileno(), buffer[begin:size])


def _carry(source, sink):
    """One direction between sockets, and its end."""
    try:
        _pump(source, sink)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for either in (source, sink):
            with contextlib.suppress(OSError):
                either.shutdown(socket.SHUT_RDWR)


def _frame(connection, data):
    connection.sendall(b"E" + len(data).to_bytes(4, "big") + data)


def _exactly(connection, size):
    have = b""
    while len(have) < size:
        piece = connection.recv(size - len(have))
        if not piece:
            raise ConnectionError("ended early")
        have += piece
    return have


def _line(connection):
    line = b""
    while not line.endswith(b"\n"):
        line += _exactly(connection, 1)
        if len(line) > 200:
            raise ConnectionError("no line")
    return line.decode(errors="replace")
