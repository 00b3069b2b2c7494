"""What a distro's disk holds, to be compared: all of a minimal distro's files, and what a full one has over its packages.

`python3 -m wslvm.disk_listing DEVICE` mounts the disk once more, in a mount namespace of its own, and prints its listing as JSON.
"""

import hashlib
import json
import os
import stat
import sys
import tempfile

from . import kernel


def listing(top, hashes=True):
    """{path: [type and mode, owner, group, hash or target, extended attributes]} of everything on this file system below `top`.
    Without `hashes` a file's size stands for its content."""
    if not os.path.lexists(top):
        return {}
    found, device = {}, os.lstat(top).st_dev
    for folder, names, files in os.walk(top):
        # Only folders tell: an overlay gives files the device of the layer that they lie in.
        names[:] = [name for name in names if os.lstat(f"{folder}/{name}").st_dev == device or os.path.islink(f"{folder}/{name}")]
        for path in [folder, *(f"{folder}/{name}" for name in [*names, *files] if name in files or os.path.islink(f"{folder}/{name}"))]:
            info = os.lstat(path)
            content = ""
            if stat.S_ISREG(info.st_mode) and not hashes:
                content = info.st_size
            elif stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            elif stat.S_ISLNK(info.st_mode):
                content = os.readlink(path)
            attributes = {}
            for key in os.listxattr(path, follow_symlinks=False):
                if not key.startswith("trusted.overlay."):  # the overlay's own notes about what it has copied up
                    attributes[key] = os.getxattr(path, key, follow_symlinks=False).hex()
            found[path.removeprefix(top)] = [stat.filemode(info.st_mode), info.st_uid, info.st_gid, content, attributes]
    return found


def main(device):
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.set_propagation("/", kernel.MS_REC | kernel.MS_PRIVATE)
    folder = tempfile.mkdtemp()
    kernel.mount(device, folder, "ext4", kernel.MS_NOATIME)
    try:
        print(json.dumps(listing(folder)))
    finally:
        kernel.umount(folder)
        os.rmdir(folder)


if __name__ == "__main__":
    main(sys.argv[1])
