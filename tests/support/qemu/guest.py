"""A machine of its own under QEMU (emulated, so it needs no hardware for it): a real kernel, our init as its PID 1.

    with Guest(images.machine_root(agent), ["/usr/bin/causeway", "init", ...]) as guest:
        guest.console.wait("init.started")
        assert guest.run(["uname", "-s"]).out == b"Linux\\n"
        assert guest.call(function_without_outside_names, 3) == ...      # its source runs in the guest, with JSON both ways

Commands run in a second process of the guest, driver.py, in a mount namespace of its own: PID 1's files are at
/proc/1/root. It has Python, the docker CLI and link_client from a disk of its own. There is no network card; AF_VSOCK
leads to the guest itself (CID 1). Nothing outside is touched, and QEMU dies with the process that made it.
"""

import base64
import contextlib
import dataclasses
import inspect
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import textwrap
import threading
import time

from wslvm.kernel import die_with_parent

from . import images, kernel, parts
from .parts import Missing

_HERE = os.path.dirname(os.path.realpath(__file__))
_APPLETS = ["sh", "mount", "umount", "insmod", "cat", "cp", "env", "mkdir", "mkfifo", "poweroff", "switch_root", "chroot", "unshare"]
_BOOT_SECONDS = 120  # an emulated kernel boots in 2 to 5 s on an idle machine
_MEMORY_MB = 1536
_FOLDERS = "causeway-qemu-"


def missing():
    """Why there can't be a guest here; None when there can."""
    try:
        for name in ("qemu-system-x86_64", "cpio", "mkfs.ext4", "busybox", "depmod", "apt-get", "dpkg"):
            parts.program(name)
        kernel.find()
    except Missing as reason:
        return str(reason)
    return None


class Console:
    """What the guest writes to its serial port: (seconds since the start, line)."""

    def __init__(self, pipe, began):
        self.lines, self.ended = [], False
        self._pipe, self._began = pipe, began
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._pipe:
            with self._changed:
                self.lines.append((time.monotonic() - self._began, line.decode(errors="replace").rstrip("\r\n")))
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def find(self, pattern, since=0):
        """(seconds, match) of the first line from number `since` on in which the regular expression is found; or None."""
        return next(((when, found) for when, line in self.lines[since:] if (found := re.search(pattern, line))), None)

    def wait(self, pattern, timeout=_BOOT_SECONDS, since=0):
        with self._changed:
            self._changed.wait_for(lambda: self.ended or self.find(pattern, since), timeout)
            found = self.find(pattern, since)
        assert found, f"the console doesn't say {pattern!r} within {timeout} s\n{self.text()}"
        return found

    def text(self):
        return "\n".join(f"{when:7.3f} {line}" for when, line in self.lines)


@dataclasses.dataclass
class Done:
    """The end of a command in the guest."""

    code: int
    out: bytes
    err: bytes


