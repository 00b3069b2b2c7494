"""The tree of the distro, as rootfs/build puts it together.

    /versions/VERSION   the engine's root, which `causeway init` pivots into; /versions/current names the one to run
    /data               images, volumes, state, the user's settings: outlive every version
    /                   busybox, and links into the current version
"""

import os
import shutil
import stat
import subprocess

import rootfs_elf as elf
from rootfs_debs import Refused

TOOLS = "usr/local/lib/causeway"
LAYOUT = {
    "amd64": {"multiarch": "x86_64-linux-gnu", "loader": "lib64/ld-linux-x86-64.so.2", "machine": "x86_64"},
    "arm64": {"multiarch": "aarch64-linux-gnu", "loader": "lib/ld-linux-aarch64.so.1", "machine": "aarch64"},
}
_MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
_FOLDERS = {"dev": 0o755, "etc": 0o755, "home": 0o755, "mnt": 0o755, "proc": 0o555, "root": 0o700, "run": 0o755, "sys": 0o555, "tmp": 0o1777,
            "usr/bin": 0o755, "usr/sbin": 0o755, "usr/lib": 0o755, "usr/lib64": 0o755, "var/lib": 0o755, "var/tmp": 0o1777}
# Where distros look for each tool. The docker CLI runs `docker-compose` as a plugin and people run it as a command.
_TOOL_PLACES = {"docker": ["bin"], "kubectl": ["bin"], "docker-buildx": ["cli-plugins"], "docker-compose": ["cli-plugins", "bin"]}
# Nothing here is installed with them, and neither root is started by an init of busybox.
_UNWANTED_APPLETS = {"busybox", "dpkg", "dpkg-deb", "rpm", "rpm2cpio", "init", "linuxrc"}
# The tools bring their own loader and C library: so they run in a distro without one (musl), or with an older one. Nothing but a shell
# is asked of it.
_WRAPPER = """#!/bin/sh
exec /{tools}/lib/{loader} --argv0 "$0" --library-path /{tools}/lib /{tools}/libexec/{name} "$@"
"""


