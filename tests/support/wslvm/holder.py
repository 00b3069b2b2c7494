"""The VM itself: process 1 of the VM's PID namespace, which holds its mounts and starts its distros.

`python3 -m wslvm.holder STATE_DIR READY_FD ALIVE_LOCK_FD`, started by vm.py inside fresh mount, PID, network, UTS, IPC and
cgroup namespaces. When it ends, however it ends, the kernel ends every process of the VM and drops all its mounts and
loop devices.
Requests come as one JSON line per connection on STATE/control.sock, in order.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time

from . import cgroups, distro, enter, kernel
from .starter import Helpers

_DISK_RELEASE_SECONDS = 3.0
_KILL_SECONDS = 10.0


class Holder:
    def __init__(self, state_dir):
        self.state_dir = state_dir
        with open(f"{state_dir}/config.json", encoding="utf-8") as file:
            self.config = json.load(file)
        self.stage = f"{state_dir}/stage"
        self.hierarchies = cgroups.hierarchies()
        self.distros = {}  # name -> facts of its present or last life
        self.boots = {}  # pid of a boot command as we see it -> distro name
        self.membership = cgroups.open_membership(self.config["id"])
        self.listener = None
        self.helpers = None  # there once <wsl> is

    # Set-up -----------------------------------------------------------------------------------------

    def set_up(self):
        kernel.set_propagation("/", kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.sethostname("wsl-vm")
        self._set_up_network()
        os.makedirs(self.stage, exist_ok=True)
        kernel.mount("none", self.stage, "tmpfs", 0, "mode=700")
        for folder in ("wsl", "drive-c", "drive-c-disk", "disk", "root"):
            os.mkdir(f"{self.stage}/{folder}")
        kernel.mount("none", f"{self.stage}/wsl", "tmpfs", 0, "mode=1777")
        kernel.set_propagation(f"{self.stage}/wsl", kernel.MS_SHARED)
        with open(f"{self.stage}/wsl/resolv.conf", "w", encoding="ascii") as file:
            file.write("nameserver 10.255.255.254\n")
        self._mount_drive()
        self.helpers = Helpers(f"{self.stage}/wsl", f"{self.state_dir}/log", self.config["bootstrap"], self.membership)
        path = f"{self.state_dir}/control.sock"
        if os.path.lexists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # By the working directory: /proc isn't that of this process's namespace yet.
        before = os.getcwd()
        os.chdir(self.state_dir)
        self.listener.bind("control.sock")
        os.chdir(before)
        os.chmod(path, 0o600)
        self.listener.listen(64)

    def _mount_drive(self):
        """Windows' drive C: a disk that outlives the VM, shown with the source that drvfs shows."""
        device, fd = kernel.attach_loop(f"{self.state_dir}/disks/drive-c.img")
        disk = f"{self.stage}/drive-c-disk"
        kernel.mount(device, disk, "ext4", kernel.MS_NOATIME, "discard")
        os.close(fd)
        for folder in ("empty", "files", "work"):
            os.makedirs(f"{disk}/{folder}", exist_ok=True)
        os.chmod(f"{disk}/files", 0o777)
        kernel.mount("C:\\", f"{self.stage}/drive-c", "overlay", kernel.MS_NOATIME,
                     f"lowerdir={disk}/empty,upperdir={disk}/files,workdir={disk}/work,index=off,xino=off")
        for folder in ("Windows/System32", "Users/dev"):
            os.makedirs(f"{self.stage}/drive-c/{folder}", exist_ok=True)
        for folder in ("Users", "Users/dev"):
            os.chmod(f"{self.stage}/drive-c/{folder}", 0o777)

    def _set_up_network(self):
        """As in WSL: lo, eth0 with an address and a default route. The other end of the pair leads nowhere."""
        for arguments in ("link set lo up", "link add eth0 type veth peer name windows",
                          "link set windows up", "addr add 172.30.99.2/24 dev eth0", "link set eth0 up",
                          "route add default via 172.30.99.1"):
            subprocess.run(["ip", *arguments.split()], check=True, stdin=subprocess.DEVNULL)

    # Distros ----------------------------------------------------------------------------------------

    def start(self, name, helper=True):
        """Starts the distro, its boot command and, if the VM integrates distros and `helper`, `causeway distro`;
        joins a running one."""
        facts = self.distros.get(name)
        if facts and facts["running"]:
            return facts
        spec = {"name": name, "kind": distro.kind_of(name), "wsl_root": self.config["wsl_root"],
                "causeway": self.config["causeway"], "etc": self.config["etc"], "boot": self.config["boot"],
                "rootfs": self.config["rootfs"], "helpers": bool(self.config["bootstrap"])}
        lives = facts["lives"] + 1 if facts else 1
        spec["device"], disk = self._disk(name, facts)
        try:
            pid, host_pid = self._fork_distro(spec)
        except Exception:
            os.close(disk)
            raise
        facts = {"name": name, "kind": spec["kind"], "running": True, "lives": lives, "pid": pid,
                 "host_pid": host_pid, "start_time": kernel.start_time(host_pid), "started_at": time.time(),
                 "device": spec["device"], "disk_fd": disk, "boot": None, "helper": None}
        facts["device_numbers"] = self._device_numbers(facts)
        self.distros[name] = facts
        command = distro.boot_command(spec)
        if command:
            self._start_boot(facts, command)
        if spec["kind"] == "docker-desktop":
            self._link_engine_sockets(host_pid)
        elif spec["helpers"] and helper:
            self.helpers.add(facts)
        return facts

    def start_helper(self, name):
        facts = self.distros.get(name)
        if not facts or not facts["running"]:
            raise KeyError(f"distro {name} does not run")
        if facts["helper"]:
            self.helpers.start(name)
        else:
            self.helpers.add(facts)
        return _public(facts)

    def _disk(self, name, facts):
        image = f"{self.state_dir}/disks/{name}.img"
        for device in kernel.loops_backed_below(f"{self.state_dir}/disks"):
            # Still attached: somebody kept the file system of an earlier life in use.
            with open(f"/sys/block/{device[5:]}/loop/backing_file", encoding="utf-8") as file:
                if file.read().rstrip("\n") == os.path.realpath(image):
                    return device, os.open(device, os.O_RDWR | os.O_CLOEXEC)
        return kernel.attach_loop(image)

    def _fork_distro(self, spec):
        """Returns the pid of the distro's process 1 as we and as the machine see it."""
        report_read, report_write = os.pipe2(os.O_CLOEXEC)
        middle = os.fork()
        if middle == 0:
            try:
                kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWUTS
                               | kernel.CLONE_NEWIPC)
                child = os.fork()
                if child == 0:
                    self._distro_child(spec, report_write)
                os.write(report_write, f"pid {child}\n".encode())
                os._exit(0)
            except BaseException as error:  # pylint: disable=broad-except
                os.write(report_write, f"error {error}\n".encode())
                os._exit(1)
        os.close(report_write)
        os.waitpid(middle, 0)
        # End of file is the exec of the distro's init, or its death.
        with os.fdopen(report_read, encoding="utf-8") as report:
            lines = dict(line.rstrip("\n").split(" ", 1) for line in report)
        if "error" in lines or "pid" not in lines or "host-pid" not in lines:
            raise RuntimeError(f"distro {spec['name']}: {lines.get('error', 'its init did not start')}")
        return int(lines["pid"]), int(lines["host-pid"])

    def _distro_child(self, spec, report):
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            os.write(report, f"host-pid {kernel.own_host_pid()}\n".encode())
            distro.enter(spec, self.stage, self.hierarchies)
            distro.exec_init(spec)
        except BaseException as error:  # pylint: disable=broad-except
            os.write(report, f"error {error}\n".encode())
            os._exit(1)

    def _start_boot(self, facts, command):
        os.makedirs(f"{self.state_dir}/log", exist_ok=True)
        log = os.open(f"{self.state_dir}/log/{facts['name']}.boot.log",
                      os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        session = enter.Session(facts["pid"], argv=command, distro=facts["name"], new_session=True,
                                stdio=(null, log, log))
        pid, _ = session.spawn(self.membership)
        os.close(log)
        os.close(null)
        facts["boot"] = {"pid": pid, "argv": command, "running": True, "status": None,
                         "log": f"{self.state_dir}/log/{facts['name']}.boot.log"}
        self.boots[pid] = facts["name"]

    def _link_engine_sockets(self, host_pid):
        """Stable names for the machine's own tools: the paths through /proc change with each start."""
        for name in ("engine.sock", "dockerd.sock", "control.sock", "link.sock", "api"):
            link = f"{self.state_dir}/run/{name}"
            os.makedirs(os.path.dirname(link), exist_ok=True)
            if os.path.lexists(link):
                os.unlink(link)
            os.symlink(f"/proc/{host_pid}/root/run/causeway/{name}", link)

    def _device_numbers(self, facts):
        numbers = {os.stat(facts["device"]).st_rdev}
        for folder in ("/", "/versions/dev"):
            try:
                numbers.add(os.stat(f"/proc/{facts['host_pid']}/root{folder}").st_dev)
            except OSError:
                pass
        return sorted(numbers)

    def stop(self, name, clean_shutdown=False):
        """`wsl --terminate`: kills all of the distro, then says if its disk is released or busy."""
        facts = self.distros.get(name)
        if not facts:
            raise KeyError(f"no distro named {name}")
        if facts["running"]:
            if clean_shutdown:
                self._unmount_all_below_wsl(facts)
            os.kill(facts["pid"], signal.SIGKILL)
            deadline = time.monotonic() + _KILL_SECONDS
            while facts["running"]:
                if not self.reap():
                    if time.monotonic() > deadline:
                        raise RuntimeError(f"distro {name}: its processes do not end")
                    signal.sigtimedwait([signal.SIGCHLD], 0.05)
        return self._release_disk(facts)

    def _unmount_all_below_wsl(self, facts):
        """A clean shutdown of a systemd distro does this, to the harm of all others (WSL#41084)."""
        root = self.config["wsl_root"] + "/"
        points = [m["point"] for m in kernel.mount_points(facts["host_pid"]) if m["point"].startswith(root)]
        for point in reversed(points):
            session = enter.Session(facts["pid"], argv=["umount", point], distro=facts["name"])
            pid, _ = session.spawn(self.membership)
            os.waitpid(pid, 0)

    def _release_disk(self, facts):
        if facts["disk_fd"] is None:
            return {"name": facts["name"], "disk": "released"}
        deadline = time.monotonic() + _DISK_RELEASE_SECONDS
        # The kernel drops a dead namespace's mounts a moment later and tells nobody.
        while not kernel.loop_is_free(facts["disk_fd"]):
            if time.monotonic() > deadline:
                return {"name": facts["name"], "disk": "busy", "device_numbers": facts["device_numbers"]}
            self.reap()
            time.sleep(0.005)
        os.close(facts["disk_fd"])  # the last user: the device detaches itself
        facts["disk_fd"] = None
        return {"name": facts["name"], "disk": "released"}

    # Events -----------------------------------------------------------------------------------------

    def reap(self):
        """Reaps what has ended; False if nothing had."""
        reaped = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return reaped
            if pid == 0:
                return reaped
            reaped = True
            for facts in self.distros.values():
                if facts["running"] and facts["pid"] == pid:
                    facts["running"] = False
                    self.helpers.remove(facts["name"])
            if self.helpers.ended(pid, status):
                continue
            owner = self.boots.pop(pid, None)
            if owner and self.distros[owner]["boot"]["pid"] == pid:
                self.distros[owner]["boot"].update(running=False, status=os.waitstatus_to_exitcode(status))

    def status(self):
        return {"id": self.config["id"], "state": self.state_dir, "holder": kernel.own_host_pid(),
                "wsl_root": self.config["wsl_root"], "causeway": self.config["causeway"],
                "distros": {name: _public(facts) for name, facts in self.distros.items()}}

    def answer(self, request):
        operation = request["op"]
        if operation == "status":
            return self.status()
        if operation == "start":
            return _public(self.start(request["name"], request.get("helper", True)))
        if operation == "start_helper":
            return _public(self.start_helper(request["name"]))
        if operation == "stop":
            return self.stop(request["name"], request.get("clean_shutdown", False))
        raise ValueError(f"unknown operation {operation}")

    def serve_one(self):
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(5)
            try:
                with connection.makefile("rb") as stream:
                    request = json.loads(stream.readline())
                try:
                    reply = {"ok": self.answer(request)}
                except Exception as error:  # pylint: disable=broad-except
                    reply = {"error": str(error) or type(error).__name__}
                connection.sendall(json.dumps(reply).encode() + b"\n")
            except (OSError, ValueError):
                pass  # the client left, or sent no request

    def run(self):
        wakeup_read, wakeup_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
        selector = selectors.DefaultSelector()
        selector.register(self.listener, selectors.EVENT_READ)
        selector.register(wakeup_read, selectors.EVENT_READ)
        selector.register(self.helpers.fd, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(self.helpers.seconds_to_next()):
                if key.fileobj is self.listener:
                    self.serve_one()
                elif key.fileobj == wakeup_read:
                    os.read(wakeup_read, 4096)
            self.reap()
            self.helpers.act()


def _public(facts):
    return {key: value for key, value in facts.items() if key != "disk_fd"}


def main():
    state_dir, ready, alive_lock = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(ready, False)
    os.set_inheritable(alive_lock, False)  # held until we end: this is how others know that the VM lives
    os.chdir("/")
    try:
        holder = Holder(state_dir)
        holder.set_up()
        os.write(ready, f"ok {kernel.own_host_pid()}\n".encode())
    except BaseException as error:  # pylint: disable=broad-except
        os.write(ready, f"error {error}\n".encode())
        raise
    os.close(ready)
    holder.run()


if __name__ == "__main__":
    main()
