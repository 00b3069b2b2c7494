"""kill -9 of the agent, dockerd and containerd, again and again, under running clients: nothing that a user has is lost."""

import http.client
import json
import os
import signal
import threading

import pytest
from polling import poll
from wslvm.api import IMAGE
from wslvm.clients import docker

KILLS = 20


class Pinger(threading.Thread):
    """A client that asks all the time over a connection that it keeps while it can. A 503 tells that the engine isn't there, a 502
    that it was killed under the request; any other answer but 200 is a defect. A cut connection is none, when what is behind it
    was killed."""

    def __init__(self, vm):
        super().__init__()
        self.vm, self.stopping, self.good, self.bad = vm, threading.Event(), 0, []

    def run(self):
        connection = None
        while not self.stopping.is_set():
            try:
                connection = connection or self.vm.engine_connection(timeout=60)
                connection.request("GET", "/_ping")
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.good += 1
                elif answer.status not in (502, 503):
                    self.bad.append(answer.status)
            except (OSError, http.client.HTTPException):
                if connection:
                    connection.close()
                connection = None


def ping(vm):
    """The endpoint's next answer; it waits while the engine starts."""
    connection = vm.engine_connection(timeout=60)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status
    finally:
        connection.close()


def count_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def zombies(vm):
    found = []
    for pid in vm.pids():
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    found.append(pid)
        except OSError:
            pass
    return found


def mounts(vm):
    with open(f"/proc/{vm.init_pid()}/mountinfo", encoding="utf-8") as file:
        return sorted(line.split()[4] for line in file)


def service(vm, name):
    code, status = vm.control("/v1/status")
    assert code == 200
    return next(entry for entry in status["services"] if entry["name"] == name)


def all_ready(vm):
    try:
        return all(service(vm, name)["state"] == "ready" for name in ("containerd", "dockerd"))
    except OSError:
        return False  # the agent is just being started again


def inspect(vm, name):
    return json.loads(docker(vm, "inspect", "-f", "{{json .State}}", name).stdout)


@pytest.fixture
def population(vm, programs):
    """Containers that must live through everything: a plain one, and one that mounts docker.sock."""
    docker(vm, "run", "-d", "--name", "survivor", IMAGE, "sh", "-c", "i=0; while :; do echo line $i; i=$((i+1)); usleep 20000; done")
    docker(vm, "run", "-d", "--name", "api-user", "-v", "/var/run/docker.sock:/var/run/docker.sock",
           "-v", f"{programs}:/programs:ro", IMAGE, "sleep", "1000000")
    yield ["survivor", "api-user"]
    docker(vm, "rm", "-f", "survivor", "api-user")


def reaches_api(vm):
    done = docker(vm, "exec", "api-user", "/programs/http_call", "/var/run/docker.sock", "GET", "/_ping", check=False)
    return done.returncode == 0 and done.stdout.endswith(b"OK")


PIDS = {"agent": "agent_pid", "dockerd": "dockerd_pid", "containerd": "containerd_pid"}