class Root:
    """The engine's root while it is made: `shipped` says for each file which component and package it is of."""

    def __init__(self, folder, architecture, pool):
        self.folder = folder
        self.architecture = architecture
        self.names = LAYOUT[architecture]
        self.pool = pool
        self.shipped = {}
        make_skeleton(folder)

    # From packages ------------------------------------------------------------------------------------

    def take(self, table):
        for package, component, entries in table:
            for pattern, place in entries:
                for path in self.pool.find(package, pattern):
                    self._copy(path, place or path, component)

    def take_libraries(self):
        """Adds what the programs that are here need, until nothing is missing."""
        wanted = [path for path in self.shipped if not path.startswith(f"{TOOLS}/")]
        loader = self.pool.real(f"usr/{self.names['loader']}")
        while wanted:
            path = wanted.pop()
            program = self._read(path)
            if program is None:
                continue
            needed = [(name, f"usr/lib/{self.names['multiarch']}/{name}") for name in program.needed if not name.startswith("ld-")]
            if program.interpreter:
                needed.append((os.path.basename(loader), f"usr/{self.names['loader']}"))
            wanted += self._add_libraries(path, needed)

    def take_tool_libraries(self):
        """A loader and libraries of their own for the tools, and what starts them with these."""
        loader = os.path.basename(self.names["loader"])
        tools = sorted(name for name in os.listdir(f"{self.folder}/{TOOLS}/libexec"))
        wanted = [f"{TOOLS}/libexec/{name}" for name in tools]
        while wanted:
            path = wanted.pop()
            program = self._read(path)
            if program is None or not program.needed and not program.interpreter:
                continue
            names = [name for name in program.needed if not name.startswith("ld-")] + ([loader] if program.interpreter else [])
            wanted += self._add_libraries(path, [(name, f"{TOOLS}/lib/{name}") for name in names])
        for name in tools:
            program = self._read(f"{TOOLS}/libexec/{name}")
            for folder in _TOOL_PLACES[name]:
                place = f"{self.folder}/{TOOLS}/{folder}/{name}"
                os.makedirs(os.path.dirname(place), exist_ok=True)
                if program is not None and program.interpreter:
                    write(place, _WRAPPER.format(tools=TOOLS, loader=loader, name=name), 0o755)
                else:
                    os.symlink(f"../libexec/{name}", place)

    def _add_libraries(self, whose, needed):
        added = []
        for name, place in needed:
            if place in self.shipped:
                continue
            path = self.pool.library(name, self.names["multiarch"]) or self.pool.library(name, "../" + os.path.dirname(self.names["loader"]))
            if name == os.path.basename(self.names["loader"]):
                path = self.pool.real(f"usr/{self.names['loader']}")
            if not path:
                raise Refused(f"{whose} needs {name}, and no package that it depends on holds it", 65)
            self._copy(self.pool.real(path), place, "tools" if place.startswith(TOOLS) else "libraries")
            added.append(place)
        return added

    def _copy(self, path, place, component):
        source, target = f"{self.pool.root}/{path}", f"{self.folder}/{place}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.lexists(target):
            os.unlink(target)
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
        else:
            shutil.copy(source, target)
        self.shipped[place] = (component, self.pool.owner(path).name)

    def _read(self, path):
        full = f"{self.folder}/{path}"
        if os.path.islink(full) or not os.path.isfile(full):
            return None
        program = elf.read(full)
        if program is not None and program.machine != elf.MACHINES[self.architecture]:
            raise Refused(f"{path} is not for {self.architecture}", 65)
        return program

    # Made here ----------------------------------------------------------------------------------------

    def add_file(self, source, place, component):
        """A program that is no package's: the agent, k3s, another kubectl."""
        target = f"{self.folder}/{place}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.lexists(target):
            os.unlink(target)
        shutil.copyfile(source, target)
        os.chmod(target, 0o755)
        self.shipped[place] = (component, None)

    def add_overlay(self, folder):
        copy_tree(folder, self.folder)

    def finish(self, version):
        """What the packages' scripts would have made, and links."""
        self._certificates()
        for old in ("iptables", "ip6tables"):
            for what in ("", "-save", "-restore"):
                # Debian's default; the agent finds out at each start whether it works (engine-config, host-setup).
                os.symlink("xtables-nft-multi", f"{self.folder}/usr/sbin/{old}{what}")
        link_applets(self.folder)
        for name in sorted(os.listdir(f"{self.folder}/{TOOLS}/bin")):
            os.symlink(f"/{TOOLS}/bin/{name}", f"{self.folder}/usr/bin/{name}")
        os.makedirs(f"{self.folder}/usr/lib/docker", exist_ok=True)
        os.symlink(f"/{TOOLS}/cli-plugins", f"{self.folder}/usr/lib/docker/cli-plugins")
        # The user's: they outlive the version.
        os.symlink("/data/etc/docker", f"{self.folder}/etc/docker")
        os.symlink("/data/etc/causeway/settings.json", f"{self.folder}/etc/causeway/settings.json")
        for name in ("resolv.conf", "hosts"):
            write(f"{self.folder}/etc/{name}", "")  # init attaches WSL's there
        for name in ("data", "versions", "usr/lib/wsl", "usr/lib/modules"):
            os.makedirs(f"{self.folder}/{name}", exist_ok=True)
        write(f"{self.folder}/etc/os-release", f'NAME="Causeway"\nID=causeway\nPRETTY_NAME="Causeway {version}"\nVERSION_ID={version}\n')
        write(f"{self.folder}/usr/share/causeway/architecture", self.names["machine"] + "\n")

    def _certificates(self):
        source = f"{self.folder}/usr/share/ca-certificates/mozilla"
        parts = []
        for name in sorted(os.listdir(source)):
            with open(f"{source}/{name}", encoding="ascii") as file:
                parts.append(file.read().rstrip("\n") + "\n")
        write(f"{self.folder}/etc/ssl/certs/ca-certificates.crt", "".join(parts))
        shutil.rmtree(source)  # all that reads them here reads the bundle
        for path in [path for path in self.shipped if path.startswith("usr/share/ca-certificates/")]:
            del self.shipped[path]
        self.shipped["etc/ssl/certs/ca-certificates.crt"] = ("base", "ca-certificates")

    def write_licences(self, repository, agent_packages):
        """/usr/share/licenses: of each package that anything here comes from, its copyright file; INDEX names them, their sources, and what
        is compiled into them."""
        lines = ["What this root file system is made of. Each component's licence: the file copyright in its folder here; texts that",
                 "these refer to: /usr/share/common-licenses. Sources: the source packages of Debian named here, in these versions.", ""]
        place = f"{self.folder}/usr/share/licenses"
        for name in sorted({package for _, package in self.shipped.values() if package}):
            deb = self.pool.debs[name]
            lines.append(f"{name} {deb.version} (source: {deb.source} {deb.source_version})")
            lines += [f"  contains {part}" for part in deb.contains]
            self._copyright(f"{self.pool.root}/usr/share/doc/{name}/copyright", f"{place}/{name}/copyright", name)
        lines.append("causeway: Apache-2.0, causeway/LICENSE; linked into it:")
        shutil.copyfile(f"{repository}/LICENSE", _parent(f"{place}/causeway/LICENSE"))
        for name in agent_packages:
            lines.append(f"  {name}")
            self._copyright(f"/usr/share/doc/{name}/copyright", f"{place}/causeway/{name}", name)
        for path, (component, package) in sorted(self.shipped.items()):
            if package is None and component != "agent":
                lines.append(f"{os.path.basename(path)}: given to the build; its own licence applies")
        write(f"{place}/INDEX", "\n".join(lines) + "\n")

    @staticmethod
    def _copyright(source, target, name):
        if not os.path.exists(source):
            raise Refused(f"package {name} has no copyright file ({source})", 65)
        shutil.copyfile(source, _parent(target))

    def sizes(self):
        """{component: bytes}."""
        sizes = {}
        for folder, _, names in os.walk(self.folder):
            for name in names:
                full = f"{folder}/{name}"
                path = os.path.relpath(full, self.folder)
                component = self.shipped.get(path, ("tools" if path.startswith(TOOLS) else "base", None))[0]
                if not os.path.islink(full):
                    sizes[component] = sizes.get(component, 0) + os.path.getsize(full)
        return sizes


