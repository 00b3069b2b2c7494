"""What stands on a distro's disk: made once per disk, before the distro's first start.

Two kinds of root: "debian" is an overlay over this machine's own root (its packages, none of its
users, data or settings), "busybox" is one static program and nothing else.
"""

import contextlib
import os
import shutil
import stat
import subprocess

# Of the machine's root only what packages install is wanted; all else is hidden, known or not.
_SYSTEM_FOLDERS = {"bin", "etc", "lib", "lib32", "lib64", "libx32", "opt", "sbin", "usr", "var"}
_EMPTY_FOLDERS = {"boot": 0o755, "dev": 0o755, "home": 0o755, "media": 0o755, "mnt": 0o755, "proc": 0o555,
                  "root": 0o700, "run": 0o755, "srv": 0o755, "sys": 0o555, "tmp": 0o1777}
# Engines, settings and rubbish of this machine that a distro must not take for its own.
_HIDDEN_FOLDERS = ["etc/docker", "etc/containerd", "etc/causeway", "etc/ssh", "var/lib/docker",
                   "var/lib/containerd", "var/lib/rancher", "var/tmp", "var/log"]
_HIDDEN_FILES = ["var/lib/causeway", "etc/.pwd.lock"]  # that aren't there in a fresh distro
_HIDDEN_PROGRAM_FOLDER = "usr/local/bin"  # a docker or kubectl there is not the distro's package

TOOLS = "usr/local/lib/causeway"  # of the engine's root, and where they show in a distro
DOCKER = "/usr/bin/docker"  # the machine's package
_COMPLETIONS = {"bash": "/usr/share/bash-completion/completions/docker",
                "zsh": "/usr/share/zsh/vendor-completions/_docker",
                "fish": "/usr/share/fish/vendor_completions.d/docker.fish"}
# Through links, as the distro's /usr/local/bin/docker is one; nothing but a POSIX shell and readlink.
_WRAPPER = """#!/bin/sh
tools=$(dirname "$(dirname "$(readlink -f "$0")")")
exec "$tools/lib/{loader}" --argv0 docker --library-path "$tools/lib" "$tools/libexec/docker" "$@"
"""

BUSYBOX = "/bin/busybox"
TINI = "/usr/bin/tini-static"
USER = "dev"
USER_ID = 1000
_FALLBACK_DOCKER_GID = 990


def docker_gid():
    """The gid of group docker in the engine's root."""
    for line in _lines("/etc/group"):
        name, _, gid, *_ = line.split(":")
        if name == "docker":
            return int(gid)
    return _FALLBACK_DOCKER_GID


def check_machine():
    """What keeps this machine's root from serving as a lower layer, as one sentence, or None."""
    for folder in ("/usr", "/etc"):
        if os.path.ismount(folder):
            return f"{folder} is a mount of its own here: the simulated distros need it in the root file system"
    for program in (BUSYBOX, TINI):
        if not os.path.exists(program):
            return f"{program} is missing: install busybox-static and tini (packaging/install engine)"
    return None


def populate_debian(upper, name, wsl_root, docker_group):
    """Fills the upper layer of an overlay over `/`."""
    _hide_all_but_system(upper)
    for folder in _HIDDEN_FOLDERS:
        _opaque_folder(upper, folder)
    os.chmod(_opaque_folder(upper, "var/tmp"), 0o1777)
    for folder in ("var/lib", "var/log", "var/cache"):
        _layer_folder(upper, folder)
    for path in _HIDDEN_FILES:
        if os.path.lexists(f"/{path}"):
            _whiteout(os.path.join(_layer_folder(upper, os.path.dirname(path)), os.path.basename(path)))
    _hide_local_clients(upper)
    _write_accounts(upper, docker_group)
    etc = _layer_folder(upper, "etc")
    _write(f"{etc}/hostname", name + "\n")
    _write(f"{etc}/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost ip6-localhost\n")
    _write(f"{etc}/wsl.conf", f"[automount]\nroot = {os.path.dirname(wsl_root)}\n[user]\ndefault={USER}\n")
    _write(f"{etc}/fstab", "")
    _link(f"{wsl_root}/resolv.conf", f"{etc}/resolv.conf")
    shutil.copy2(TINI, f"{upper}/init")  # WSL puts its own program at /init
    home = f"{upper}/home/{USER}"
    os.makedirs(home, exist_ok=True)
    os.chown(home, USER_ID, USER_ID)
    for folder in (wsl_root, *_drive_folders(wsl_root)):
        os.makedirs(upper + folder, exist_ok=True)


