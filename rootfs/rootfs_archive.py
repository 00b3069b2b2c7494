"""The distro as a .tar.gz that is the same, bit for bit, whenever the same files are packed."""

import contextlib
import hashlib
import os
import stat
import subprocess
import tarfile


def pack(folder, target, epoch):
    """Writes `target` (over an older one, at once, when it is complete). Names are sorted, owners are root's numbers, times are `epoch`.
    Returns the SHA-256 in hex."""
    temporary = f"{target}.new"
    try:
        with open(temporary, "wb") as out:
            # -n: neither name nor time in the head.
            with subprocess.Popen(["gzip", "-n", "-6"], stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE) as gzip:
                try:
                    with tarfile.open(fileobj=gzip.stdin, mode="w|", format=tarfile.GNU_FORMAT) as archive:
                        _add_all(archive, folder, epoch)
                    gzip.stdin.close()
                except BrokenPipeError:  # gzip has said why
                    with contextlib.suppress(BrokenPipeError):
                        gzip.stdin.close()  # of what it didn't take; Popen's end would complain again
                said = gzip.stderr.read().decode(errors="replace").strip()
            if gzip.returncode != 0:
                raise OSError(f"{temporary}: {said}")
            out.flush()
            os.fsync(out.fileno())
        digest = hashlib.sha256()
        with open(temporary, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        os.rename(temporary, target)
        return digest.hexdigest()
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def _add_all(archive, folder, epoch):
    archive.addfile(_facts(archive, folder, ".", epoch))
    for path, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(folders + names):
            full = f"{path}/{name}"
            entry = _facts(archive, full, os.path.relpath(full, folder), epoch)
            if entry.isreg():
                with open(full, "rb") as file:
                    archive.addfile(entry, file)
            else:
                archive.addfile(entry)


def _facts(archive, full, name, epoch):
    entry = archive.gettarinfo(full, name)
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = epoch
    if entry.islnk():  # a second name of a file: as a file of its own
        entry.type, entry.linkname = tarfile.REGTYPE, ""
        entry.size = os.path.getsize(full)
    if entry.isreg():
        entry.mode = 0o755 if entry.mode & stat.S_IXUSR else entry.mode & 0o644
    return entry
