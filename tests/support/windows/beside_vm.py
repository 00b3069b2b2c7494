"""Windows beside a simulated VM that runs: causeway.exe in a Wine prefix, with wsl.exe's stand-in. For `packaging/try windows`.

What it makes lies in the VM's folder, in `windows`; `down` ends and removes all of it.
"""

import contextlib
import os
import shlex
import socket
import subprocess
import sys

from polling import poll
from wslvm.vm import COMMAND, Vm

from . import wine
from .causeway_exe import ELEVATED, Causeway, add_distro
from .wsl_service import PLACE, WslService

_CONNECT_SECONDS = 90  # the engine may just be starting


class Failed(Exception):
    pass


def folder(state):
    return os.path.join(state, "windows")


def up(state):
    for path in (*wine.missing(), *(path for path in (wine.PRODUCT, wine.PROGRAMS) if not os.path.exists(path))):
        raise Failed(f"{path} is missing")
    vm = Vm(state)
    distros = vm.status()["distros"]
    fresh = not os.path.isdir(folder(state))
    os.makedirs(folder(state), mode=0o700, exist_ok=True)
    prefix = wine.Prefix(folder(state))
    if not _asks_service(prefix, "hello"):
        _start_service(state)
    if fresh:
        for name in distros:
            add_distro(prefix, name, uid=0 if name == "docker-desktop" else 1000)
    causeway = Causeway(prefix)
    causeway("start", ELEVATED)
    poll(lambda: causeway("status", check=False).returncode == 0,
         lambda: "causeway.exe connects:\n" + causeway("status", check=False).stdout, _CONNECT_SECONDS)
    print(causeway("status").stdout, end="")


def env(state):
    if not os.path.isdir(folder(state)):
        raise Failed("Windows doesn't run beside it: packaging/try windows")
    prefix = wine.Prefix(folder(state))
    for name, value in (("WINEPREFIX", prefix.environment["WINEPREFIX"]), ("WINEDEBUG", "-all"), ("WINE", wine.WINE),
                        ("CAUSEWAY_EXE", wine.PRODUCT), ("CAUSEWAY_PIPE", r"\\.\pipe\docker_engine")):
        print(f"export {name}={shlex.quote(value)}")


def down(state):
    if not os.path.isdir(folder(state)):
        return
    prefix = wine.Prefix(folder(state))
    Causeway(prefix)("stop", check=False)
    _asks_service(prefix, "end")
    prefix.end()


def serve(state, ready):
    service = WslService(Vm(state))
    service.install(wine.Prefix(folder(state)).drive_c)
    os.write(ready, b"ready")
    os.close(ready)
    service.wait()
    service.close()


def _start_service(state):
    read, write = os.pipe()
    with open(os.path.join(folder(state), "wsl.log"), "ab") as log:
        subprocess.Popen([COMMAND, "windows", "--state", state, "serve", str(write)], pass_fds=[write], start_new_session=True,
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    os.close(write)
    with os.fdopen(read, "rb") as ready:
        if ready.read() != b"ready":
            raise Failed(f"wsl.exe's side did not start: see {log.name}")


def _asks_service(prefix, word):
    """Whether it is there. It answers `hello` and closes; to `end`, it ends, and so does the connection."""
    with contextlib.suppress(OSError, ValueError):
        with open(os.path.join(prefix.drive_c, PLACE), encoding="ascii") as file:
            port, token = file.read().split()
        with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection:
            connection.sendall(f"{word} {token}\n".encode())
            return connection.recv(10) == b"here\n" and connection.recv(1) == b""
    return False


def run(action, state, ready=None):
    """What tests/wslvm does for `windows`. Exit code: 0 done, 1 failed."""
    try:
        if action == "serve":
            serve(state, ready)
        else:
            {"up": up, "env": env, "down": down}[action](state)
    except (Failed, AssertionError) as error:
        print(f"wslvm windows: {error}", file=sys.stderr)
        return 1
    return 0
