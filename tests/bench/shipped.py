"""The rows about what is published: how long rootfs/build takes with the packages at hand, and how large its archive is."""
import json
import os
import statistics
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GROUPS = ["shipped"]
FULL, QUICK = 3, 1


class Shipped:
    def __init__(self, table, options, _bootstrap):
        self.table, self.options = table, options

    def everything(self, _groups):
        with tempfile.TemporaryDirectory(prefix="causeway-bench-", dir="/var/tmp") as folder:
            command = [f"{ROOT}/rootfs/build", "--out", folder, "--agent", self.options.agent, "--json"]
            took, told = [], {}
            for index in range((QUICK if self.options.quick else FULL) + 1):
                begun = time.monotonic()
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
                if index:  # not counted: the first fetches the packages
                    took.append(time.monotonic() - begun)
                told = json.loads(done.stdout)
        archive = next(entry["bytes"] for name, entry in told["files"].items() if name.endswith(".tar.gz"))
        self.table.add("root file system: built, with its packages at hand", statistics.median(took), "s")
        self.table.add("root file system: unpacked", told["unpacked_bytes"] / 1e6, "MB",
                       note=", ".join(f"{name} {size / 1e6:.0f}" for name, size in told["components"].items()))
        self.table.add("root file system: archive, without k3s", archive / 1e6, "MB", 200)
