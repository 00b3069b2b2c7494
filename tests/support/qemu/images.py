"""The guest's disks: what the tests use in it, and a root file system made of this machine's engine."""

import os
import shutil
import subprocess
import tempfile

from repository import REPOSITORY, SUPPORT, support_program

from . import parts
from .parts import Missing

_INSIDE = os.path.join(SUPPORT, "qemu", "inside")
# Modules of ours that run on both sides.
_SHARED = ["unix_socket.py", "unix_http.py", "link/__init__.py", "link/client.py"]
_PROGRAMS = [support_program(name) for name in ("link_client", "break_listener")]
_OVERLAY = os.path.join(REPOSITORY, "rootfs", "overlay", "etc")
_PYTHON = "/usr/bin/python3"
_NOT_NEEDED = shutil.ignore_patterns("test", "dist-packages", "config-*", "idlelib", "tkinter", "lib2to3", "ensurepip", "pydoc_data")
VERSION = "dev"

_ENGINE = ["dockerd", "containerd", "containerd-shim-runc-v2", "runc", "docker-proxy", "modprobe"]
_PACKET_FILTER = [f"{kind}{action}" for kind in ("iptables", "ip6tables") for action in ("", "-save", "-restore")]


def tools(kernel):
    """The disk `tools`: busybox, Python, the docker CLI, test programs, the guest's side of these tests, the kernel's modules."""
    python = subprocess.run([_PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"], check=True,
                            capture_output=True, text=True).stdout.strip()
    docker = parts.program("docker")
    programs = [program for program in _PROGRAMS if os.path.exists(program)]  # the bench builds none
    busybox = parts.program("busybox")

    def make(image):
        with tempfile.TemporaryDirectory(prefix="causeway-tools-", dir="/var/tmp") as root:
            parts.make_root(root)
            for program in (_PYTHON, docker, busybox):
                parts.copy_program(root, program)
            for applet in subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split():
                if not os.path.lexists(f"{root}/usr/bin/{applet}"):
                    os.symlink("busybox", f"{root}/usr/bin/{applet}")
            shutil.copytree(python, root + python, ignore=_NOT_NEEDED)
            native = f"{python}/lib-dynload"
            parts.copy_libraries(root, [f"{native}/{name}" for name in os.listdir(native)])
            for program in programs:
                shutil.copy2(program, f"{root}/usr/bin/")
            shutil.copytree(_INSIDE, f"{root}/inside", ignore=shutil.ignore_patterns("__pycache__"))
            for name in _SHARED:
                parts.copy_file(f"{SUPPORT}/{name}", f"{root}/inside/{name}")
            shutil.copytree(f"{kernel.tree}/lib/modules", f"{root}/usr/lib/modules")
            parts.ext4_image(image, 400, root)

    return parts.cached("tools", [os.path.realpath(_PYTHON), docker, busybox, *programs, _INSIDE, *(f"{SUPPORT}/{name}" for name in _SHARED), kernel.image, __file__],
                        make)


def machine_root(agent):
    """The disk `root`, laid out as the product's: /versions/<v> with this machine's engine, and /data."""
    engine = [parts.program(name) for name in (*_ENGINE, "docker-init", *_PACKET_FILTER)]
    busybox = parts.program("busybox")

    def make(image):
        with tempfile.TemporaryDirectory(prefix="causeway-root-", dir="/var/tmp") as outer:
            root = f"{outer}/versions/{VERSION}"
            parts.make_root(outer)
            os.makedirs(f"{outer}/data")
            os.makedirs(root)
            parts.make_root(root)
            for path in (*engine, busybox):
                parts.copy_program(root, path)
            _copy_packet_filter(root)
            shutil.copytree(_OVERLAY, f"{root}/etc", dirs_exist_ok=True)
            _write(f"{root}/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
            _write(f"{root}/etc/group", "root:x:0:\ntty:x:5:\ndocker:x:998:\n")
            _write(f"{root}/etc/hostname", "docker-desktop\n")
            for folder in (outer, root):
                parts.copy_file(agent, f"{folder}/usr/bin/causeway")
            parts.ext4_image(image, 1500, outer)

    return parts.cached("root", [*map(os.path.realpath, engine), busybox, agent, _OVERLAY, __file__], make)


def folder_root(folder):
    """The disk `root` from a folder with a whole root file system, such as the one that is shipped."""
    if not os.path.isdir(folder):
        raise Missing(f"{folder} is no folder")
    return parts.cached("folder", [folder], lambda image: parts.ext4_image(image, 3000, folder))


def _copy_packet_filter(root):
    """iptables finds its matches and targets as files, beside both kinds of the program."""
    folder = "/usr/sbin"
    for name in os.listdir(folder):
        if name.startswith(("iptables-", "ip6tables-", "xtables-")) and os.path.islink(f"{folder}/{name}"):
            if os.path.realpath(f"{folder}/{name}").endswith("-multi") and not os.path.lexists(f"{root}{folder}/{name}"):
                parts.copy_program(root, f"{folder}/{name}")
    plugins = next(path for base, _, names in os.walk("/usr/lib") if os.path.basename(base) == "xtables"
                   for path in [base] if names)
    shutil.copytree(plugins, root + plugins)


def _write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
