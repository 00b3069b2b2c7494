"""What the simulated VMs of a test session have left on the machine."""

import contextlib
import os
import shutil
import subprocess

from . import cgroups, kernel, marks


class Machine:
    """What a VM must leave as it was."""

    def __init__(self):
        self.vms = []  # of this session
        self.before = self._look()

    def _look(self):
        return {
            "mounts": sorted((m["point"], m["fstype"], m["source"]) for m in kernel.mount_points()),
            "named network namespaces": sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else [],
            "network interfaces": sorted(os.listdir("/sys/class/net")),
            "packet filter": _packet_filter(),
            "sysctls": marks.read_sysctls(),
            "cgroup controllers": cgroups.enabled_at_top(),
            "names of the engine's files": [path for path in ("/mnt/engine", "/var/lib/docker") if os.path.islink(path)],
        }

    def watch(self, vm):
        """Notes what identifies a running VM, to look for it after its end."""
        status = vm.status()
        self.vms.append({"id": status["id"], "state": vm.state_dir,
                         "net": os.readlink(f"/proc/{status['holder']}/ns/net")})

    def left_behind(self):
        """One line for each thing that is not as before, or still there of a VM of this session."""
        found = []
        after = self._look()
        if any(marks.is_alive(mark["id"]) for mark in marks.all_marks()):
            for key in ("sysctls", "cgroup controllers"):  # another VM lives: its end restores them
                after[key] = self.before[key]
        # A mount that went away is not ours to report: all of ours were made after the first look.
        after["mounts"] = sorted({*self.before["mounts"], *after["mounts"]})
        self.before["mounts"] = sorted({*self.before["mounts"]})
        for what, before in self.before.items():
            if after[what] != before:
                found.append(f"{what} changed: {_difference(before, after[what])}")
        networks = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                networks.setdefault(os.readlink(f"/proc/{pid}/ns/net"), []).append(pid)
        for vm in self.vms:
            found += [f"process {pid} of VM {vm['id']}" for pid in networks.get(vm["net"], [])]
            found += [f"cgroup {group}" for group in cgroups.existing(vm["id"])]
            found += [f"loop device {device}" for device in kernel.loops_backed_below(vm["state"])]
            found += [f"file {path}" for path in (vm["state"], f"{marks.FOLDER}/{vm['id']}.json",
                                                  f"{marks.FOLDER}/{vm['id']}.lock") if os.path.exists(path)]
        return found


def _packet_filter():
    rules = {}
    for program in ("iptables-save", "iptables-legacy-save"):
        path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if path:
            done = subprocess.run([path], capture_output=True, text=True, check=False)
            # Comments carry the time, chains their counters.
            rules[program] = [line.split(" [")[0] for line in done.stdout.splitlines()
                              if not line.startswith("#")]
    return rules


def _difference(before, after):
    if isinstance(before, dict):
        return {key: (before.get(key), after.get(key)) for key in {*before, *after}
                if before.get(key) != after.get(key)}
    return {"new": [x for x in after if x not in before], "gone": [x for x in before if x not in after]}
