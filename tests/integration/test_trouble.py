"""What goes wrong with services and requests in real use: shown in `status`, answered with the reason, and nothing spins.

The agent runs by itself here, without init, over services made for each trouble; the engine's own troubles with real dockerd are in
test_survival.py."""

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile

import pytest
from polling import poll
from repository import BINARY
from unix_http import request, request_json
from unix_socket import dial

QUICK = {"policy": "always", "delay_ms": 10, "max_delay_ms": 20, "limit": 3, "window_s": 60, "healthy_s": 30}


class Agent:
    """`causeway agent` over a folder of its own, in network, mount and PID namespaces of its own."""

    def __init__(self, folder, services, data_size=None):
        self.folder = folder
        self.run, self.data, self.etc = f"{folder}/run", f"{folder}/data", f"{folder}/etc"
        for path in (self.run, self.data, f"{self.etc}/services.d"):
            os.makedirs(path)
        for name, spec in services.items():
            with open(f"{self.etc}/services.d/{name}.json", "w", encoding="utf-8") as file:
                file.write(spec if isinstance(spec, str) else json.dumps({"name": name, **spec}))
        mount = f"mount -t tmpfs -o size={data_size} none {self.data} && " if data_size else ""
        agent = f"exec {BINARY} agent --run {self.run} --data {self.data} --etc {self.etc}"
        self.log = open(f"{folder}/agent.log", "w+b")
        self.process = subprocess.Popen(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                                         "sh", "-c", mount + agent], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        poll(lambda: os.path.exists(f"{self.run}/control.sock"), "the control socket is there")

    def get(self, path, method="GET", socket_name="control.sock"):
        return request_json(f"{self.run}/{socket_name}", path, method)

    def service(self, name):
        return next(entry for entry in self.get("/v1/status")[1]["services"] if entry["name"] == name)

    def wait_state(self, name, state):
        poll(lambda: self.service(name)["state"] == state, lambda: f"{name} is {state}: {self.service(name)}")
        return self.service(name)

    def cpu_ticks(self):
        with open(f"/proc/{self.pid()}/stat", encoding="ascii") as file:
            return sum(map(int, file.read().rpartition(")")[2].split()[11:13]))

    def pid(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            return int(file.read().split()[0])

    def assert_idle(self):
        """Over a second of wall time the agent uses next to no CPU (a spinning loop uses 100 ticks)."""
        before = self.cpu_ticks()
        select.select([], [], [], 1.0)
        assert self.cpu_ticks() - before < 20, "the agent is busy with nothing"

    def close(self):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, IndexError):
            os.kill(self.pid(), signal.SIGTERM)
        self.process.wait(60)
        self.log.close()


@pytest.fixture
def agent(machine):
    with contextlib.ExitStack() as stack:
        def make(services, **options):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="causeway-trouble-", dir="/var/tmp"))
            made = Agent(folder, services, **options)
            stack.callback(made.close)
            return made
        yield make


STEADY = {"argv": ["/bin/sleep", "1000000"]}


def test_an_unknown_key_names_file_and_pointer_and_the_others_start(agent):
    a = agent({"good": STEADY, "bad": {"argv": ["/bin/true"], "restart": {"polcy": "always"}}, "broken": "{ not json"})
    a.wait_state("good", "ready")
    bad = a.service("bad")
    assert bad["state"] == "invalid" and "bad.json" in bad["reason"] and "/restart/polcy" in bad["reason"]
    assert a.service("broken")["state"] == "invalid" and "broken.json" in a.service("broken")["reason"]
    checked = subprocess.run([BINARY, "check-config", "--etc", a.etc], capture_output=True, text=True, check=False)
    assert checked.returncode == 1 and "/restart/polcy" in checked.stdout + checked.stderr


def test_a_missing_binary_is_named_and_given_up(agent):
    a = agent({"absent": {"argv": ["/nowhere/daemon"], "restart": QUICK}})
    assert "/nowhere/daemon" in a.wait_state("absent", "failed")["reason"]
    a.assert_idle()


def test_a_daemon_that_exits_at_once_ends_as_failed_with_its_last_words(agent):
    a = agent({"quitter": {"argv": ["/bin/sh", "-c", "echo cannot work today >&2; exit 3"], "restart": QUICK}})
    failed = a.wait_state("quitter", "failed")
    assert "3" in failed["reason"]
    assert any("cannot work today" in line for line in failed["last_lines"])
    a.assert_idle()
    shown = subprocess.run([BINARY, "status", "--run", a.run], capture_output=True, text=True, check=False)
    assert shown.returncode == 1 and "cannot work today" in shown.stdout