class Guest:
    """`root`: a disk image, of which a copy is used; `command`: what becomes PID 1 in it. `files`: {path: text} put on it
    before. `hierarchies`: control groups of version 1 that are there before PID 1 starts."""

    def __init__(self, root, command, files=None, hierarchies=(), seconds=400):
        self.kernel = kernel.find()
        _sweep()
        self.folder = tempfile.mkdtemp(prefix=f"{_FOLDERS}{os.getpid()}-", dir="/var/tmp")
        try:
            self.disk = f"{self.folder}/root.img"
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", root, self.disk], check=True)
            self._boot = (self._initramfs(command, files or {}, hierarchies), images.tools(self.kernel), seconds)
            self._start(*self._boot)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _initramfs(self, command, files, hierarchies):
        tree = f"{self.folder}/initramfs"
        for name in ("bin", "dev", "proc", "sys", "tools", "root", "modules"):
            os.makedirs(f"{tree}/{name}")
        shutil.copy2(f"{_HERE}/initramfs.sh", f"{tree}/init")
        os.chmod(f"{tree}/init", 0o755)
        shutil.copy2(parts.program("busybox"), f"{tree}/bin/busybox")
        for applet in _APPLETS:
            os.symlink("busybox", f"{tree}/bin/{applet}")
        for number, module in enumerate(self.kernel.boot_modules()):
            shutil.copy2(module, f"{tree}/modules/{number:02}-{os.path.basename(module)}")
        _write(f"{tree}/command", "\n".join(command) + "\n")
        _write(f"{tree}/hierarchies", "\n".join(hierarchies))
        for path, text in files.items():
            _write(f"{tree}/overlay{path}", text)
        names = subprocess.run(["find", "."], cwd=tree, check=True, capture_output=True).stdout
        archive = f"{self.folder}/initramfs.cpio"
        with open(archive, "wb") as out:
            subprocess.run([parts.program("cpio"), "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=tree, input=names, stdout=out,
                           check=True)
        shutil.rmtree(tree)
        return archive

    def _start(self, initramfs, tools, seconds):
        self._port, inside = socket.socketpair()
        with inside:
            self.began = time.monotonic()
            self.process = subprocess.Popen(
                # One processor: with two that are emulated in parallel, a boot in twenty hung (each waits for the other's answer
                # to an interrupt), and all took more time.
                [parts.program("qemu-system-x86_64"), "-accel", "tcg", "-cpu", "max", "-m", str(_MEMORY_MB),
                 "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none",
                 "-kernel", self.kernel.image, "-initrd", initramfs,
                 # The processor's own counter is measured at boot, and on a busy machine wrongly: then the guest's clock runs at
                 # some other speed. An init that dies is a panic, which ends QEMU. WSL's kernel has no AppArmor, whose parser dockerd would need.
                 "-append", "console=ttyS0 quiet panic=-1 apparmor=0 notsc no_timer_check",
                 "-drive", f"if=none,id=tools,format=raw,readonly=on,file={tools}", "-device", "virtio-blk-pci,drive=tools,serial=tools",
                 "-drive", f"if=none,id=root,format=raw,cache=unsafe,file={self.disk}", "-device", "virtio-blk-pci,drive=root,serial=root",
                 "-device", "virtio-serial-pci", "-chardev", f"socket,id=driver,fd={inside.fileno()}",
                 "-device", "virtserialport,chardev=driver,name=driver", "-serial", "stdio"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[inside.fileno()],
                preexec_fn=lambda: die_with_parent(signal.SIGKILL))
        self.console = Console(self.process.stdout, self.began)
        self._timer = threading.Timer(seconds, self.process.kill)
        self._timer.daemon = True
        self._timer.start()
        self._answers, self._waiting, self._next = {}, threading.Condition(), 1
        self._ready = self._gone = False
        threading.Thread(target=self._read_answers, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def cut_power(self):
        """And boots again, from the same disk."""
        self._end()
        self._start(*self._boot)

    def _end(self):
        self._timer.cancel()
        self.process.kill()
        self.process.wait()
        self._port.close()

    def close(self):
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_end(self, timeout=60):
        """Until the guest has powered off; QEMU's exit code."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the guest still runs after {timeout} s\n{self.console.text()}") from None

    # -- commands in the guest ---------------------------------------------------------------------

    def _read_answers(self):
        with contextlib.suppress(OSError), self._port.makefile("rb") as lines:
            for line in lines:
                answer = json.loads(line)
                with self._waiting:
                    if "ready" in answer:
                        self._ready = True
                    else:
                        self._answers[answer["id"]] = answer
                    self._waiting.notify_all()
        with self._waiting:
            self._gone = True
            self._waiting.notify_all()

    def begin(self, argv, data=b"", timeout=60, environment=None):
        """Starts a command; its number for end()."""
        with self._waiting:
            self._waiting.wait_for(lambda: self._ready or self._gone, _BOOT_SECONDS)
            assert self._ready and not self._gone, f"the guest's driver isn't there\n{self.console.text()}"
            number, self._next = self._next, self._next + 1
        self._port.sendall((json.dumps({"id": number, "argv": argv, "input": base64.b64encode(data).decode(), "timeout": timeout,
                                        "environment": environment or {}}) + "\n").encode())
        return number

    def end(self, number, timeout=90, check=True):
        with self._waiting:
            self._waiting.wait_for(lambda: number in self._answers or self._gone, timeout)
            answer = self._answers.pop(number, None)
        assert answer, f"no answer of command {number}\n{self.console.text()}"
        done = Done(answer["code"], base64.b64decode(answer["out"]), base64.b64decode(answer["err"]))
        assert not check or done.code == 0, f"{done}\n{self.console.text()}"
        return done

    def run(self, argv, data=b"", timeout=60, check=True, environment=None):
        return self.end(self.begin(argv, data, timeout, environment), timeout + 30, check)

    def call(self, function, *arguments, timeout=60):
        """`function`, whose source uses no outside name, run in the guest; arguments and value pass as JSON."""
        source = textwrap.dedent(inspect.getsource(function))
        code = f"import json, sys\n{source}\nprint(json.dumps({function.__name__}(*json.loads(sys.argv[1]))))\n"
        done = self.run(["/usr/bin/python3", "-c", code, json.dumps(arguments)], timeout=timeout, check=False)
        assert done.code == 0, f"{function.__name__}: exit code {done.code}\n{done.err.decode()}\n{self.console.text()}"
        return json.loads(done.out.splitlines()[-1])


def _sweep():
    """Removes what processes left that were killed; their guests died with them."""
    for name in os.listdir("/var/tmp"):
        owner = re.fullmatch(_FOLDERS + r"(\d+)-.*", name)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            shutil.rmtree(f"/var/tmp/{name}", ignore_errors=True)


def _write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
