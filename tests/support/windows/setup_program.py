"""The Windows setup program in a Wine prefix, with a wsl.exe that only notes its calls: what tests/e2e/test_setup_program.py asks."""

import os
import re
import shutil
import subprocess

from polling import poll
from repository import REPOSITORY

from .wine import PROGRAMS, WINE

RECORDER = f"{PROGRAMS}/wsl_recorder.exe"
PROGRAM = r"C:\users\root\AppData\Local\Programs\Causeway"
DATA = r"C:\users\root\AppData\Local\Causeway"
DISTRO_DIR = DATA + r"\distro"
LXSS = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Lxss"
RUN = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run"
UNINSTALL = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\Causeway"
REG = r"C:\windows\system32\reg.exe"
OURS = r"HKCU\Software\Causeway"


def build(rootfs, output, version, clients=None):
    subprocess.run([f"{REPOSITORY}/packaging/setup-program", "--version", version, *(["--clients", clients] if clients else []), rootfs, output],
                   check=True, capture_output=True, text=True)


class Machine:
    """A user's Windows with WSL. `wsl("no-wsl")` and the other files of wsl_recorder.cpp make it fail."""

    def __init__(self, prefix, folder):
        self.prefix = prefix
        self.drive_c = f"{prefix.root}/prefix/drive_c"
        self._recorder = str(folder)
        prefix.environment["WSL_RECORDER"] = "Z:" + self._recorder.replace("/", "\\")
        shutil.copy(RECORDER, f"{self.drive_c}/windows/system32/wsl.exe")
        # Windows has them; Wine makes them when they are first used.
        if self.exists(PROGRAM.rpartition("\\")[0]):
            return
        os.makedirs(self.path(PROGRAM.rpartition("\\")[0]))
        for key in (LXSS, RUN, UNINSTALL.rpartition("\\")[0], r"HKCU\Environment"):
            prefix.run(REG, "add", key, "/f")

    def wsl(self, *failures):
        for name in os.listdir(self._recorder):
            if name != "calls":
                os.unlink(f"{self._recorder}/{name}")
        for name in failures:
            with open(f"{self._recorder}/{name}", "w", encoding="ascii"):
                pass

    def take_calls(self):
        """What wsl.exe was called with since the last question, without `--version`: a list of lists."""
        path = f"{self._recorder}/calls"
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            calls = [line.rstrip("\n").split("\t") for line in file]
        os.unlink(path)
        return [call for call in calls if call != ["--version"]]

    def run(self, program, *arguments, timeout=120):
        """Its exit code. Waits for whatever it has started."""
        with open(f"{self._recorder}.out", "wb") as out:
            code = subprocess.run([WINE, program, *arguments], env=self.prefix.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                  timeout=timeout, check=False).returncode
        return code

    def setup(self, program, *arguments):
        return self.run(program, "/S", "/NOSTART", *arguments)

    def uninstall(self, *arguments):
        """The uninstaller copies itself away and goes on there, so that it can remove itself. Nothing tells of the copy's end but what
        it does last: its folder goes."""
        code = self.run(PROGRAM + r"\uninstall.exe", "/S", *arguments)
        poll(lambda: not self.exists(PROGRAM), "the uninstaller has removed its folder", timeout=60)
        return code

    def path(self, windows):
        """A path of drive C as this machine's."""
        return windows.replace("C:", self.drive_c, 1).replace("\\", "/")

    def exists(self, windows):
        return os.path.exists(self.path(windows))

    def read(self, windows, encoding="utf-8"):
        with open(self.path(windows), encoding=encoding, newline="") as file:
            return file.read()

    def log(self):
        return self.read(DATA + r"\setup.log", "utf-16-le") if self.exists(DATA + r"\setup.log") else ""

    def registry(self, key):
        """{value's name: data} of a key; None when there is no such key."""
        done = self.prefix.run(REG, "query", key, check=False)
        if done.returncode != 0:
            return None
        return {name: data for name, data in re.findall(r"^    (.+?)    REG_\w+    (.*?)\r?$", done.stdout, re.MULTILINE)}

    def set_registry(self, key, name, data, kind="REG_SZ"):
        self.prefix.run(REG, "add", key, "/v", name, "/t", kind, "/d", data, "/f")

    def remove_registry(self, key):
        self.prefix.run(REG, "delete", key, "/f", check=False)

    def add_distro(self, guid, name, place, state=1):
        key = rf"{LXSS}\{guid}"
        self.set_registry(key, "DistributionName", name)
        self.set_registry(key, "BasePath", place)
        self.set_registry(key, "State", str(state), "REG_DWORD")
        os.makedirs(self.path(place), exist_ok=True)
        with open(self.path(place + r"\ext4.vhdx"), "w", encoding="ascii") as file:
            file.write("somebody's disk")

    def distros(self):
        """{name: folder} of the registered ones."""
        done = self.prefix.run(REG, "query", LXSS, "/s", check=False)
        names = re.findall(r"DistributionName    REG_SZ    (.*?)\r?$", done.stdout, re.MULTILINE)
        places = re.findall(r"BasePath    REG_SZ    (.*?)\r?$", done.stdout, re.MULTILINE)
        return dict(zip(names, (place.removeprefix("\\\\?\\") for place in places)))

    def snapshot(self):
        """(all of the user's registry, all of the user's files): to compare."""
        target = f"{self._recorder}.reg"
        self.prefix.run("regedit", "/E", "Z:" + target.replace("/", "\\"), "HKEY_CURRENT_USER")
        with open(target, encoding="utf-16") as file:
            keys = file.read().split("\n[")
        # Console: Wine's own note of what console programs look like, whenever the first one runs.
        registry = [key for key in keys if not key.startswith(r"HKEY_CURRENT_USER\Console")]
        files = sorted(os.path.relpath(os.path.join(folder, name), self.drive_c)
                       for folder, folders, names in os.walk(f"{self.drive_c}/users") for name in folders + names)
        # Wine's own traces of having run programs.
        return registry, [name for name in files if "/Temp" not in name]
