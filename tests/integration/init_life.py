"""One life of `causeway init` with the fake agent of tests/support/programs/init_harness.cpp.

Each life has a folder, a network namespace and a cgroup of its own; close() ends what still runs and removes
them.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from polling import PATIENCE
from repository import support_program
from wslvm import cgroups, kernel

HARNESS = support_program("init_harness")


class Place:
    """What outlives one life: folder, cgroup. Lives in it can follow each other."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="causeway-init-")
        self.run = f"{self.folder}/run"
        self.data = f"{self.folder}/data"
        self.group = os.path.basename(self.folder)
        cgroups.create(self.group)
        self.lives = []

    def life(self, *options, **more):
        life = Life(self, *options, **more)
        self.lives.append(life)
        return life

    def mounts(self):
        """Mount points of this machine below our folder."""
        return [m["point"] for m in kernel.mount_points() if m["point"].startswith(self.folder)]

    def own_groups(self):
        """Where an init that is started here sits, in each hierarchy."""
        leaves = {f"{top}/init" if os.path.isdir(f"{top}/init") else top for top in cgroups.existing(self.group)}
        return sorted(leaves)

    def groups_below(self):
        """Groups that init made in ours."""
        return [f"{top}/{child}" for top in self.own_groups()
                for child in os.listdir(top) if child.startswith("causeway")]

    def close(self):
        for life in self.lives:
            life.kill()
        survivors = cgroups.kill_members(self.group)
        for point in reversed(self.mounts()):
            subprocess.run(["umount", "-l", point], check=False)
        stayed = cgroups.remove(self.group)
        shutil.rmtree(self.folder)
        assert not survivors and not stayed, f"left behind: {survivors} {stayed}"


class Life:
    """A running init. `prelude` is a shell text that is run in a mount namespace of its own before it."""

    def __init__(self, place, *options, prelude=None, arguments=None, wait=True):
        self.place = place
        self.lines = []
        self._news = threading.Condition()
        self._deaf = False
        membership = cgroups.open_membership(place.group)
        if arguments is None:
            arguments = [HARNESS, "init", "--run", place.run, "--data", place.data,
                         *(options if "--mode" in options else ("--mode", "plain", *options))]
        command = ["/usr/bin/unshare", "-n", "--", *arguments]
        if prelude is not None:
            command = ["/usr/bin/unshare", "-n", "-m", "--propagation", "private", "--", "/bin/sh", "-ec",
                       prelude + '\nexec "$@"', "sh", *arguments]
        # The leak check of a sanitizer build starts a thread, which the outer process can't: its children would
        # belong to a PID namespace that has ended.
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "halt_on_error=1"}
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, pass_fds=membership,
                                        preexec_fn=lambda: cgroups.join(membership))
        for fd in membership:
            os.close(fd)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if wait:
            self.info()

    def _read(self):
        for line in self.process.stderr:
            if self._deaf:
                break
            with self._news:
                self.lines.append((time.monotonic(), line.rstrip()))
                self._news.notify_all()
        self.process.stderr.close()
        with self._news:
            self._news.notify_all()

    def stop_reading(self):
        """Closes our end of its messages, once one more has come."""
        self._deaf = True
        self.kill_agent()
        self._reader.join(PATIENCE)

    def wait_line(self, pattern, count=1):
        """The times at which the first `count` lines with `pattern` came."""
        def found():
            return [at for at, line in self.lines if re.search(pattern, line)]
        with self._news:
            if not self._news.wait_for(lambda: len(found()) >= count or not self._reader.is_alive(), PATIENCE) \
                    or len(found()) < count:
                raise AssertionError(f"no line {pattern!r} ({count} times) in:\n{self.text()}")
            return found()[:count]

    def text(self):
        return "\n".join(line for _, line in self.lines)

    def wait_end(self):
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def stop(self, signal_number=signal.SIGTERM):
        self.process.send_signal(signal_number)
        return self.wait_end()

    def kill(self):
        """SIGKILL to PID 1 and the outer process, as no orderly end."""
        for pid in (self.pid_one(), self.process.pid if self.process.poll() is None else None):
            if pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.process.wait()

    def pid_one(self):
        """Host pid of PID 1, None when it is gone."""
        children = _children(self.process.pid)
        return children[0] if children else None

    def agent_pid(self):
        """Host pid of the agent."""
        inner = self.info()["pid"]
        for pid in _children(self.pid_one()):
            if kernel.namespace_pids(pid)[-1] == inner:
                return pid
        raise AssertionError("the agent is no child of PID 1")

    def kill_agent(self):
        os.kill(self.agent_pid(), signal.SIGKILL)

    def ask(self, command):
        """The fake agent's answer. While no agent runs the question waits in the socket's backlog."""
        if not self._deaf:
            self.wait_line(r"init\.started")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(f"/proc/{self.process.pid}/root{self.place.run}/control.sock")
            client.sendall(command.encode())
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while block := client.recv(65536):
                answer += block
            return answer.decode()

    def info(self):
        return json.loads(self.ask("info"))

    def shell(self, command):
        return self.ask("sh " + command)


def _children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