def populate_busybox(root, name, wsl_root):
    """A root with busybox alone: no bash, no libc."""
    for folder, mode in {**_EMPTY_FOLDERS, "bin": 0o755, "etc": 0o755, "usr/bin": 0o755,
                         "var": 0o755}.items():
        os.makedirs(f"{root}/{folder}", exist_ok=True)
        os.chmod(f"{root}/{folder}", mode)
    _link("/run", f"{root}/var/run")
    _link("bin", f"{root}/sbin")
    shutil.copy2(BUSYBOX, f"{root}/bin/busybox")
    with os.popen(f"{BUSYBOX} --list") as applets:
        for applet in applets.read().split():
            if applet != "busybox":
                _link("busybox", f"{root}/bin/{applet}")
    _link("../../bin/env", f"{root}/usr/bin/env")
    shutil.copy2(TINI, f"{root}/init")
    _write(f"{root}/etc/passwd", f"root:x:0:0:root:/root:/bin/sh\n"
           f"{USER}:x:{USER_ID}:{USER_ID}::/home/{USER}:/bin/sh\n")
    _write(f"{root}/etc/group", f"root:x:0:\n{USER}:x:{USER_ID}:\n")
    _write(f"{root}/etc/hostname", name + "\n")
    _write(f"{root}/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
    os.makedirs(f"{root}/home/{USER}", exist_ok=True)
    os.chown(f"{root}/home/{USER}", USER_ID, USER_ID)
    for folder in (wsl_root, *_drive_folders(wsl_root)):
        os.makedirs(root + folder, exist_ok=True)


def unpack_shipped(root, archive, name):
    """What `wsl --import` makes of the product's archive (rootfs/build)."""
    subprocess.run(["tar", "-xzf", archive, "-C", root], check=True)
    shutil.copy2(TINI, f"{root}/init")
    _write(f"{root}/etc/hostname", name + "\n")
    _write(f"{root}/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n")


def install_product(root, binary, etc):
    """Puts the agent's binary and its settings where the package puts them; replaces older ones."""
    if binary:
        os.makedirs(f"{root}/usr/bin", exist_ok=True)
        shutil.copy2(binary, f"{root}/usr/bin/causeway.new")
        os.chmod(f"{root}/usr/bin/causeway.new", 0o755)
        os.rename(f"{root}/usr/bin/causeway.new", f"{root}/usr/bin/causeway")
    if etc and os.path.isdir(etc):
        shutil.copytree(etc, f"{root}/etc", dirs_exist_ok=True)


def install_tools(root):
    """The CLI tools as the package will bring them: self-contained, so that they run in any distro, also without a C library.
    The machine's own docker CLI, with its loader and libraries beside it."""
    folder = f"{root}/{TOOLS}"
    stamp = f"{_facts_of(DOCKER)}\n"
    with contextlib.suppress(OSError), open(f"{folder}/.made-of", encoding="ascii") as file:
        if file.read() == stamp:
            return
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("bin", "lib", "libexec", "cli-plugins", *(f"completions/{shell}" for shell in _COMPLETIONS)):
        os.makedirs(f"{folder}/{name}")
    shutil.copy2(DOCKER, f"{folder}/libexec/docker")
    loader, libraries = _libraries(DOCKER)
    for path in libraries:
        shutil.copy2(path, f"{folder}/lib/{os.path.basename(path)}")
    _write(f"{folder}/bin/docker", _WRAPPER.format(loader=os.path.basename(loader)), 0o755)
    for plugins in ("/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins"):
        if os.path.isdir(plugins):
            shutil.copytree(plugins, f"{folder}/cli-plugins", dirs_exist_ok=True)
    for shell, path in _COMPLETIONS.items():
        if os.path.exists(path):
            shutil.copy2(path, f"{folder}/completions/{shell}/")
    _write(f"{folder}/.made-of", stamp)


def _facts_of(path):
    info = os.stat(path)
    return f"{path} {info.st_size} {info.st_mtime_ns}"


def _libraries(program):
    """(loader, all shared objects it needs with the loader among them)."""
    told = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    paths = [word for line in told.splitlines() for word in line.split() if word.startswith("/")]
    loader = next(path for path in paths if os.path.basename(path).startswith("ld-"))
    return loader, paths


def _drive_folders(wsl_root):
    return [os.path.join(os.path.dirname(wsl_root), "c")]


def _hide_all_but_system(upper):
    for name, mode in _EMPTY_FOLDERS.items():
        os.chmod(_opaque_folder(upper, name), mode)
    for name in os.listdir("/"):
        if name not in _SYSTEM_FOLDERS and name not in _EMPTY_FOLDERS:
            _whiteout(f"{upper}/{name}")


def _hide_local_clients(upper):
    try:
        names = os.listdir("/" + _HIDDEN_PROGRAM_FOLDER)
    except OSError:
        return
    for name in names:
        if name.startswith(("docker", "kubectl", "containerd", "k3s")):
            _whiteout(os.path.join(_layer_folder(upper, _HIDDEN_PROGRAM_FOLDER), name))


def _write_accounts(upper, docker_group):
    """System accounts only, without passwords, and one regular user. A fresh distro has no group docker; the engine's root has."""
    etc = _layer_folder(upper, "etc")
    users = [l for l in _lines("/etc/passwd") if not _is_person(int(l.split(":")[2]))]
    names = {line.split(":")[0] for line in users}
    users.append(f"{USER}:x:{USER_ID}:{USER_ID}:{USER}:/home/{USER}:/bin/bash")
    gid = docker_gid()
    groups = [l for l in _lines("/etc/group")
              if not _is_person(int(l.split(":")[2])) and int(l.split(":")[2]) != gid]
    groups = [":".join(l.split(":")[:3] + [",".join(m for m in l.split(":")[3].split(",") if m in names)])
              for l in groups]
    groups += [f"{USER}:x:{USER_ID}:"] + ([f"docker:x:{gid}:{USER}"] if docker_group else [])
    _write(f"{etc}/passwd", "\n".join(users) + "\n")
    _write(f"{etc}/group", "\n".join(groups) + "\n")
    shadow = [f"{line.split(':')[0]}:*:19000:0:99999:7:::" for line in users]
    _write(f"{etc}/shadow", "\n".join(shadow) + "\n", 0o600)
    _write(f"{etc}/gshadow", "\n".join(f"{l.split(':')[0]}:*::" for l in groups) + "\n", 0o600)


def _is_person(number):
    return 1000 <= number < 60000


def _layer_folder(upper, relative):
    """A folder in the upper layer that merges with the one below: its mode and owner are copied."""
    path, below = upper, ""
    for part in relative.split("/"):
        path, below = f"{path}/{part}", f"{below}/{part}"
        if os.path.isdir(path):
            continue
        os.mkdir(path, 0o755)
        try:
            info = os.stat(below)
        except OSError:
            continue
        os.chown(path, info.st_uid, info.st_gid)
        os.chmod(path, stat.S_IMODE(info.st_mode))
    return path


def _opaque_folder(upper, relative):
    """An empty folder that hides whatever the layer below has there."""
    path = _layer_folder(upper, relative)
    os.setxattr(path, "trusted.overlay.opaque", b"y")
    return path


def _whiteout(path):
    if not os.path.lexists(path):
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(0, 0))


def _link(target, path):
    if not os.path.lexists(path):
        os.symlink(target, path)


def _write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def _lines(path):
    try:
        with open(path, encoding="utf-8") as file:
            return [line.rstrip("\n") for line in file if line.count(":") >= 3]
    except OSError:
        return []


