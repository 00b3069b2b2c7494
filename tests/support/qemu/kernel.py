"""The kernel of the guest: Debian's for virtual machines, taken out of its package, never installed.

It has AF_VSOCK with its loopback, control groups of both versions and what an engine needs, as modules. Kept below build/qemu.
"""

import os
import re
import shutil
import subprocess

from .parts import CACHE, Missing, alone

_META_PACKAGE = "linux-image-cloud-amd64"
# What the initramfs loads: the guest's devices, and AF_VSOCK to itself (CID 1). The engine's own modules are loaded by the agent.
_BOOT_MODULES = ["virtio_pci", "virtio_blk", "virtio_console", "vsock_loopback"]


class Kernel:
    """`image`: a bzImage; `tree`: a folder with lib/modules/RELEASE."""

    def __init__(self, tree):
        self.tree = tree
        self.release = os.listdir(f"{tree}/lib/modules")[0]
        self.image = f"{tree}/boot/vmlinuz-{self.release}"

    def boot_modules(self):
        """The files of _BOOT_MODULES and of those they need, in the order in which they load."""
        folder = f"{self.tree}/lib/modules/{self.release}"
        needs = {}
        with open(f"{folder}/modules.dep", encoding="ascii") as lines:
            for line in lines:
                path, _, others = line.partition(":")
                needs[path] = others.split()
        by_name = {os.path.basename(path).split(".")[0]: path for path in needs}
        order = []
        for name in _BOOT_MODULES:
            for path in (*reversed(needs[by_name[name]]), by_name[name]):
                if path not in order:
                    order.append(path)
        return [f"{folder}/{path}" for path in order]


def find():
    """The Kernel, fetched when it isn't there yet. Raises Missing."""
    if os.uname().machine != "x86_64":
        raise Missing(f"there is no kernel for {os.uname().machine} here: the guest is x86_64")
    package = _package()
    tree = f"{CACHE}/{package}"
    with alone("kernel"):
        if not os.path.isdir(tree):
            _fetch(package, tree)
    return Kernel(tree)


def _package():
    for attempt in range(2):
        told = subprocess.run(["apt-cache", "depends", "--important", _META_PACKAGE], capture_output=True, text=True, check=False)
        found = re.search(r"Depends: (linux-image-\d\S*)", told.stdout)
        if found:
            return found[1]
        if attempt == 0:
            _apt("update")
    raise Missing(f"apt knows no package {_META_PACKAGE} (Debian's kernel for virtual machines)")


def _fetch(package, tree):
    part = f"{tree}.part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(f"{part}/package")
    try:
        error = _apt("download", package, folder=f"{part}/package")
        if error:  # the lists may be older than what is offered now
            error = _apt("update") or _apt("download", package, folder=f"{part}/package")
        if error:
            raise Missing(f"apt could not download {package}: {error}")
        file = os.listdir(f"{part}/package")[0]
        subprocess.run(["dpkg", "-x", f"{part}/package/{file}", part], check=True)
        shutil.rmtree(f"{part}/package")
        subprocess.run(["depmod", "-b", part, os.listdir(f"{part}/lib/modules")[0]], check=True)
        os.rename(part, tree)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _apt(*arguments, folder=None):
    """Its complaint; empty when all went well."""
    done = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", *arguments], cwd=folder, capture_output=True,
                          text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
