"""A place where engines can run and from which nothing stays behind.

The bench calls itself again inside new mount, network, PID, IPC and cgroup namespaces. All files live on
tmpfs mounts of that namespace, all cgroups below one of our own; both PID namespace and `--pdeathsig` end
everything when the outer process goes, however it goes. What a killed run cannot remove itself (its empty
cgroups) carries its pid and is swept by the next one.
"""
import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import sys

PREFIX = "causeway-bench-"
libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, fstype, options=""):
    if libc.mount(source.encode(), target.encode(), fstype.encode(), 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {fstype} on {target}: {os.strerror(ctypes.get_errno())}")


def hierarchies():
    """(mount point, file system type, options for mounting it again) of each cgroup hierarchy."""
    found = {}
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            left, right = line.split(" - ")
            fstype, _, super_options = right.split()[:3]
            if fstype in ("cgroup", "cgroup2"):
                keep = [o for o in super_options.split(",") if o not in ("rw", "ro")]
                found[left.split()[4]] = (fstype, ",".join(keep) if fstype == "cgroup" else "")
    return [(point, *rest) for point, rest in found.items()]


def remove_cgroup(path):
    for parent, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(parent)
        except OSError:
            pass


def sweep():
    for point, _, _ in hierarchies():
        for name in os.listdir(point):
            pid = name[len(PREFIX):]
            if name.startswith(PREFIX) and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
                remove_cgroup(os.path.join(point, name))


def own_cgroups():
    paths = [os.path.join(point, PREFIX + str(os.getpid())) for point, _, _ in hierarchies()]
    for path in paths:
        os.makedirs(path, exist_ok=True)
        parent = os.path.dirname(path)
        for name in ("cpuset.cpus", "cpuset.mems"):  # v1: empty ones take no process
            if os.path.exists(f"{path}/{name}") and os.path.exists(f"{path}/cgroup.clone_children"):
                with open(f"{parent}/{name}") as source, open(f"{path}/{name}", "w") as target:
                    target.write(source.read())
        if os.path.exists(f"{path}/cgroup.clone_children"):
            with open(f"{path}/cgroup.clone_children", "w") as target:
                target.write("1")
    return paths


def run_inside(arguments):
    """Runs this program again with `arguments` in the sandbox; returns its exit code."""
    sweep()
    paths = own_cgroups()

    def join():
        for path in paths:
            with open(f"{path}/cgroup.procs", "w") as procs:
                procs.write("0")

    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--ipc", "--cgroup",
               "--fork", "--kill-child", "--mount-proc", sys.executable, *arguments]
    child = subprocess.Popen(command, preexec_fn=join)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: child.kill())
    try:
        code = child.wait()
        return code if code >= 0 else 128 - code
    finally:
        for path in paths:
            wait_empty(path)
            remove_cgroup(path)


def wait_empty(path):
    """The namespace's processes are dying when its first one is reaped; their cgroup empties just after."""
    for parent, _, _ in os.walk(path):
        for pid in open(f"{parent}/cgroup.procs").read().split():
            try:
                fd = os.pidfd_open(int(pid))
            except OSError:
                continue
            select.select([fd], [], [], 10)
            os.close(fd)


def set_up(paths):
    """Inside: tmpfs on each of `paths` that exists, cgroups seen from our own root, loopback up."""
    for path in paths:
        if os.path.isdir(path):
            mount("tmpfs", path, "tmpfs", "mode=0755")
    points = hierarchies()
    if any(fstype == "cgroup" for _, fstype, _ in points):
        mount("tmpfs", "/sys/fs/cgroup", "tmpfs", "mode=0755")
    for point, fstype, options in points:
        os.makedirs(point, exist_ok=True)
        mount("cgroup", point, fstype, options)
        if fstype == "cgroup2" and len(points) == 1:
            # v2: only leaves hold processes once controllers are passed on.
            os.mkdir(f"{point}/runner")
            with open(f"{point}/runner/cgroup.procs", "w") as procs:
                procs.write("0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)  # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING
        fcntl.ioctl(s, 0x8914, request)
