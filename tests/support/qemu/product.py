"""Boots the product in a guest: `causeway init` as PID 1, the engine behind it, AF_VSOCK in front.

The root file system is made of this machine's engine, or is a folder with a whole root as it is shipped: /usr/bin/causeway,
/versions/<v> and /data.
"""

import json
import os

from repository import BINARY

from . import images
from .guest import Guest

INIT = "/usr/bin/causeway"
# Control groups of version 1 as systemd's hybrid set-up has them; the rest is version 2's.
HYBRID = ("cpu,cpuacct", "cpuset", "memory", "devices", "freezer", "pids", "blkio")
_ENGINE_SECONDS = 150  # emulated, dockerd takes 3 to 10 s for what it does in one


def boot(folder=None, hierarchies=(), peer_cid=1, agent=None, seconds=400):
    """A Guest whose engine answers. `folder`: the root file system, without one it is made with `agent`; `peer_cid`: whose
    connections the link takes, and the guest's own are CID 1."""
    root = images.folder_root(folder) if folder else images.machine_root(agent or BINARY)
    version = _version(folder) if folder else images.VERSION
    settings = f"/versions/{version}/etc/causeway/settings.json"
    if folder and os.path.islink(folder + settings):
        settings = os.readlink(folder + settings)  # into /data, which is in every version what it is outside
    guest = Guest(root, init(version), files={settings: settings_text(peer_cid)}, hierarchies=hierarchies, seconds=seconds)
    try:
        wait_engine(guest)
    except BaseException:
        guest.close()
        raise
    return guest


def wait_engine(guest):
    _, found = guest.console.wait("service.(ready) service=dockerd|service=dockerd state=failed|initramfs: .*", _ENGINE_SECONDS)
    assert found[1], guest.console.text()


def init(version, *more):
    """What becomes PID 1."""
    return [INIT, "init", "--versions", "/versions", "--version", version, *more]


def settings_text(peer_cid):
    return json.dumps({"link": {"vsock": "on", "peer_cid": peer_cid}})


def _version(folder):
    """As `causeway attach` chooses it: the link `current`, or the only one."""
    versions = os.path.join(folder, "versions")
    if os.path.islink(f"{versions}/current"):
        return os.readlink(f"{versions}/current")
    (only,) = (name for name in os.listdir(versions) if not name.startswith("."))
    return only
