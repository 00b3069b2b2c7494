"""Windows programs on this machine: a Wine prefix of its own, programs in it, and their end."""

import os
import shutil
import subprocess
import tempfile

WINE = "/usr/lib/wine/wine64"
SERVER = "/usr/lib/wine/wineserver64"
_BUILD = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))), "build", "windows")
PROGRAMS = os.path.join(_BUILD, "tests", "support", "programs", "windows")
PRODUCT = os.path.join(_BUILD, "host-shim", "causeway.exe")


class Prefix:
    """One Wine prefix: its pipes, registry and processes are its own. As a context: gone at the end, with all that runs in it.
    `root` is where it is made, if not in a folder of its own."""

    def __init__(self, root=None):
        self.root = root or tempfile.mkdtemp(prefix="causeway-wine-")
        self.environment = dict(os.environ, HOME=os.path.join(self.root, "home"), WINEPREFIX=os.path.join(self.root, "prefix"), WINEDEBUG="-all")
        self.drive_c = os.path.join(self.root, "prefix", "drive_c")
        os.makedirs(self.environment["HOME"], exist_ok=True)
        if os.path.isdir(self.drive_c):
            return
        # Windows 10: the default is older than what the programs ask for.
        self.run("reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f", timeout=120)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        subprocess.run([SERVER, "-k"], env=self.environment, check=False)
        subprocess.run([SERVER, "-w"], env=self.environment, check=False, timeout=30)
        shutil.rmtree(self.root, ignore_errors=True)

    def run(self, *command, timeout=60, check=True):
        return subprocess.run([WINE, *map(str, command)], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, encoding="utf-8", timeout=timeout, check=check)

    def start(self, *command, **more):
        return subprocess.Popen([WINE, *map(str, command)], env=self.environment, text=True, encoding="utf-8", **more)


def windows_path(path):
    """As Windows programs in Wine call a file of this machine."""
    return "Z:" + os.path.realpath(path).replace("/", "\\")


def missing():
    """What is not there to run Windows programs with; empty when all is."""
    return [path for path in (WINE, SERVER) if not os.path.exists(path)]
