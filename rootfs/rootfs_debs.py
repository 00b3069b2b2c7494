"""Debian packages for rootfs/build: fetched by mmdebstrap with a package state of its own, unpacked, and asked who they are.

The machine's apt configuration gives the mirror and is not touched.
"""

import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile

SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Refused(Exception):
    """One sentence: what is wrong, and the way out. `code` is the exit code."""

    def __init__(self, text, code=1):
        super().__init__(text)
        self.code = code


class Deb:
    def __init__(self, path):
        self.path = path
        told = subprocess.run(["dpkg-deb", "-W", "--showformat=${Package}\n${Version}\n${source:Package}\n${source:Version}\n${Architecture}\n"
                               "${Static-Built-Using}, ${Built-Using}\n", path], check=True, capture_output=True, text=True).stdout
        self.name, self.version, self.source, self.source_version, self.architecture, built = told.split("\n")[:6]
        self.contains = sorted({part.strip() for part in built.split(",") if part.strip()})
        with open(path, "rb") as file:
            self.sha256 = digest(file)


def digest(file):
    """SHA-256 in hex."""
    sha256 = hashlib.sha256()
    while block := file.read(1 << 20):
        sha256.update(block)
    return sha256.hexdigest()


def read_table(path, names):
    """[(package, component, [(glob, place or None)])] of the file `packages`; `names` fills its {…}."""
    table = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) < 2:
                raise Refused(f"{path}:{number}: a package has a component", 65)
            entries = []
            for word in words[2:]:
                source, _, place = word.format(**names).partition("=")
                entries.append((source, place or None))
            table.append((words[0], words[1], entries))
    return table


def mirror_lines(mirror):
    """apt source lines of the suite, on the mirrors that this machine's own apt uses; `mirror` instead, if given."""
    if mirror:
        return [f"deb {mirror} {SUITE} main"]
    told = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)", "Created-By: Packages"],
                          check=False, capture_output=True, text=True).stdout
    lines = []
    for target in told.splitlines():
        uri, release, component, origin = target.split("|")
        kind = re.fullmatch(r"[a-z]+(|-updates|-security)", release)
        if origin == "Debian" and component == "main" and kind:
            lines.append(f"deb {uri.rstrip('/')} {SUITE}{kind.group(1)} main")
    lines = list(dict.fromkeys(lines))
    if not lines:
        raise Refused("this machine's apt knows no mirror of Debian (packages lists may be missing: apt-get update); give one with --mirror URL")
    return lines


def fetch(folder, packages, architecture, mirror, say):
    """Fills `folder` with the packages and what they depend on; it appears whole or not at all."""
    for program in ("mmdebstrap", "dpkg-deb"):
        if not shutil.which(program):
            raise Refused(f"{program} is missing: packaging/install release")
    if not os.path.exists(KEYRING):
        raise Refused(f"{KEYRING} is missing: packaging/install release")
    lines = mirror_lines(mirror)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=".packages-", dir=os.path.dirname(folder))
    try:
        say(f"fetching {len(packages)} packages of Debian {SUITE} and what they need")
        hook = f'cp "$1"/var/cache/apt/archives/*.deb {temporary}/'
        proxy = subprocess.run(["apt-config", "dump", "Acquire::http::Proxy", "Acquire::https::Proxy"], check=False, capture_output=True,
                               text=True).stdout.splitlines()
        done = subprocess.run(["mmdebstrap", "--variant=extract", "--format=null", f"--architectures={architecture}", f"--keyring={KEYRING}",
                               f"--include={','.join(packages)}", *[f"--aptopt={line}" for line in proxy if "Proxy" in line],
                               f"--extract-hook={hook}", SUITE, "-", *lines], check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            tail = "\n  ".join(done.stdout.strip().splitlines()[-8:])
            raise Refused(f"mmdebstrap could not fetch the packages:\n  {tail}")
        debs = sorted(name for name in os.listdir(temporary) if name.endswith(".deb"))
        with open(f"{temporary}/complete.json", "w", encoding="utf-8") as file:
            json.dump({"packages": sorted(packages), "architecture": architecture, "debs": debs}, file)
        os.chmod(temporary, 0o755)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def is_complete(folder, packages, architecture):
    """Whether `folder` was fetched for these packages, and holds all of them."""
    try:
        with open(f"{folder}/complete.json", encoding="utf-8") as file:
            told = json.load(file)
    except (OSError, ValueError):
        return False
    return (told["packages"] == sorted(packages) and told["architecture"] == architecture
            and all(os.path.exists(f"{folder}/{name}") for name in told["debs"]))


class Pool:
    """All packages unpacked into one folder, and whose each file is."""

    def __init__(self, debs, folder):
        self.root = folder
        self.debs = {deb.name: deb for deb in debs}
        self._owner = {}
        os.makedirs(folder)
        for deb in debs:
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb.path], stdout=subprocess.PIPE) as unpack:
                done = subprocess.run(["tar", "-x", "-v", "--quoting-style=literal", "--no-same-owner", "--keep-directory-symlink", "--exclude=./usr/share/man",
                                       "--exclude=./usr/share/locale", "--exclude=./usr/share/perl*", "--exclude=./usr/lib/*/perl*", "-C", folder],
                                      stdin=unpack.stdout, check=False, capture_output=True, text=True)
                if done.returncode != 0:
                    said = done.stderr.strip().splitlines()
                    raise OSError(f"unpack {deb.path}: {next((line for line in said if 'No space' in line), said[0])}")
            for name in done.stdout.splitlines():
                if not name.endswith("/"):
                    self._owner[name.removeprefix("./")] = deb.name

    def has(self, path):
        return path in self._owner

    def owner(self, path):
        return self.debs[self._owner[path]]

    def find(self, package, pattern):
        """The package's paths that match, sorted; nothing is an error: the suite has changed, and the table must."""
        found = sorted(path for path, owner in self._owner.items() if owner == package and fnmatch.fnmatchcase(path, pattern))
        if not found:
            raise Refused(f"rootfs/packages: package {package} holds no {pattern}", 65)
        return found

    def library(self, name, multiarch):
        """The path of a shared library, or None."""
        return next((path for path in (f"usr/lib/{multiarch}/{name}", f"usr/lib/{name}", f"lib/{multiarch}/{name}") if path in self._owner), None)

    def real(self, path):
        """What a link leads to, as a path below the root."""
        while os.path.islink(f"{self.root}/{path}"):
            target = os.readlink(f"{self.root}/{path}")
            path = target.lstrip("/") if target.startswith("/") else os.path.normpath(os.path.join(os.path.dirname(path), target))
        return path
