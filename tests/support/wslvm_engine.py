"""A simulated VM whose docker-desktop runs the agent: what the integration tests ask of it."""

import json
import subprocess
import time

import wslvm_http
import wslvm_vm as wslvm

DOCKER = "/usr/bin/docker"  # the distro's package, whatever else is in PATH

_LOAD_BUSYBOX = f"""set -e
{DOCKER} image inspect busybox >/dev/null 2>&1 && exit
folder=$(mktemp -d)
mkdir -p "$folder"/bin "$folder"/tmp "$folder"/etc "$folder"/root
cp /bin/busybox "$folder/bin/busybox"
for applet in $(/bin/busybox --list); do [ "$applet" = busybox ] || ln -s busybox "$folder/bin/$applet"; done
echo root:x:0:0:root:/root:/bin/sh >"$folder/etc/passwd"
tar -C "$folder" -c . | {DOCKER} import --change 'CMD ["sh"]' - busybox >/dev/null
rm -r "$folder"
"""


def poll(condition, what, timeout=10.0):
    """Returns the first true value of condition(). Only where no event tells of the change."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.01)


class EngineVm(wslvm.Vm):
    # The docker CLI in a distro, through our endpoint ------------------------------------------------

    def docker(self, *arguments, distro="Ubuntu", **options):
        """`docker ARGUMENTS` to its end; options as for exec(). Returns its stdout, or with check=False
        the CompletedProcess."""
        done = self.exec(distro, [DOCKER, *arguments], **options)
        return done.stdout if options.get("check", True) else done

    def docker_popen(self, *arguments, distro="Ubuntu", **options):
        """subprocess.Popen of a docker command; stdin, stdout and stderr are pipes unless told otherwise."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return self.popen(distro, [DOCKER, *arguments], **{**pipes, **options})

    def load_busybox(self, distro="Ubuntu"):
        """The image `busybox`, made of the distro's own static busybox: nothing is pulled."""
        self.exec(distro, ["sh", "-c", _LOAD_BUSYBOX])

    # The agent --------------------------------------------------------------------------------------

    def causeway(self, *arguments, **options):
        """`causeway ARGUMENTS` in docker-desktop (outside init's namespaces, as a user of wsl.exe is)."""
        return self.exec("docker-desktop", ["/usr/bin/causeway", *arguments], **options)

    def control(self, path, method="GET"):
        """One request to the control API. Returns (status code, decoded JSON or None)."""
        connection = wslvm_http.Connection(self.socket_path("control.sock"), 30)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, json.loads(body) if body else None
        finally:
            connection.close()

    def engine_connection(self, socket_name="engine.sock", timeout=30):
        """http.client connection to the endpoint, or with "dockerd.sock" to dockerd itself."""
        return wslvm_http.Connection(self.socket_path(socket_name), timeout)

    # Processes (host pids) --------------------------------------------------------------------------

    def init_pid(self):
        """`causeway init`, the process 1 of its own namespaces."""
        return self.engine_namespace_pid()

    def agent_pid(self):
        return self._only("causeway", "agent")

    def dockerd_pid(self):
        return self._only("dockerd")

    def containerd_pid(self):
        return self._only("containerd")

    def _only(self, *wanted):
        pids = self.find_processes(*wanted)
        if len(pids) != 1:
            raise wslvm.VmError(f"{len(pids)} processes are `{' '.join(wanted)}`, not one")
        return pids[0]
