"""What the guest's pieces share: where they are kept, files with the libraries that they need, disk images."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess

from repository import REPOSITORY

CACHE = os.path.join(REPOSITORY, "build", "qemu")
FOLDERS = {"dev": 0o755, "etc": 0o755, "proc": 0o555, "root": 0o700, "run": 0o755, "sys": 0o555, "tmp": 0o1777,
           "usr/bin": 0o755, "usr/sbin": 0o755, "usr/lib": 0o755, "usr/lib64": 0o755, "var/lib": 0o755}


class Missing(Exception):
    """Something that this machine lacks; the text says what."""


def make_root(root):
    """The folders of a root file system, /usr merged."""
    for folder, mode in FOLDERS.items():
        os.makedirs(f"{root}/{folder}")
        os.chmod(f"{root}/{folder}", mode)
    for name in ("bin", "sbin", "lib", "lib64"):
        os.symlink(f"usr/{name}", f"{root}/{name}")


def program(name):
    """The path of a program of the machine's packages: /usr/local may hold anything."""
    for folder in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        if os.access(f"{folder}/{name}", os.X_OK):
            return f"{folder}/{name}"
    raise Missing(f"{name} is not installed")


def copy_program(root, path):
    """`path` at the same place below `root`, a link as a link to its target's name, with all shared objects it needs."""
    real = os.path.realpath(path)
    target = f"{root}{os.path.dirname(path)}/{os.path.basename(real)}"
    copy_file(real, target)
    if os.path.basename(path) != os.path.basename(real):
        os.symlink(os.path.basename(real), root + path)
    copy_libraries(root, [real])


def copy_libraries(root, files):
    told = subprocess.run(["ldd", *files], check=False, capture_output=True, text=True).stdout  # not 0: a static one among them
    for path in {word for line in told.splitlines() for word in line.split() if word.startswith("/") and not word.endswith(":")}:
        copy_file(path, root + path)


def copy_file(source, target):
    if not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(source, target)


def ext4_image(image, megabytes, folder):
    """A file system with what is in `folder`; a sparse file."""
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run([program("mkfs.ext4"), "-q", "-F", "-E", "root_owner=0:0", "-d", folder, image], check=True)


def facts(paths):
    """A number that changes when one of the files does; folders with all that is in them."""
    told = hashlib.sha256()
    for path in paths:
        for folder, folders, names in os.walk(path) if os.path.isdir(path) else [("", [], [path])]:
            folders.sort()
            for name in sorted(names):
                info = os.lstat(os.path.join(folder, name))
                told.update(f"{folder}/{name} {info.st_size} {info.st_mtime_ns}\n".encode())
    return told.hexdigest()[:16]


@contextlib.contextmanager
def alone(name):
    """Other processes wait: two test runs may want the same file."""
    os.makedirs(CACHE, exist_ok=True)
    with open(f"{CACHE}/{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached(name, paths, make):
    """The file CACHE/name-<facts of paths>; `make(path)` when it isn't there. Older ones go."""
    path = f"{CACHE}/{name}-{facts([*paths, __file__])}.img"
    with alone(name):
        if not os.path.exists(path):
            part = f"{path}.part"
            make(part)
            for old in os.listdir(CACHE):
                if old.startswith(f"{name}-") and old.endswith(".img"):
                    os.unlink(f"{CACHE}/{old}")
            os.rename(part, path)
    return path
