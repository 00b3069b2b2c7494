"""Folders in distros, and what the engine and the distros have mounted."""

import os
import shutil

from . import kernel
from .api import fresh_name


class Folder:
    """A folder in a distro. `path` is the distro's name of it, `host` the machine's (no links are followed on its way)."""

    def __init__(self, vm, distro, path, owner=1000):
        self.vm, self.distro, self.path = vm, distro, path
        os.makedirs(self.host)
        os.chown(self.host, owner, owner)
        self.owner = owner

    @property
    def host(self):
        return self.vm.root(self.distro) + self.path

    def write(self, name, text):
        """Makes folders on the way; returns the file's path in the distro."""
        path = f"{self.host}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chown(path, self.owner, self.owner)
        return f"{self.path}/{name}"

    def make(self, name):
        os.makedirs(f"{self.host}/{name}")
        return f"{self.path}/{name}"

    def link(self, target, name):
        os.symlink(target, f"{self.host}/{name}")
        return f"{self.path}/{name}"

    def read(self, name):
        with open(f"{self.host}/{name}", encoding="utf-8") as file:
            return file.read()

    def names(self):
        return sorted(os.listdir(self.host))

    def remove(self):
        self.vm.exec(self.distro, ["sh", "-c", f"""grep -o ' {self.path}/[^ ]*' /proc/self/mountinfo | sort -r |
            while read -r point; do umount -l "$point"; done"""], check=False)
        shutil.rmtree(self.host, ignore_errors=True)


def fresh_folder(vm, distro, parent="/home/dev"):
    return Folder(vm, distro, f"{parent}/{fresh_name('folder-')}")


def engine_mounts(vm, below="/mnt/distro"):
    """The engine's mounts there, as (id, point): one that was attached again has another id."""
    return sorted((m["id"], m["point"]) for m in kernel.mount_points(vm.init_pid())
                  if m["point"] == below or m["point"].startswith(below + "/"))


def mount_table(vm, distro):
    """All of a distro's own mount table, as the kernel prints it."""
    with open(f"/proc/{vm.distro_pid(distro)}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return file.read().splitlines()
