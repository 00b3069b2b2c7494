"""Starting a distro: runs as the distro's process 1, builds its mounts, pivots, becomes its init.

As in WSL 2: own mount, PID, UTS and IPC namespaces; network and cgroup namespaces of the VM.
"""

import os

from . import kernel, roots

KINDS = ("docker-desktop", "ubuntu", "minimal")
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def kind_of(name):
    """Distro names carry their kind: `docker-desktop`, anything like `minimal*`, else a full one."""
    if name == "docker-desktop":
        return "docker-desktop"
    return "minimal" if name.startswith("minimal") else "ubuntu"


def boot_command(spec):
    """What WSL would run as root at the start of docker-desktop; None without a binary."""
    if spec["kind"] != "docker-desktop" or not spec["causeway"] or not spec["boot"]:
        return None
    if isinstance(spec["boot"], list):
        return spec["boot"]
    if spec["rootfs"]:
        return ["/bin/sh", "-c", "exec /usr/bin/causeway init --mode wsl --versions /versions --version $(readlink /versions/current) --data /data"]
    return ["/usr/bin/causeway", "init", "--mode", "wsl", "--versions", "/versions", "--version", "dev",
            "--data", "/data"]


def enter(spec, stage, cgroups):
    """Builds the distro's mounts and makes them the caller's root. The caller is process 1 of fresh
    namespaces; `stage` is the VM's folder of mounts: wsl, drive-c, disk, root.
    """
    root = f"{stage}/root"
    _mount_root(spec, stage, root)
    _mount_kernel_file_systems(root)
    _mount_cgroups(root, cgroups)
    _mount_run(root)
    _mount_windows(spec, stage, root)
    if spec["kind"] == "docker-desktop" and not spec["rootfs"]:
        _mount_version(spec, root)
    old = f"{root}/tmp/.machine"
    os.mkdir(old)
    kernel.pivot_root(root, old)
    os.chdir("/")
    # Private first: an unmount of the old tree must not reach the other distros through <wsl>.
    kernel.set_propagation("/tmp/.machine", kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.umount("/tmp/.machine", kernel.MNT_DETACH)
    os.rmdir("/tmp/.machine")
    if spec["kind"] == "ubuntu":
        kernel.set_propagation("/", kernel.MS_REC | kernel.MS_SHARED)  # as systemd does
    kernel.sethostname(spec["name"])


def exec_init(spec):
    os.setsid()
    os.umask(0o022)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    environment = {"PATH": SEARCH_PATH, "WSL_DISTRO_NAME": spec["name"]}
    os.execve("/init", ["/init", "--", "/bin/sleep", "infinity"], environment)


def _mount_root(spec, stage, root):
    if spec["kind"] != "ubuntu":
        kernel.mount(spec["device"], root, "ext4", kernel.MS_NOATIME, "discard")
        shipped = spec["kind"] == "docker-desktop" and spec["rootfs"]
        _once(f"{root}/.populated", lambda: roots.unpack_shipped(root, shipped, spec["name"]) if shipped
              else roots.populate_busybox(root, spec["name"], spec["wsl_root"]))
    else:
        disk = f"{stage}/disk"
        kernel.mount(spec["device"], disk, "ext4", kernel.MS_NOATIME, "discard")
        _overlay_on_machine(disk, root, spec)
    if spec["kind"] == "docker-desktop" and not spec["rootfs"]:
        roots.install_product(root, spec["causeway"], spec["etc"])


def _overlay_on_machine(disk, root, spec):
    upper, work = f"{disk}/upper", f"{disk}/work"
    for folder in (upper, work):
        os.makedirs(folder, exist_ok=True)
    os.chmod(upper, 0o755)
    _once(f"{disk}/.populated", lambda: roots.populate_debian(upper, spec["name"], spec["wsl_root"],
                                                              docker_group=spec["kind"] == "docker-desktop"))
    if spec["kind"] == "docker-desktop":
        roots.install_product(upper, spec["causeway"], spec["etc"])
        roots.install_tools(upper)
    os.makedirs(root, exist_ok=True)
    kernel.mount("overlay", root, "overlay", kernel.MS_NOATIME,
                 f"lowerdir=/,upperdir={upper},workdir={work},index=off,xino=off")


def _mount_version(spec, root):
    for folder in ("data", "versions/dev", "versions/.dev-layer"):
        os.makedirs(f"{root}/{folder}", exist_ok=True)
    _overlay_on_machine(f"{root}/versions/.dev-layer", f"{root}/versions/dev", spec)


def _once(marker, action):
    if not os.path.exists(marker):
        action()
        with open(marker, "w", encoding="ascii"):
            pass


def _mount_kernel_file_systems(root):
    strict = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("proc", f"{root}/proc", "proc", strict)
    kernel.mount("sysfs", f"{root}/sys", "sysfs", strict)
    kernel.mount("none", f"{root}/dev", "tmpfs", kernel.MS_NOSUID, "mode=755,size=16m")
    _make_devices(f"{root}/dev")
    kernel.mount("devpts", f"{root}/dev/pts", "devpts", kernel.MS_NOSUID | kernel.MS_NOEXEC,
                 "newinstance,ptmxmode=0666,mode=0620,gid=5")
    kernel.mount("none", f"{root}/dev/shm", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=1777")
    kernel.mount("mqueue", f"{root}/dev/mqueue", "mqueue", strict)


def _make_devices(dev):
    """A /dev of our own: the machine's devtmpfs is one for all, and not the distro's to change."""
    nodes = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
             "kmsg": (1, 11), "tty": (5, 0), "console": (5, 1), "fuse": (10, 229), "net/tun": (10, 200),
             "loop-control": (10, 237)}
    previous = os.umask(0)
    for folder in ("net", "pts", "shm", "mqueue"):
        os.mkdir(f"{dev}/{folder}", 0o755)
    for name, (major, minor) in nodes.items():
        os.mknod(f"{dev}/{name}", 0o020666, os.makedev(major, minor))
    for number in range(32):
        os.mknod(f"{dev}/loop{number}", 0o060660, os.makedev(7, number))
    os.umask(previous)
    for name, target in {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0",
                         "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}.items():
        os.symlink(target, f"{dev}/{name}")


def _mount_cgroups(root, cgroups):
    base = "/sys/fs/cgroup"
    if not any(h["point"] == base for h in cgroups):
        kernel.mount("none", root + base, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    for hierarchy in cgroups:
        point = hierarchy["point"]
        if not point.startswith(base):
            continue
        os.makedirs(root + point, exist_ok=True)
        kernel.mount(hierarchy["fstype"], root + point, hierarchy["fstype"], 0, hierarchy["options"] or None)
        name = os.path.basename(point)
        if "," in name:
            for part in name.split(","):
                os.symlink(name, f"{root}{base}/{part}")


def _mount_run(root):
    kernel.mount("none", f"{root}/tmp", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=1777")
    kernel.mount("none", f"{root}/run", "tmpfs", kernel.MS_NOSUID, "mode=755")


def _mount_windows(spec, stage, root):
    automount = os.path.dirname(spec["wsl_root"])
    for folder in (spec["wsl_root"], os.path.join(automount, "c")):
        os.makedirs(root + folder, exist_ok=True)
    kernel.mount(f"{stage}/wsl", root + spec["wsl_root"], None, kernel.MS_BIND | kernel.MS_REC)
    kernel.mount(f"{stage}/drive-c", root + os.path.join(automount, "c"), None, kernel.MS_BIND)
    # WSL's own folder for GPU drivers: a mount in every distro.
    drivers = f"{root}/usr/lib/wsl/lib"
    os.makedirs(drivers, exist_ok=True)
    kernel.mount("none", drivers, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    with open(f"{drivers}/libdxcore.so", "w", encoding="ascii") as file:
        file.write("stand-in\n")
    kernel.mount(None, drivers, None, kernel.MS_REMOUNT | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV)
