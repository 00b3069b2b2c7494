"""The product's root file system as rootfs/build makes it, for tests. Built once a session; its packages are kept in build/rootfs,
so that only the first session on a machine fetches them."""

import functools
import io
import json
import os
import shutil
import subprocess
import tarfile

import rootfs_debs
from repository import BINARY as AGENT
from repository import REPOSITORY

OUT = f"{REPOSITORY}/build/rootfs"
BUILD = f"{REPOSITORY}/rootfs/build"
VERSIONS = f"{REPOSITORY}/rootfs/base/usr/libexec/causeway/versions"


def missing():
    """What keeps this machine from building it."""
    lacks = [name for name in ("mmdebstrap", "dpkg-deb", "gzip") if not shutil.which(name)] + ([] if os.path.exists(AGENT) else [AGENT])
    try:
        if not lacks:
            rootfs_debs.mirror_lines(None)
    except rootfs_debs.Refused:
        lacks.append("a mirror of Debian in apt's configuration")
    return lacks


def build(*arguments, check=True, **options):
    """CompletedProcess of rootfs/build."""
    done = subprocess.run([BUILD, "--agent", AGENT, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          **options)
    if check and done.returncode != 0:
        raise AssertionError(f"rootfs/build {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    return done


@functools.lru_cache(maxsize=1)
def build_for_session():
    """(report, folder of the unpacked tree)."""
    done = build("--json", "--directory", f"{OUT}/tree")
    return json.loads(done.stdout), f"{OUT}/tree"


def packages():
    """The folder of .deb files that build_for_session() has fetched."""
    return next(f"{OUT}/{name}" for name in os.listdir(OUT) if name.startswith("packages-"))


def archive(entries):
    """A .tar.gz in memory: {path: text, None for a folder, or "-> target" for a link}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as file:
        for path, text in entries.items():
            entry = tarfile.TarInfo(path)
            entry.mode = 0o755
            if text is None:
                entry.type = tarfile.DIRTYPE
            elif text.startswith("-> "):
                entry.type, entry.linkname = tarfile.SYMTYPE, text[3:]
            else:
                entry.size = len(text)
            file.addfile(entry, io.BytesIO(text.encode()) if entry.isreg() else None)
    return out.getvalue()


def distro_archive(version, machine=os.uname().machine, filler=0):
    """The least that `versions add` takes for a distro."""
    return archive({"versions": None, "versions/current": f"-> {version}", f"versions/{version}": None,
                    f"versions/{version}/usr": None, f"versions/{version}/usr/bin": None, f"versions/{version}/usr/bin/causeway": f"program {version}",
                    f"versions/{version}/usr/share": None, f"versions/{version}/usr/share/causeway": None,
                    f"versions/{version}/usr/share/causeway/architecture": machine + "\n", f"versions/{version}/filler": "x" * filler})
