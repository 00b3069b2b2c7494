"""How soon docker answers after docker-desktop was started, in the simulated VM of tests/support: with the agent, and with the daemons alone.

Both are docker-desktop distros of their own VMs, with the same root, disk and kernel namespaces; what differs is the boot command. The bare one
moves into the same root by chroot, starts containerd, and dockerd when containerd's socket is there.
"""
import json
import socket
import statistics
import subprocess
import time

from wslvm.engine import EngineVm
from wslvm.vm import PRODUCT_ETC

GROUPS = ["distro"]
ROUNDS = {"full": 15, "quick": 3}
SECONDS = 60  # for one start
RUN = "/run/causeway"
_BARE = """
for folder in proc sys dev run data; do mount --rbind /$folder /versions/dev/$folder; done
exec chroot /versions/dev /bin/sh -c '
mkdir -p {run}
{containerd} &
while ! [ -S {run}/containerd.sock ]; do sleep 0.002; done
exec {dockerd}'
"""


def _argv(services, name):
    with open(f"{services}/{name}.json", encoding="utf-8") as file:
        argv = json.load(file)["argv"]
    # dockerd's settings are made by the agent at each start; without them it has its defaults.
    return " ".join(word.replace("${run}", RUN).replace("${data}", "/data").replace("${etc}", "/etc/causeway") for word in argv
                    if not word.startswith("--config-file="))


class DistroStart:
    def __init__(self, table, options, bootstrap):
        self.table, self.options, self.bootstrap = table, options, bootstrap
        services = f"{PRODUCT_ETC}/causeway/services.d"
        bare = _BARE.format(run=RUN, containerd=_argv(services, "containerd"), dockerd=_argv(services, "dockerd"))
        self.sides = {"bare": (EngineVm("/var/tmp/causeway-bench-bare"), "dockerd.sock", ["/bin/sh", "-c", bare]),
                      "agent": (EngineVm("/var/tmp/causeway-bench-agent"), "engine.sock", True)}

    def everything(self, groups):
        try:
            for vm, _, boot in self.sides.values():
                vm.down()  # of a run that was killed
                vm.up([], causeway=self.options.agent, boot=boot, helpers=False)
            for group in groups:
                getattr(self, group)()
        finally:
            for vm, _, _ in self.sides.values():
                vm.down()

    def distro(self):
        took = {name: [] for name in self.sides}
        for index in range(ROUNDS["quick" if self.options.quick else "full"] + 1):
            for name in list(self.sides)[::1 if index % 2 else -1]:
                spent = self._once(*self.sides[name][:2])
                if index:  # not counted: the first makes disk and data root
                    took[name].append(spent * 1e3)
        title = "distro start to first docker version"
        self.table.add(f"{title}: bare daemons", statistics.median(took["bare"]), "ms")
        self.table.add(f"{title}: agent", statistics.median(took["agent"]), "ms", 2000)

        def more(a, b):
            return statistics.median(a) - statistics.median(b)
        self.table.add(f"{title}: agent - bare", more(took["agent"], took["bare"]), "ms", 80,
                       interval=self.bootstrap(more, took["agent"], took["bare"], paired=False))

    def _once(self, vm, socket_name):
        begun = time.monotonic()
        vm.start("docker-desktop")
        path = vm.socket_path(socket_name)
        self._await_ping(vm, path, begun + SECONDS)
        subprocess.run(["/usr/bin/docker", "-H", f"unix://{path}", "version"], check=True, stdout=subprocess.DEVNULL, timeout=SECONDS)
        spent = time.monotonic() - begun
        vm.stop("docker-desktop")
        return spent

    @staticmethod
    def _await_ping(vm, path, deadline):
        """Both sides are asked the same way: the bare socket isn't there until dockerd serves it."""
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(SECONDS)
                    client.connect(path)
                    client.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
                    if client.recv(4096).startswith(b"HTTP/1.1 200"):
                        return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"{path} doesn't answer within {SECONDS} s:\n{vm.boot_log()[-2000:]}")
            time.sleep(0.001)
