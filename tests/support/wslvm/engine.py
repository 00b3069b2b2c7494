"""A simulated VM whose docker-desktop runs the agent: what the integration tests ask of it."""

import json
import subprocess
import time

from polling import poll
from unix_http import HttpConnection, request, request_json
from unix_socket import dial

from . import kernel
from .distro import kind_of
from .vm import Vm, VmError, wait_readable

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


def _cli(distro):
    """A minimal distro has none but the integration's."""
    return "docker" if kind_of(distro) == "minimal" else DOCKER


def _is_integrated(entry):
    """Share, docker.sock, and the helper has dealt with the CLI tools: the last that it does."""
    items = (entry.get("report") or {}).get("items", [])
    return entry.get("state") == "attached" and bool(entry.get("socket")) and any(
        item["what"] == "link" or (item["what"] == "tools" and item["state"] != "added") for item in items)


class EngineVm(Vm):
    # The docker CLI in a distro, through our endpoint ------------------------------------------------

    def docker(self, *arguments, distro="Ubuntu", **options):
        """`docker ARGUMENTS` to its end; options as for exec(). Returns its stdout, or with check=False
        the CompletedProcess."""
        done = self.exec(distro, [_cli(distro), *arguments], **options)
        return done.stdout if options.get("check", True) else done

    def docker_popen(self, *arguments, distro="Ubuntu", **options):
        """subprocess.Popen of a docker command; stdin, stdout and stderr are pipes unless told otherwise."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return self.popen(distro, [_cli(distro), *arguments], **{**pipes, **options})

    def load_busybox(self, distro="Ubuntu", host=None):
        """The image `busybox`, made of the distro's own static busybox: nothing is pulled. `host`: DOCKER_HOST."""
        done = self.exec(distro, ["sh", "-c", _LOAD_BUSYBOX], check=False, environment={"DOCKER_HOST": host} if host else None)
        if done.returncode != 0:
            raise VmError(f"the image busybox can't be imported: {done.stderr.strip()}")

    # The agent --------------------------------------------------------------------------------------

    def causeway(self, *arguments, **options):
        """`causeway ARGUMENTS` in docker-desktop (outside init's namespaces, as a user of wsl.exe is)."""
        return self.exec("docker-desktop", ["/usr/bin/causeway", *arguments], **options)

    def control(self, path, method="GET", body=None):
        """One request to the control API, `body` as JSON. Returns (status code, decoded JSON or None)."""
        return request_json(self.socket_path("control.sock"), path, method, body)

    def engine_connection(self, socket_name="engine.sock", timeout=30):
        """http.client connection to the endpoint, or with "dockerd.sock" to dockerd itself."""
        return HttpConnection(self.socket_path(socket_name), timeout)

    # Integrated distros -----------------------------------------------------------------------------

    def distros(self):
        """What the agent tells of the distros, by name: state, reason, socket, helper, report."""
        code, told = self.control("/v1/distros")
        if code != 200:
            raise VmError(f"GET /v1/distros: {code} {told}")
        return {entry["name"]: entry for entry in told["distros"]}

    def wait_distro(self, name, state="attached", timeout=30):
        """Waits until the agent shows the distro in this state (attached: with docker.sock and CLI too); returns its entry."""
        shown = {}

        def reached():
            try:
                shown.clear()
                shown.update(self.distros().get(name, {}))
            except OSError as error:  # the agent is being started again
                shown["reason"] = str(error)
            return _is_integrated(shown) if state == "attached" else shown.get("state") == state

        try:
            poll(reached, "", timeout)
        except AssertionError:
            raise AssertionError(f"distro {name} is not {state} within {timeout} s: {shown}\n"
                                 f"{self.helper_log(name)[-3000:]}") from None
        return dict(shown)

    def helper_log(self, name):
        """What `causeway distro` there has printed, of all its starts."""
        try:
            with open(f"{self.state_dir}/log/{name}.helper.log", encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    # Readiness ---------------------------------------------------------------------------------------

    def boot_log(self, name="docker-desktop"):
        try:
            with open(f"{self.state_dir}/log/{name}.boot.log", encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_engine(self, timeout=90, progress=None, integrated=True):
        """Waits until the engine's API answers 200, and (`integrated`) every running distro that is to be integrated is. The
        agent holds a request until the engine is ready;
        `progress(text)` is called about ten times a second meanwhile. VmError with the reason when init
        ends, a service has failed for good, or the time is over."""
        deadline = time.monotonic() + timeout
        reason = "the agent has not bound its socket yet"
        while time.monotonic() < deadline:
            boot = self.status()["distros"]["docker-desktop"]["boot"]
            if boot and not boot["running"]:
                raise VmError(f"`{' '.join(boot['argv'])}` ended with {boot['status']}:\n{self._log_end()}")
            try:
                code, text = self._ping(deadline, progress)
                waited = self._not_integrated() if code == 200 and integrated else []
                if code == 200 and not waited:
                    return
                reason = f"not integrated: {', '.join(waited)}" if waited else f"it answers {code}: {text}"
                if any(state == "failed" for _, state in self._services()):
                    break
            except (FileNotFoundError, ConnectionRefusedError):
                pass
            except OSError as error:
                reason = str(error)
            if progress:
                progress(self._services_text() or reason)
            # No event crosses the namespaces for "the socket exists"; a refusal (503) is worth asking again.
            time.sleep(0.02)
        else:
            reason = f"not within {timeout:g} s: {reason}"
        raise VmError(f"the engine is not ready: {reason}\n{self._log_end()}")

    def _log_end(self):
        return "the end of its log:\n" + "".join(self.boot_log().splitlines(keepends=True)[-12:])

    def _ping(self, deadline, progress):
        """(status code, message) of GET /_ping."""
        with dial(self.socket_path()) as connection:
            connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
            answer = b""
            while True:
                if wait_readable(connection.fileno(), 0.1):
                    data = connection.recv(65536)
                    if not data:
                        break
                    answer += data
                elif progress:
                    progress(self._services_text())
                if time.monotonic() > deadline:
                    raise TimeoutError("the agent holds the request: " + (self._services_text() or "no answer"))
        head, _, body = answer.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        if len(words) < 2 or not words[1].isdigit():
            raise OSError("it closes the connection without an answer")
        try:
            return int(words[1]), json.loads(body)["message"]
        except (ValueError, KeyError, TypeError):
            return int(words[1]), body.decode(errors="replace").strip()

    def _not_integrated(self):
        """Running distros with a helper that the agent has not got the socket of yet."""
        wanted = [name for name, facts in self.status()["distros"].items()
                  if facts["running"] and facts["helper"] and facts["helper"]["state"] != "done"]
        if not wanted:
            return []
        try:
            shown = self.distros()
        except (VmError, ValueError, KeyError) as error:
            return [f"{', '.join(wanted)} ({error})"]
        return [f"{name} ({shown.get(name, {}).get('state', 'unknown')}: {shown.get(name, {}).get('reason') or 'no reason given'})"
                for name in wanted
                if not _is_integrated(shown.get(name, {}))]

    def _services(self):
        """[(name, state)] as the agent tells; empty if it doesn't answer."""
        try:
            code, body = self.http_get("/v1/status", "control.sock", timeout=2)
            return [(s["name"], s["state"]) for s in json.loads(body)["services"]] if code == 200 else []
        except (OSError, ValueError, KeyError):
            return []

    def _services_text(self):
        return ", ".join(f"{name} {state}" for name, state in self._services() if state != "off")

    def http_get(self, path, socket_name="engine.sock", timeout=30):
        """GET over a socket of /run/causeway. Returns (status code, body)."""
        return request(self.socket_path(socket_name), path, timeout=timeout)

    # Processes (host pids) --------------------------------------------------------------------------

    def init_pid(self):
        """`causeway init`, the process 1 of its own namespaces."""
        return self.engine_namespace_pid()

    def agent_pid(self):
        return self._only("causeway", "agent")

    def dockerd_pid(self):
        return self._only("dockerd", "--config-file=/run/causeway/daemon.json")

    def containerd_pid(self):
        return self._only("containerd", "--config=/etc/causeway/containerd.toml")

    def _only(self, *wanted):
        pids = []

        def not_several():
            found = self.find_processes(*wanted)
            # A child that has not reached its exec yet looks like its parent, and for a moment outlives a killed one.
            pids[:] = [pid for pid in found if kernel.parent(pid) not in found]
            return len(pids) <= 1

        poll(not_several, f"one process is `{' '.join(wanted)}`")
        if not pids:
            raise VmError(f"no process is `{' '.join(wanted)}`")
        return pids[0]
