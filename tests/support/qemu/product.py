"""Boots the product in a guest: `causeway init` as PID 1, the engine behind it, AF_VSOCK in front.

The root file system is made of this machine's engine, or is the folder that CAUSEWAY_ROOTFS names: a whole root as it is
shipped, with /usr/bin/causeway, /versions/<v> and /data.
"""

import json
import os

from . import images, parts
from .guest import Guest

INIT = "/usr/bin/causeway"
# Control groups of version 1 as systemd's hybrid set-up has them; the rest is version 2's.
HYBRID = ("cpu,cpuacct", "cpuset", "memory", "devices", "freezer", "pids", "blkio")
_ENGINE_SECONDS = 150  # emulated, dockerd takes 3 to 10 s for what it does in one


def agent_binary():
    return os.environ.get("CAUSEWAY_BINARY", os.path.join(parts.REPOSITORY, "build", "release", "agent", "causeway"))


def boot(hierarchies=(), peer_cid=1, seconds=400):
    """A Guest whose engine answers. `peer_cid`: whose connections the link takes; the guest's own are CID 1."""
    folder = os.environ.get("CAUSEWAY_ROOTFS")
    root = images.folder_root(folder) if folder else images.machine_root(agent_binary())
    version = _version(folder) if folder else images.VERSION
    settings = f"/versions/{version}/etc/causeway/settings.json"
    guest = Guest(root, [INIT, "init", "--versions", "/versions", "--version", version],
                  files={settings: settings_text(peer_cid)}, hierarchies=hierarchies, seconds=seconds)
    try:
        guest.console.wait("service.ready service=dockerd", _ENGINE_SECONDS)
    except BaseException:
        guest.close()
        raise
    return guest


def settings_text(peer_cid):
    return json.dumps({"link": {"vsock": "on", "peer_cid": peer_cid}})


def _version(folder):
    """As `causeway attach` chooses it: the link `current`, or the only one."""
    versions = os.path.join(folder, "versions")
    if os.path.islink(f"{versions}/current"):
        return os.readlink(f"{versions}/current")
    (only,) = (name for name in os.listdir(versions) if not name.startswith("."))
    return only
