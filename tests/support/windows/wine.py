"""Windows programs on this machine: a Wine prefix of its own, programs in it, and their end."""

import os
import shutil
import subprocess
import tempfile

from repository import WINDOWS_BUILD

WINE = "/usr/lib/wine/wine64"
SERVER = "/usr/lib/wine/wineserver64"
PROGRAMS = os.path.join(WINDOWS_BUILD, "tests", "support", "programs", "windows")
PRODUCT = os.path.join(WINDOWS_BUILD, "host-shim", "causeway.exe")


class Prefix:
    """One Wine prefix: its pipes, registry and processes are its own. As a context: gone at the end, with all that runs in it.
    `root` is where it is made, if not in a folder of its own; one that is there already is joined."""

    def __init__(self, root=None):
        self.root = root or tempfile.mkdtemp(prefix="causeway-wine-")
        self.environment = dict(os.environ, HOME=os.path.join(self.root, "home"), WINEPREFIX=os.path.join(self.root, "prefix"), WINEDEBUG="-all")
        self.drive_c = os.path.join(self.root, "prefix", "drive_c")
        for folder in ("HOME", "WINEPREFIX"):
            os.makedirs(self.environment[folder], exist_ok=True)
        if os.path.isdir(self.drive_c):
            return
        quiet = {"env": self.environment, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        for key, value, data in (
                (r"HKCU\Software\Wine", "Version", "win10"),  # the default is older than what the programs ask for
                (r"HKCU\Software\Wine\Drivers", "Graphics", "null")):  # windows, and no screen
            subprocess.run([WINE, "reg", "add", key, "/v", value, "/d", data, "/f"], check=True, timeout=120, **quiet)
        # From the next start on, both count.
        subprocess.run([SERVER, "-k"], check=False, **quiet)
        subprocess.run([SERVER, "-w"], check=False, timeout=30, **quiet)
        # Wine's own services live from the first program to the end, with what that one has for output: were it a pipe, whoever
        # reads it would wait for them.
        subprocess.run([SERVER, "-p"], check=True, timeout=60, **quiet)
        subprocess.run([WINE, "cmd", "/c", "exit"], check=True, timeout=60, **quiet)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        subprocess.run([SERVER, "-k"], env=self.environment, check=False)
        subprocess.run([SERVER, "-w"], env=self.environment, check=False, timeout=30)
        shutil.rmtree(self.root, ignore_errors=True)

    def run(self, *command, timeout=60, check=True):
        """To its end. Its output goes to files: a program that it leaves behind (`causeway.exe start`) has them open, too."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            done = subprocess.run([WINE, *map(str, command)], env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                                  timeout=timeout, check=False)
            for file in (out, errors):
                file.seek(0)
            done.stdout, done.stderr = (file.read().decode(errors="replace").replace("\r\n", "\n") for file in (out, errors))
        if check:
            done.check_returncode()
        return done

    def start(self, *command, **more):
        return subprocess.Popen([WINE, *map(str, command)], env=self.environment, text=True, encoding="utf-8", **more)


def windows_path(path):
    """As Windows programs in Wine call a file of this machine."""
    return "Z:" + os.path.realpath(path).replace("/", "\\")


def missing():
    """What is not there to run Windows programs with; empty when all is."""
    return [path for path in (WINE, SERVER) if not os.path.exists(path)]
