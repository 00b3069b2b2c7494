"""The real causeway.exe in a Wine prefix: its commands, its settings, and the shim that they start."""

import glob
import json
import os
import subprocess
import threading
import time
import uuid

from .wine import PRODUCT

# What tests run as is an administrator for Wine, always: as one who works elevated only.
ELEVATED = "--allow-elevated"


class Causeway:
    def __init__(self, prefix):
        self.prefix = prefix
        self.folder = os.path.join(glob.glob(f"{prefix.drive_c}/users/*/AppData/Local")[0], "Causeway")

    def __call__(self, *arguments, check=True, timeout=60):
        done = self.prefix.run(PRODUCT, *arguments, check=False, timeout=timeout)
        assert not check or done.returncode == 0, f"causeway.exe {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def file(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.file(name), encoding="utf-8") as file:
            return file.read()

    def configure(self, settings=None, **more):
        """settings.json: text as it is, or the settings by name; none: the file goes."""
        os.makedirs(self.folder, exist_ok=True)
        if settings is None and not more:
            if os.path.exists(self.file("settings.json")):
                os.unlink(self.file("settings.json"))
            return
        with open(self.file("settings.json"), "w", encoding="utf-8") as file:
            file.write(settings if isinstance(settings, str) else json.dumps(more))

    def status(self):
        """None while no shim serves."""
        done = self("status", "--json", check=False)
        assert done.returncode in (0, 1, 3), done
        return json.loads(done.stdout) if done.returncode != 3 else None


class Running(Causeway):
    """`causeway.exe run`, from entering to leaving the block; its log is at hand as it comes."""

    def __init__(self, prefix, **settings):
        super().__init__(prefix)
        self.configure(**settings)
        self.log, self.changed = [], threading.Condition()

    def __enter__(self):
        self.process = self.prefix.start(PRODUCT, "run", ELEVATED, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, kind, *_):
        try:
            if self.process.poll() is None:
                assert self("stop", check=False).returncode == 0 or kind
                assert self.process.wait(20) == 0 or kind
        finally:
            self.process.kill()
            self.process.wait()

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.log.append(line.rstrip())
                self.changed.notify_all()
        with self.changed:
            self.log.append("(ended)")
            self.changed.notify_all()

    def mark(self):
        with self.changed:
            return len(self.log)

    def wait_log(self, text, since=0, timeout=30):
        with self.changed:
            assert self.changed.wait_for(lambda: any(text in line for line in self.log[since:]), timeout), (text, self.log[-20:])

    def wait(self, condition, timeout=60):
        """Until the status fulfils the condition; asked when the log tells of something, and now and then. Returns it."""
        deadline = time.monotonic() + timeout
        while True:
            seen = self.mark()
            status = self.status()
            if status and condition(status):
                return status
            assert "(ended)" not in self.log, self.log[-20:]
            assert time.monotonic() < deadline, (status, self.log[-20:])
            with self.changed:
                self.changed.wait_for(lambda seen=seen: len(self.log) > seen, 0.5)

    def wait_connected(self, carrier=None, timeout=60):
        return self.wait(lambda status: status["connected"] and carrier in (None, status["link"]["carrier"]), timeout)


def add_distro(prefix, name, *, version=2, state=1, uid=1000):
    """An entry of WSL's list in the registry, as `wsl --install` makes one."""
    key = rf"HKCU\Software\Microsoft\Windows\CurrentVersion\Lxss\{{{uuid.uuid4()}}}"
    for value, kind, data in (("DistributionName", "REG_SZ", name), ("Version", "REG_DWORD", version), ("State", "REG_DWORD", state),
                              ("DefaultUid", "REG_DWORD", uid)):
        prefix.run("reg", "add", key, "/v", value, "/t", kind, "/d", data, "/f")
    return key