@pytest.mark.parametrize("victim", PIDS)
def test_kill_under_running_clients(vm, population, victim):
    ping(vm)
    before = {name: inspect(vm, name) for name in population}
    mounts_before, processes_before = mounts(vm), len(vm.pids())
    fds_before = {name: count_fds(getattr(vm, PIDS[name])()) for name in PIDS}
    init_fds_before = count_fds(vm.init_pid())
    pinger = Pinger(vm)
    pinger.start()
    try:
        for _ in range(KILLS):
            follower = vm.docker_popen("logs", "-f", "--tail", "1", "survivor")
            follower.stdout.readline()  # it streams
            dead = getattr(vm, PIDS[victim])()
            os.kill(dead, signal.SIGKILL)
            poll(lambda: dead not in vm.pids() and all_ready(vm), f"everything is ready after {victim} was killed", 90)
            assert ping(vm) == 200
            # dockerd tries containerd again by gRPC's back-off, about a second: until then it refuses an exec by itself.
            poll(lambda: reaches_api(vm), "the container that mounts docker.sock reaches the API")
            follower.kill()
            follower.communicate()
    finally:
        pinger.stopping.set()
        pinger.join()
    assert pinger.good > 0 and not pinger.bad
    for name, state in before.items():
        after = inspect(vm, name)
        assert (after["Pid"], after["StartedAt"], after["Status"]) == (state["Pid"], state["StartedAt"], "running")
    # Counted: what one kill leaked, twenty would show.
    poll(lambda: not zombies(vm), f"no zombie is left (now {zombies(vm)})")
    poll(lambda: len(vm.pids()) <= processes_before + 3, f"as many processes as before ({processes_before})")
    assert mounts(vm) == mounts_before
    assert count_fds(vm.init_pid()) <= init_fds_before + 2
    for name, count in fds_before.items():
        poll(lambda: count_fds(getattr(vm, PIDS[name])()) <= count + KILLS // 2, f"{name} has about {count} descriptors")


def test_no_log_line_is_lost_while_the_agent_is_killed(vm):
    """A service writes numbered lines all the time; the agent, which reads them, is killed again and again."""
    name = "ticker"
    spec = {"name": name, "description": "numbered lines", "argv": ["/bin/sh", "-c",
            "i=0; while [ $i -lt 20000 ]; do echo tick $i; i=$((i+1)); [ $((i % 10)) -ne 0 ] || sleep 0.001; done; exec sleep 1000000"]}
    path = f"/proc/{vm.init_pid()}/root/etc/causeway/services.d/{name}.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(spec, file)
    try:
        os.kill(vm.agent_pid(), signal.SIGHUP)
        poll(lambda: service_or_none(vm, name) == "ready", "the service runs")
        log = f"/proc/{vm.init_pid()}/root/data/log/{name}.log"
        for _ in range(KILLS):
            dead = vm.agent_pid()
            os.kill(dead, signal.SIGKILL)
            poll(lambda: dead not in vm.pids() and service_or_none(vm, name) == "ready", "the agent is back and knows the service", 60)
        poll(lambda: last_line(log) == "tick 19999", "the last line is in the log", 120)
        with open(log, encoding="ascii") as file:
            lines = file.read().splitlines()
        numbers = [int(line.split()[1]) for line in lines if line.startswith("tick ")]
        assert sorted(set(numbers)) == list(range(20000)), "a line is missing"
        assert len(numbers) == 20000, "a line stands there twice"
        assert service(vm, name)["restarts"] == 0
    finally:
        os.unlink(path)
        os.kill(vm.agent_pid(), signal.SIGHUP)
        poll(lambda: service_or_none(vm, name) is None, "the service is gone")


def service_or_none(vm, name):
    try:
        _, status = vm.control("/v1/status")
    except OSError:
        return None
    return next((entry["state"] for entry in status["services"] if entry["name"] == name), None)


def last_line(path):
    try:
        with open(path, "rb") as file:
            return file.read()[-200:].decode("ascii").rstrip("\n").rpartition("\n")[2]
    except OSError:
        return None


def test_exit_status_of_a_daemon_that_was_adopted(vm):
    """The agent that started dockerd is gone; its successor still learns how dockerd ended."""
    agent = vm.agent_pid()
    os.kill(agent, signal.SIGKILL)
    poll(lambda: agent not in vm.pids() and all_ready(vm), "the next agent is up")
    assert service(vm, "dockerd")["adopted"] is True
    restarts = service(vm, "dockerd")["restarts"]
    os.kill(vm.dockerd_pid(), signal.SIGKILL)
    poll(lambda: all_ready(vm) and service(vm, "dockerd")["restarts"] == restarts + 1, "dockerd was started again", 60)
    assert service(vm, "dockerd")["last_exit"] == "was killed by SIGKILL"


@pytest.mark.parametrize("daemon", ["dockerd", "containerd"])
def test_a_hung_daemon_is_said_and_not_ended(vm, daemon):
    """Stopped in its tracks: it holds its socket and answers nothing. It may come back, so nothing is ended for it."""
    pid = vm.dockerd_pid() if daemon == "dockerd" else vm.containerd_pid()

    def engine_and_service():
        _, status = vm.control("/v1/status")
        return status["engine"], next(s for s in status["services"] if s["name"] == daemon)

    os.kill(pid, signal.SIGSTOP)
    try:
        poll(lambda: engine_and_service()[1]["silent_s"] >= 3, lambda: f"it is said to be silent: {engine_and_service()}")
        engine, service = engine_and_service()
        assert engine["state"] == "ready" and service["state"] == "ready"
        assert "has not answered for" in service["reason"]
        assert daemon in engine["reason"] and "has not answered for" in engine["reason"]
        shown = vm.causeway("status", check=False)
        assert shown.returncode == 0 and "has not answered for" in shown.stdout
        if daemon == "dockerd":
            assert engine["silent_s"] >= 3 and "engine ready, for" in shown.stdout and ", but has not answered for" in shown.stdout
    finally:
        os.kill(pid, signal.SIGCONT)
    poll(lambda: engine_and_service()[1]["silent_s"] == 0, "it answers again")
    engine, service = engine_and_service()
    assert engine["reason"] == "" and service["reason"] == "" and service["pid"] is not None
    assert pid == (vm.dockerd_pid() if daemon == "dockerd" else vm.containerd_pid())


def test_a_dead_containerd_is_named_while_dockerd_is_ready(vm):
    engine = lambda: vm.control("/v1/status")[1]["engine"]
    vm.causeway("stop", "containerd")
    try:
        poll(lambda: "containerd, which dockerd needs, is off" in engine()["reason"], lambda: f"status names it: {engine()}")
        assert engine()["state"] == "ready"
    finally:
        vm.causeway("start", "containerd")
    poll(lambda: engine()["reason"] == "" and engine()["state"] == "ready", lambda: f"all is well again: {engine()}")


def test_stop_start_restart_by_command(vm):
    vm.causeway("stop", "dockerd")
    try:
        connection = vm.engine_connection()
        connection.request("GET", "/version")
        answer = connection.getresponse()
        assert answer.status == 503
        assert "dockerd" in json.loads(answer.read())["message"]
        connection.close()
    finally:
        vm.causeway("start", "dockerd")
    assert ping(vm) == 200
    before = service(vm, "dockerd")["pid"]
    vm.causeway("restart", "dockerd")
    assert ping(vm) == 200
    assert service(vm, "dockerd")["pid"] != before