def check_program(path, architecture):
    """Refuses what can't run on the architecture."""
    try:
        program = elf.read(path)
    except ValueError as error:
        raise Refused(str(error), 65) from None
    if program is None:
        raise Refused(f"{path} is no program", 65)
    if program.machine != elf.MACHINES[architecture]:
        raise Refused(f"{path} is not a program for {architecture}", 65)


def make_distro(folder, version, overlay):
    """The outer root; the version's is at versions/VERSION already."""
    make_skeleton(folder)
    root = f"{folder}/versions/{version}"
    shutil.copy(f"{root}/usr/bin/busybox", f"{folder}/usr/bin/busybox")
    link_applets(folder)
    copy_tree(overlay, folder)
    os.symlink(version, f"{folder}/versions/current")
    os.symlink("../../versions/current/usr/bin/causeway", f"{folder}/usr/bin/causeway")
    os.makedirs(f"{folder}/usr/libexec")
    os.symlink("../../versions/current/usr/libexec/causeway", f"{folder}/usr/libexec/causeway")
    shutil.copyfile(f"{root}/etc/os-release", f"{folder}/etc/os-release")
    for name in ("data/causeway", "data/etc/docker", "data/etc/causeway", "data/log"):
        os.makedirs(f"{folder}/{name}")
    # Who comes from Windows (wsl.localhost) or by `wsl -d` finds the engine's settings where they look for them. Relative: such a link
    # leads to the same place for Windows, too.
    os.symlink("../data/etc/docker", f"{folder}/etc/docker")
    os.symlink("../../data/etc/causeway/settings.json", f"{folder}/etc/causeway/settings.json")
    os.makedirs(f"{folder}/usr/share", exist_ok=True)
    os.symlink("../../versions/current/usr/share/licenses", f"{folder}/usr/share/licenses")


def make_skeleton(folder):
    for name, mode in _FOLDERS.items():
        os.makedirs(f"{folder}/{name}", exist_ok=True)
        os.chmod(f"{folder}/{name}", mode)
    for name, target in _MERGED.items():
        os.symlink(target, f"{folder}/{name}")
    os.symlink("/run", f"{folder}/var/run")
    write(f"{folder}/etc/shadow", "root:*:19000:0:99999:7:::\n", 0o600)


def link_applets(folder):
    """A link for each of busybox's applets whose name no real program has."""
    told = subprocess.run([f"{folder}/usr/bin/busybox", "--list-full"], check=True, capture_output=True, text=True).stdout
    for applet in told.split():
        name, place = os.path.basename(applet), "usr/sbin" if "sbin/" in applet else "usr/bin"
        if name not in _UNWANTED_APPLETS and not any(os.path.lexists(f"{folder}/{at}/{name}") for at in ("usr/bin", "usr/sbin")):
            os.symlink("/usr/bin/busybox", f"{folder}/{place}/{name}")


def copy_tree(source, target):
    for folder, _, names in os.walk(source):
        for name in names:
            path = os.path.join(folder, name)
            place = f"{target}/{os.path.relpath(path, source)}"
            shutil.copyfile(path, _parent(place))
            os.chmod(place, 0o755 if os.stat(path).st_mode & stat.S_IXUSR else 0o644)


def write(path, text, mode=0o644):
    with open(_parent(path), "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def _parent(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path
