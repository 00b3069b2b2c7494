"""A dockerd without Causeway, inside a distro: what docker itself does there, to compare with.

It sees the distro's own files, has a mount and a network namespace of its own, and its data on a tmpfs in there. Nothing of
it outlives stop() but an empty folder; it ends with its distro in any case.
"""

import os
import subprocess

from polling import poll

FOLDER = "/run/plain-docker"  # in the distro; its socket is there

# dockerd starts a containerd of its own; bridge and packet filter aren't needed to look at files.
_START = f"""set -e
cd /  # as its service has it: where relative paths begin
mkdir -p {FOLDER}/data
mount -t tmpfs -o mode=755 none {FOLDER}/data
ip link set lo up
echo '{{}}' >{FOLDER}/daemon.json
exec dockerd --config-file={FOLDER}/daemon.json --host=unix://{FOLDER}/docker.sock --data-root={FOLDER}/data/docker \
  --exec-root={FOLDER}/exec --pidfile={FOLDER}/pid --bridge=none --iptables=false --ip-forward=false
"""


class PlainDockerd:
    def __init__(self, vm, distro="Ubuntu"):
        self.vm, self.distro = vm, distro
        self.log = f"{vm.state_dir}/log/{distro}.plain-dockerd.log"
        os.makedirs(os.path.dirname(self.log), exist_ok=True)
        with open(self.log, "wb") as log:
            # Slave, then shared: as where a distribution's service starts it, mounts made later show in it.
            self.process = vm.popen(distro, ["unshare", "--mount", "--net", "--propagation", "slave", "sh", "-c",
                                             "mount --make-rshared / && " + _START],
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            poll(self._answers, "the plain dockerd answers", 60)
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\n{self._log_end()}") from None

    def socket_path(self):
        """As a path of the machine."""
        return f"{self.vm.root(self.distro)}{FOLDER}/docker.sock"

    def docker(self, *arguments, **options):
        """`docker ARGUMENTS` in the distro, by this engine; as EngineVm.docker()."""
        environment = {"DOCKER_HOST": f"unix://{FOLDER}/docker.sock", **options.pop("environment", {})}
        return self.vm.docker(*arguments, distro=self.distro, environment=environment, **options)

    def load_busybox(self):
        self.vm.load_busybox(self.distro, host=f"unix://{FOLDER}/docker.sock")

    def stop(self):
        # dockerd itself, which takes its containerd with it; who started it ends behind it.
        self.vm.exec(self.distro, ["sh", "-c", f"kill $(cat {FOLDER}/pid)"], check=False)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.vm.exec(self.distro, ["rm", "-rf", FOLDER, "/run/docker", "/run/containerd"], check=False)

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the plain dockerd ended with {self.process.returncode}:\n{self._log_end()}")
        return self.docker("version", check=False).returncode == 0

    def _log_end(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-15:])
