"""One cgroup per VM in every hierarchy: what the VM starts stays below it, and is found by it.

On cgroup v2 a namespace's root that is not the real root must hold no process once controllers are
enabled for its children, so there the processes sit in the leaf `init`.
"""

import os
import signal
import time

from . import kernel


def hierarchies():
    """Mounted hierarchies of this machine: {"point", "fstype", "options"}, one per file system."""
    seen, found = set(), []
    for entry in kernel.mount_points():
        if entry["fstype"] in ("cgroup", "cgroup2") and entry["device"] not in seen:
            seen.add(entry["device"])
            found.append({"point": entry["point"], "fstype": entry["fstype"],
                          "options": _mount_options(entry)})
    return found


def _mount_options(entry):
    if entry["fstype"] == "cgroup2":
        return ""
    generic = {"rw", "ro", "relatime", "seclabel", "xattr", "clone_children"}
    options = [o for o in entry["super_options"].split(",")
               if o not in generic and not o.startswith("release_agent=")]
    return ",".join((["none"] if any(o.startswith("name=") for o in options) else []) + options)


def group_name(vm_id):
    return f"causeway-vm-{vm_id}"


def create(vm_id):
    for hierarchy in hierarchies():
        group = os.path.join(hierarchy["point"], group_name(vm_id))
        os.makedirs(group, exist_ok=True)
        if hierarchy["fstype"] == "cgroup2":
            _enable_controllers(hierarchy["point"])
            os.makedirs(os.path.join(group, "init"), exist_ok=True)
        elif "cpuset" in hierarchy["options"].split(","):
            # An empty cpuset takes no process; clone_children fills those that are made below.
            for name in ("cpuset.cpus", "cpuset.mems"):
                _write(os.path.join(group, name), _read(os.path.join(hierarchy["point"], name)))
            _write(os.path.join(group, "cgroup.clone_children"), "1")


def _enable_controllers(group):
    for controller in _read(os.path.join(group, "cgroup.controllers")).split():
        try:
            _write(os.path.join(group, "cgroup.subtree_control"), "+" + controller)
        except OSError:
            pass  # held by a v1 hierarchy, or not delegated: the VM then does without it


def open_membership(vm_id, top=False):
    """Descriptors to which a process writes "0" to join the VM; open them before changing namespaces.

    `top` is the VM's own group even on v2: only to make the namespace there, before enable_below().
    """
    descriptors = []
    for hierarchy in hierarchies():
        group = os.path.join(hierarchy["point"], group_name(vm_id))
        leaf = os.path.join(group, "init") if hierarchy["fstype"] == "cgroup2" and not top else group
        descriptors.append(os.open(os.path.join(leaf, "cgroup.procs"), os.O_WRONLY | os.O_CLOEXEC))
    return descriptors


def enable_below(vm_id):
    """On v2: gives the VM's root its controllers, once its processes have left it for the leaf."""
    for hierarchy in hierarchies():
        if hierarchy["fstype"] == "cgroup2":
            _enable_controllers(os.path.join(hierarchy["point"], group_name(vm_id)))


def join(descriptors):
    for fd in descriptors:
        os.write(fd, b"0")


def members(vm_id):
    """Host pids of all processes in the VM, in any hierarchy."""
    pids = set()
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(os.path.join(hierarchy["point"], group_name(vm_id))):
            try:
                pids.update(int(line) for line in _read(os.path.join(folder, "cgroup.procs")).split())
            except OSError:
                pass
    pids.discard(0)
    return sorted(pids)


def kill_members(vm_id, timeout=10.0):
    """SIGKILL to every member until none is left. Returns the pids that survived (stuck in the kernel)."""
    deadline = time.monotonic() + timeout
    while True:
        alive = [pid for pid in members(vm_id) if kernel.state_letter(pid) not in (None, "Z", "X")]
        if not alive or time.monotonic() > deadline:
            return alive
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)  # no event tells that a cgroup of the v1 kind became empty


def existing(vm_id):
    groups = [os.path.join(h["point"], group_name(vm_id)) for h in hierarchies()]
    return [group for group in groups if os.path.isdir(group)]


def remove(vm_id, timeout=5.0):
    """Removes the VM's cgroups. Returns those that stayed."""
    deadline = time.monotonic() + timeout
    while True:
        for group in existing(vm_id):
            for folder, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
        left = existing(vm_id)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.01)  # the last dying process still counts for a moment


def enabled_at_top():
    """The controllers that the machine itself enables below each v2 root, to be left so."""
    return {h["point"]: _read(os.path.join(h["point"], "cgroup.subtree_control"))
            for h in hierarchies() if h["fstype"] == "cgroup2"}


def restore_at_top(before):
    for point, controllers in before.items():
        control = os.path.join(point, "cgroup.subtree_control")
        for controller in set(_read(control).split()) - set(controllers.split()):
            try:
                _write(control, "-" + controller)
            except OSError:
                pass  # somebody else has come to use it


def _read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def _write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
