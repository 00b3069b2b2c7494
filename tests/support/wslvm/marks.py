"""Owner marks: what a VM is about to take from the machine, written before it takes it.

/run/causeway-vm/ID.json names the state folder and the sysctls and cgroup controllers as they were; the cgroups are named
after the ID; disks lie in the state folder; all else ends with the VM's processes. ID.lock is
held (flock) by the VM's process 1: a mark whose lock is free belongs to a dead VM and is swept.
"""

import contextlib
import fcntl
import json
import os
import shutil

from . import cgroups, kernel

FOLDER = "/run/causeway-vm"

# Settings of the whole machine, in no namespace, that the agent or an engine writes.
_SYSCTLS = ["vm.max_map_count", "vm.overcommit_memory", "vm.panic_on_oom", "fs.inotify.max_user_watches",
            "fs.inotify.max_user_instances", "fs.inotify.max_queued_events", "fs.file-max", "fs.nr_open",
            "fs.aio-max-nr", "kernel.pid_max", "kernel.threads-max", "kernel.panic", "kernel.panic_on_oops",
            "kernel.keys.root_maxkeys", "kernel.keys.root_maxbytes", "kernel.keys.maxkeys",
            "kernel.keys.maxbytes", "user.max_user_namespaces", "user.max_inotify_watches",
            "user.max_inotify_instances"]


@contextlib.contextmanager
def exclusive():
    """One `up`, `down` or `sweep` on this machine at a time."""
    os.makedirs(FOLDER, exist_ok=True)
    fd = os.open(f"{FOLDER}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def write(vm_id, state_dir):
    """Makes the mark and returns the descriptor whose lock means "alive". Call within exclusive()."""
    living = [mark for mark in all_marks() if is_alive(mark["id"])]
    # Two VMs at once: the second must not take the first one's sysctls for the machine's.
    sysctls = living[0]["sysctls"] if living else read_sysctls()
    controllers = living[0]["controllers"] if living else cgroups.enabled_at_top()
    fd = os.open(f"{FOLDER}/{vm_id}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    write_atomically(f"{FOLDER}/{vm_id}.json", {"id": vm_id, "state": state_dir, "boot_id": _boot_id(),
                                                "sysctls": sysctls, "controllers": controllers})
    return fd


def all_marks():
    marks = []
    for name in sorted(os.listdir(FOLDER)) if os.path.isdir(FOLDER) else []:
        if name.endswith(".json"):
            with open(f"{FOLDER}/{name}", encoding="utf-8") as file:
                marks.append(json.load(file))
    return marks


def is_alive(vm_id):
    try:
        fd = os.open(f"{FOLDER}/{vm_id}.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def of_state(state_dir):
    """The mark of the VM in this state folder, or None."""
    return next((m for m in all_marks() if m["state"] == state_dir), None)


def clear(mark, keep_disks):
    """Removes all that the VM left on the machine. Returns what could not be removed, as sentences."""
    vm_id, left = mark["id"], []
    if mark["boot_id"] == _boot_id():
        left += [f"process {pid} does not die" for pid in cgroups.kill_members(vm_id)]
        left += [f"cgroup {group} is still there" for group in cgroups.remove(vm_id)]
        left += _detach_loops(mark["state"])
        if not any(is_alive(other["id"]) for other in all_marks() if other["id"] != vm_id):
            restore_sysctls(mark["sysctls"])
            cgroups.restore_at_top(mark["controllers"])
    if left:
        return left
    if keep_disks:
        for name in ("control.sock", "run"):
            _remove(os.path.join(mark["state"], name))
    else:
        for name in ("control.sock", "run", "config.json", "disks", "log", "stage", "holder.log"):
            _remove(os.path.join(mark["state"], name))
        with contextlib.suppress(OSError):
            os.rmdir(mark["state"])  # not ours to remove if somebody put more into it
    for name in (f"{vm_id}.json", f"{vm_id}.lock"):
        _remove(f"{FOLDER}/{name}")
    return []


def tidy_folder():
    """Call within exclusive()."""
    names = set(os.listdir(FOLDER)) if os.path.isdir(FOLDER) else set()
    for name in names:
        # Of a process killed between making the lock and writing the mark, or between removing the two.
        if name.endswith(".new") or name.endswith(".lock") and name.replace(".lock", ".json") not in names:
            _remove(f"{FOLDER}/{name}")
    if os.path.isdir(FOLDER) and os.listdir(FOLDER) == ["lock"]:
        os.unlink(f"{FOLDER}/lock")
        os.rmdir(FOLDER)


def _detach_loops(state_dir):
    left = []
    for device in kernel.loops_backed_below(f"{state_dir}/disks"):
        with contextlib.suppress(OSError):  # ENXIO: detached itself in between
            kernel.detach_loop(device)
    for device in kernel.loops_backed_below(f"{state_dir}/disks"):
        left.append(f"{device} still holds a disk of {state_dir}")
    return left


def read_sysctls():
    values = {}
    for name in _SYSCTLS:
        with contextlib.suppress(OSError):
            with open(_sysctl_path(name), encoding="ascii") as file:
                values[name] = file.read().strip()
    return values


def restore_sysctls(values):
    now = read_sysctls()
    for name, value in values.items():
        if now.get(name) != value:
            with contextlib.suppress(OSError), open(_sysctl_path(name), "w", encoding="ascii") as file:
                file.write(value)


def write_atomically(path, value):
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)


def _sysctl_path(name):
    return "/proc/sys/" + name.replace(".", "/")


def _boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def _remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