def test_a_daemon_that_hangs_in_its_start_is_given_up_with_the_reason(agent):
    a = agent({"hanging": {"argv": ["/bin/sleep", "1000000"], "ready": {"unix": {"socket": "${run}/never.sock"}, "timeout_s": 1},
                           "restart": {**QUICK, "limit": 1}, "stop": {"timeout_s": 1}}})
    a.wait_state("hanging", "starting")
    a.assert_idle()
    assert "ready" in a.wait_state("hanging", "failed")["reason"]


def test_a_place_for_a_socket_that_can_not_be_read_is_shown(agent):
    a = agent({"lost": {"argv": ["/bin/sleep", "1000000"], "ready": {"unix": {"socket": "/proc/version/daemon.sock"}, "timeout_s": 1},
                        "restart": {**QUICK, "limit": 1}}})
    assert "/proc/version/daemon.sock" in a.wait_state("lost", "failed")["reason"]
    a.assert_idle()


SERVE = ("import os,socket,sys,threading\n"
         "path=sys.argv[1]\n"
         "try: os.unlink(path)\n"
         "except OSError: pass\n"
         "s=socket.socket(socket.AF_UNIX); s.bind(path); s.listen(16)\n"
         "def serve(c):\n"
         "  while c.recv(65536): c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nOK')\n"
         "while True: threading.Thread(target=serve,args=(s.accept()[0],)).start()\n")


def fake_engine(**changes):
    """A dockerd that answers everything with OK, where the real one's troubles can't be made on demand."""
    return {"argv": ["/usr/bin/python3", "-c", SERVE, "${run}/dockerd.sock"],
            "ready": {"http": {"socket": "${run}/dockerd.sock", "path": "/_ping"}, "timeout_s": 60}, "restart": QUICK, **changes}


def ping(a):
    return request(f"{a.run}/engine.sock", "/_ping")


def test_a_fake_engine_that_loses_its_socket_is_restarted_and_says_so(agent):
    a = agent({"dockerd": fake_engine()})
    assert ping(a) == (200, b"OK")
    first = a.service("dockerd")["pid"]
    os.unlink(f"{a.run}/dockerd.sock")
    poll(lambda: a.service("dockerd")["state"] == "ready" and a.service("dockerd")["pid"] != first, "the engine was started again")
    assert ping(a) == (200, b"OK")
    a.assert_idle()


def test_requests_wait_while_a_fake_engine_starts(agent):
    """The first request comes before the engine is there, and gets the engine's answer."""
    a = agent({"gate": {"argv": ["/bin/sh", "-c", "read x < ${run}/gate; exec sleep 1000000"],
                        "ready": {"file": {"path": "${run}/opened"}, "timeout_s": 100}},
               "dockerd": fake_engine(needs=["gate"])})
    waiting = dial(f"{a.run}/engine.sock", 60)
    waiting.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
    a.wait_state("gate", "starting")
    assert not select.select([waiting], [], [], 0.2)[0]
    with open(f"{a.run}/opened", "w", encoding="ascii"):
        pass
    assert waiting.recv(65536).endswith(b"OK")
    waiting.close()


def test_an_engine_that_is_down_is_a_503_with_state_and_reason(agent):
    a = agent({"dockerd": {"argv": ["/nowhere/dockerd"], "restart": QUICK}})
    a.wait_state("dockerd", "failed")
    status, body = a.get("/version", socket_name="engine.sock")
    assert status == 503 and "dockerd" in body["message"] and "/nowhere/dockerd" in body["message"]


def test_a_full_disk_for_logs_loses_lines_that_are_counted_and_nothing_else(agent):
    a = agent({"talker": {"argv": ["/bin/sh", "-c", "i=0; while [ $i -lt 40000 ]; do echo a line of the talker $i; i=$((i+1)); done; exec sleep 1000000"]}},
              data_size="256k")
    a.wait_state("talker", "ready")
    poll(lambda: any("39999" in line for line in logs(a, "talker")), "the last line is in the ring")
    notes = " ".join(note["text"] for note in a.get("/v1/status")[1]["notes"])
    assert "No space left on device" in notes and "talker" in notes
    assert a.service("talker")["state"] == "ready"
    a.assert_idle()


def logs(a, name):
    return request(f"{a.run}/control.sock", f"/v1/logs?service={name}&tail=5")[1].decode().splitlines()
