"""A file system in a distro that a test can silence, as a network share whose server is away: FUSE, by /dev/fuse alone.

It holds the folder "d" with the file "f" ("live\\n"). Nothing of it may be kept by the kernel: each look is a question. As a program it
serves the mount, in the namespace of --pid or its own, and takes lines: "silence", "answer". It prints "mounted", then each
command when it is carried out, and "unanswered" for each question that it keeps. Its end is the mount's end.
"""

import argparse
import ctypes
import os
import select
import signal
import stat
import struct
import subprocess
import sys

# linux/fuse.h, protocol 7.31.
LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 17, 18, 25, 26
OPENDIR, READDIR, RELEASEDIR, INTERRUPT, DESTROY, BATCH_FORGET = 27, 28, 29, 36, 38, 42
WITHOUT_ANSWER = (FORGET, BATCH_FORGET, INTERRUPT)
ENOENT, ENOSYS = 2, 38
ROOT, FOLDER, FILE = 1, 2, 3
CONTENT = b"live\n"
NAMES = {ROOT: {b"d": FOLDER}, FOLDER: {b"f": FILE}, FILE: {}}


class Server:
    def __init__(self, fd):
        self.fd = fd
        self.silent = False
        self.kept = []

    def reply(self, unique, body=b"", error=0):
        try:
            os.write(self.fd, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)
        except FileNotFoundError:
            pass  # who asked was killed meanwhile

    @staticmethod
    def attributes(node):
        mode, size, links = (0o100644, len(CONTENT), 1) if node == FILE else (0o040755, 0, 2)
        return struct.pack("<6Q10I", node, size, 0, 0, 0, 0, 0, 0, 0, mode, links, 0, 0, 0, 4096, 0)

    def on_request(self, request):
        _, operation, unique, node = struct.unpack_from("<IIQQ", request)
        if operation in WITHOUT_ANSWER:
            return
        if self.silent and operation != INIT:
            self.kept.append(request)
            print("unanswered", operation, flush=True)
            return
        self.answer(operation, unique, node, request[40:])

    def answer(self, operation, unique, node, body):
        if operation == INIT:
            self.reply(unique, struct.pack("<4I2H2I2H8I", 7, 31, 65536, 0, 12, 10, 65536, 1, 0, 0, *[0] * 8))
        elif operation == LOOKUP:
            found = NAMES.get(node, {}).get(body.rstrip(b"\0"))
            if found is None:
                self.reply(unique, error=ENOENT)
            else:
                self.reply(unique, struct.pack("<4Q2I", found, 0, 0, 0, 0, 0) + self.attributes(found))
        elif operation == GETATTR:
            self.reply(unique, struct.pack("<Q2I", 0, 0, 0) + self.attributes(node))
        elif operation in (OPEN, OPENDIR):
            self.reply(unique, struct.pack("<Q2I", 0, 0, 0))
        elif operation == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            self.reply(unique, CONTENT[offset:offset + size])
        elif operation == READDIR:
            _, offset, _ = struct.unpack_from("<QQI", body)
            self.reply(unique, b"" if offset else self.listing(node))
        elif operation == STATFS:
            self.reply(unique, struct.pack("<5Q3I", 1, 1, 1, 1, 1, 512, 255, 512) + bytes(28))
        elif operation in (RELEASE, RELEASEDIR, FLUSH, DESTROY):
            self.reply(unique)
        else:
            self.reply(unique, error=ENOSYS)

    @staticmethod
    def listing(node):
        out = b""
        for number, (name, found) in enumerate([(b".", node), (b"..", ROOT), *NAMES[node].items()], 1):
            entry = struct.pack("<2Q2I", found, number, len(name), 8 if found == FILE else 4) + name
            out += entry + bytes(-len(entry) % 8)
        return out

    def on_command(self, command):
        self.silent = command == "silence"
        if not self.silent:
            for request in self.kept:
                self.on_request(request)
            self.kept.clear()
        print(command, flush=True)

    def serve(self):
        os.set_blocking(self.fd, False)
        while True:
            ready = select.select([self.fd, sys.stdin], [], [])[0]
            if sys.stdin in ready:
                line = sys.stdin.readline()
                if not line:
                    return
                self.on_command(line.strip())
            if self.fd in ready:
                try:
                    self.on_request(os.read(self.fd, 1 << 20))
                except (BlockingIOError, InterruptedError, FileNotFoundError):
                    pass
                except OSError:
                    return  # unmounted


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pid", type=int, help="a process in the mount namespace")
    parser.add_argument("--block", help="a block device: such a file system is told of its end, and the kernel waits for the answer")
    parser.add_argument("point")
    options = parser.parse_args(arguments)
    fd = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    number = os.stat(options.block).st_rdev if options.block else 0
    if options.pid:
        with open(f"/proc/{options.pid}/ns/mnt", "rb") as there:
            libc.setns(there.fileno(), 0)
    data = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other" + (",blksize=512" if options.block else "")
    kind, source = ("fuseblk", "/dev/test-share") if options.block else ("fuse.test", "test")
    if options.block:
        os.mknod(source, 0o600 | stat.S_IFBLK, number)
    failed = libc.mount(source.encode(), options.point.encode(), kind.encode(), 0, data.encode()) != 0
    if options.block:
        os.unlink(source)
    if failed:
        print("mount:", os.strerror(ctypes.get_errno()), flush=True)
        return 1
    libc.setns(own, 0)  # nothing of the distro is held
    os.chdir("/")
    os.close(own)
    print("mounted", flush=True)
    Server(fd).serve()
    return 0


class FuseShare:
    """One, mounted at `point` of a distro. `inside`: its server is a process of the distro, and ends with it. `block`: a block device
    below it; the kernel then waits for the server when the file system ends."""

    def __init__(self, vm, distro, point, inside=False, block=None):
        self.vm, self.distro, self.point = vm, distro, point
        vm.exec(distro, ["mkdir", "-p", point])
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        if inside:
            with open(__file__, encoding="utf-8") as source:
                self.process = vm.popen(distro, ["python3", "-c", source.read(), point], text=True, **pipes)
        else:
            command = [sys.executable, __file__, "--pid", str(vm.distro_pid(distro)), *(["--block", block] if block else []), point]
            self.process = subprocess.Popen(command, text=True, **pipes)
        self._expect("mounted")

    def _expect(self, what):
        for line in self.process.stdout:
            if line.strip() == what:
                return
        raise AssertionError(f"{self.point}: the server ended before it said {what}")

    def _command(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        self._expect(command)

    def silence(self):
        """It takes questions and answers none."""
        self._command("silence")

    def answer(self):
        """It answers what was asked meanwhile, and all that comes."""
        self._command("answer")

    def unmount(self):
        """Lazily, as `umount -l` does; that program would ask the file system first."""
        with open(f"/proc/{self.vm.distro_pid(self.distro)}/ns/mnt", "rb") as there:
            script = f"import ctypes; libc = ctypes.CDLL(None); libc.setns({there.fileno()}, 0); libc.umount2({self.point.encode()!r}, 2)"
            subprocess.run([sys.executable, "-c", script], pass_fds=[there.fileno()], check=True)

    def end(self):
        """The server ends: all who wait get an error. What is left is a mount without one."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self.process.stdin.close()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        if self.vm.status()["distros"][self.distro]["running"]:
            self.unmount()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
