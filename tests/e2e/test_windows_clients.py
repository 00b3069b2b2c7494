"""Real clients on the Windows side, the real causeway.exe, the real agent and dockerd: node.exe with dockerode under Wine, through the
pipe and both transports that Wine has. wsl.exe is a stand-in (tests/support/windows/wsl_service.py), as is the VM it runs commands in."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from polling import poll
from repository import BINARY
from windows.causeway_exe import Running, add_distro
from windows.node_client import ClientFailed, WindowsClient, ask, install
from windows.shim_process import client
from windows.wine import PRODUCT, Prefix, missing, windows_path
from windows.wsl_service import WslService
from wslvm.api import Api
from wslvm.engine import EngineVm
from wslvm.vm import PRODUCT_ETC

pytestmark = pytest.mark.skipif(bool(missing()) or not os.path.exists(PRODUCT),
                                reason="Windows programs can't run: " + ", ".join(missing() or ["build/windows isn't built"]))
MIB = 1 << 20
PUBLIC = r"\\.\pipe\docker_engine"
LINK_PORT = 4857


class Windows:
    """The machine: a VM that nobody has booted, the prefix, and wsl.exe in it."""

    def __init__(self, vm, prefix, wsl, boot):
        self.vm, self.prefix, self.wsl, self.boot = vm, prefix, wsl, boot

    def ask(self, case, timeout=60, **arguments):
        return ask(self.prefix, case, timeout, **arguments)

    def client(self, case, **arguments):
        return WindowsClient(self.prefix, case, **arguments)


@pytest.fixture(scope="module")
def windows(machine, tmp_path_factory):
    reason = install()
    if reason:
        pytest.skip(reason)
    etc = tmp_path_factory.mktemp("windows") / "etc"
    shutil.copytree(PRODUCT_ETC, etc)
    (etc / "causeway" / "settings.json").write_text(json.dumps({"link": {"tcp": f"127.0.0.1:{LINK_PORT}"}}))
    vm = EngineVm(f"/var/tmp/causeway-test-{os.getpid()}-windows")

    def boot():
        vm.up(["docker-desktop", "Ubuntu"], causeway=BINARY, boot=False, helpers=False, etc=str(etc))
        machine.watch(vm)

    try:
        boot()
        with Prefix() as prefix, WslService(vm) as wsl:
            wsl.install(prefix.drive_c)
            add_distro(prefix, "docker-desktop", uid=0)
            add_distro(prefix, "Ubuntu")
            yield Windows(vm, prefix, wsl, boot)
    finally:
        vm.down()


@pytest.fixture(scope="module", params=["stdio", "tcp"])
def shim(windows, request):
    """causeway.exe, with the settings that a user has, or with TCP instead of hvsocket, which Wine has not."""
    settings = {"tcp": f"127.0.0.1:{windows.wsl.forward(LINK_PORT)}"} if request.param == "tcp" else {}
    with Running(windows.prefix, **settings) as made:
        made.transport = request.param
        made.wait_connected(request.param)
        applets = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
        windows.ask("import_image", busybox=windows_path("/bin/busybox"), applets=[applet for applet in applets if applet != "busybox"])
        yield made


@pytest.fixture
def api(windows):
    """The engine's own endpoint: what is there besides Windows."""
    return Api(lambda: windows.vm.socket_path("engine.sock"), "engine")


@pytest.fixture
def talking(windows, api):
    """A container that prints a line every 100 ms, until it is removed."""
    name = "talking"

    def start():
        api("DELETE", f"/containers/{name}?force=1")
        api.created(name=name, command=["sh", "-c", "while true; do echo here; usleep 100000; done"])
        assert api.start(name).status == 204
        return name

    yield start
    windows.vm.wait_engine(integrated=False)
    api("DELETE", f"/containers/{name}?force=1")


# ---- calls -------------------------------------------------------------------------------------


def test_the_link_and_who_holds_it(windows, shim):
    status = shim.status()
    assert status["link"]["transport"] == shim.transport and status["link"]["agent_version"] == status["version"]
    if shim.transport == "stdio":
        assert "the agent doesn't know its VM's id" in status["link"]["transport_reason"]
    assert ["-d", "docker-desktop", "-u", "root", "--exec", "/usr/bin/causeway", "attach"] in windows.wsl.commands
    assert any("localhost-Proxykonfiguration" in line for line in status["attach"]["last_lines"])
    seen = windows.vm.control("/v1/status")[1]["link"]
    assert seen["connected"] and seen["transport"] == ("tcp" if shim.transport == "tcp" else "unix")


def test_version_and_run(windows, shim):
    told = windows.ask("version")
    assert told["ping"] == "OK" and told["version"] == json.loads(windows.vm.http_get("/version")[1])["Version"]
    told = windows.ask("run", command=["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert told == {"out": "out\n", "errors": "err\n", "code": 7}


def test_exec_with_input(windows, shim):
    told = windows.ask("exec_stdin", size=3 * MIB)
    assert told["have"] == 3 * MIB and told["echo"] == told["sent"] and told["code"] == 0
    assert told["copy"].split() == [told["sent"], "-", "ended"]


def test_exec_with_a_half_close(windows, shim, api, talking):
    """As docker.exe does it, with a zero-byte message: dockerode can't. What is summed is only right when the end was heard."""
    body = {"Cmd": ["sha256sum"], "AttachStdin": True, "AttachStdout": True, "AttachStderr": True}
    made = api.good("POST", f"/containers/{talking()}/exec", body).body["Id"]
    head = (f"POST /exec/{made}/start HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nConnection: Upgrade\r\n"
            'Upgrade: tcp\r\nContent-Length: 28\r\n\r\n{"Detach":false,"Tty":false}')
    code, lines = client(windows.prefix, "finish", head, size=2 * MIB, pipe=PUBLIC)
    start = len(head.encode())
    data = bytes(((at * 131 + (at >> 8) * 17) & 0xff) for at in range(start, start + 2 * MIB))
    assert code == 0 and lines[0]["text"].startswith("HTTP/1.1 101 "), lines
    assert hashlib.sha256(data).hexdigest() in lines[0]["text"]


def test_attach(windows, shim):
    assert windows.ask("attach") == {"out": "got a line\n", "errors": "problem\n", "code": 5}


def test_logs_are_followed(windows, shim):
    lines = windows.ask("logs")["out"].splitlines()
    assert lines[-1] == "last" and lines[:-1] == [f"line {number}" for number in range(1, len(lines))]


def test_events(windows, shim):
    assert windows.ask("events")["actions"] == ["create", "attach", "start", "die", "destroy"]


def test_build(windows, shim):
    told = windows.ask("build", size=5 * MIB)
    assert told["hash"] in told["text"] and "Successfully tagged built-from-windows" in told["text"]


def test_100_clients_at_once(windows, shim):
    before = shim.status()["clients"]["total"]
    assert windows.ask("parallel", count=100) == {"heard": 100, "versions": 1, "answers": 100}
    assert shim.status()["clients"]["total"] >= before + 200
    shim.wait(lambda status: status["clients"]["now"] == 0 and status["link"]["streams"] == 0)


def test_1_gib_up_and_down(windows, shim):
    told = windows.ask("copy", timeout=240, size=1024 * MIB)
    assert told["have"] == 1024 * MIB and told["up"] == told["inside"] == told["down"]
    print(f"\n1 GiB over {shim.transport}: up {told['up_ms'] / 1000:.1f} s, down {told['down_ms'] / 1000:.1f} s")


# ---- trouble -----------------------------------------------------------------------------------


@contextlib.contextmanager
def busy(windows, container, followers=2):
    """Clients that run while something happens: one that asks all the time, and some that follow a container's output."""
    with contextlib.ExitStack() as stack:
        clients = []
        for case, arguments in (("steady", {}), *[("follow", {"container": container})] * followers):
            clients.append(stack.enter_context(windows.client(case, **arguments)))
            assert clients[-1].line() == {"open": True}
        yield clients[0], clients[1:]


def test_an_engine_that_is_stopped(windows, shim, talking):
    with busy(windows, talking()) as (steady, following):
        windows.vm.causeway("stop", "dockerd")
        try:
            for each in following:
                assert "ended" in each.line(10)
            begun = time.monotonic()
            with pytest.raises(ClientFailed) as refused:
                windows.ask("version")
            assert refused.value.code == 503 and "dockerd" in refused.value.body["message"], refused.value.body
            assert time.monotonic() - begun < 10  # with the start of node.exe
            assert shim.status()["connected"]
        finally:
            windows.vm.causeway("start", "dockerd")
        windows.vm.wait_engine(integrated=False)
        assert windows.ask("version")["ping"] == "OK"
        steady.tell()
        told = steady.result()
    assert told["right"] > 0 and told["refused"] > 0 and told["longest_ms"] < 15_000, told


def test_an_agent_that_is_killed(windows, shim, talking):
    links = shim.status()["link"]["links_total"]
    with busy(windows, talking()) as (steady, following):
        os.kill(windows.vm.agent_pid(), signal.SIGKILL)
        for each in following:
            assert "ended" in each.line(10)
        shim.wait(lambda status: status["connected"] and status["link"]["links_total"] > links)
        assert windows.ask("version")["ping"] == "OK"
        steady.tell()
        told = steady.result()
    assert told["right"] > 0 and told["longest_ms"] < 15_000, told
    # The container has not noticed.
    windows.vm.wait_engine(integrated=False)
    with windows.client("follow", container="talking") as again:
        assert again.line() == {"open": True}


def test_a_vm_that_is_killed(windows, shim, talking):
    """As `wsl --shutdown`: no client hangs, each hears why there is no engine, and all works again once the VM is there."""
    with busy(windows, talking()) as (steady, following):
        windows.vm.down(keep_disks=True)
        try:
            for each in following:
                assert "ended" in each.line(10)
            shim.wait(lambda status: not status["connected"])
            begun = time.monotonic()
            with pytest.raises(ClientFailed) as refused:
                windows.ask("version")
            assert refused.value.code == 503 and "message" in refused.value.body, refused.value.body
            assert time.monotonic() - begun < 10
        finally:
            windows.boot()
        shim.wait_connected(shim.transport, timeout=90)
        poll(lambda: _answers(windows), "the engine answers a client on Windows", 60)
        steady.tell()
        told = steady.result()
    assert told["right"] > 0 and told["refused"] > 0 and told["longest_ms"] < 40_000, told
    assert windows.ask("run", command=["echo", "again"])["out"] == "again\n"
    shim.wait(lambda status: status["clients"]["now"] == 0 and status["link"]["streams"] == 0)


def _answers(windows):
    try:
        return windows.ask("version")["ping"] == "OK"
    except ClientFailed:
        return False


# ---- distros -----------------------------------------------------------------------------------


def helper(shim):
    return next(entry for entry in shim.status()["distros"] if entry["name"] == "Ubuntu")


def started(windows):
    return sum(command[:2] == ["-d", "Ubuntu"] for command in windows.wsl.commands)


@pytest.mark.parametrize("shim", ["stdio"], indirect=True, scope="module")  # the same over every transport
def test_a_distro_that_windows_enables(windows, shim):
    """Consent in Windows starts the helper there; what its user stops stays stopped, until somebody needs it."""
    vm = windows.vm
    assert helper(shim)["enabled"] is False and started(windows) == 0
    shim("distro", "enable", "Ubuntu")
    vm.wait_distro("Ubuntu")
    assert vm.docker("version", "--format", "{{.Server.Version}}").strip()
    entry = helper(shim)
    assert entry["enabled"] and entry["helper"] == "running" and entry["pid"] > 0
    assert ["-d", "Ubuntu", "-u", "root", "--exec", "/bin/sh", "-s", "--", "--user", "1000"] in windows.wsl.commands
    vm.exec("Ubuntu", ["sh", "-c", "echo from Ubuntu >/home/dev/f"])
    bind = r"\\wsl.localhost\Ubuntu\home\dev:/w"
    assert windows.ask("run", command=["cat", "/w/f"], binds=[bind])["out"] == "from Ubuntu\n"

    # A helper that can't be started: both sides say why, until it can.
    program_folder = vm.root("Ubuntu") + "/mnt/wsl/docker-desktop/bin"
    os.chmod(program_folder, 0o777)
    vm.stop("Ubuntu")
    vm.start("Ubuntu", helper=False)
    reason = "/mnt/wsl/docker-desktop/bin isn't root's alone: somebody else has made it; not used"
    shim.wait(lambda _: reason in helper(shim)["reason"])
    poll(lambda: vm.distros()["Ubuntu"]["state"] == "failed", "the agent knows it, too", 90)
    assert vm.distros()["Ubuntu"]["reason"] == reason
    os.chmod(vm.root("Ubuntu") + "/mnt/wsl/docker-desktop/bin", 0o755)
    vm.wait_distro("Ubuntu", timeout=90)
    assert vm.distros()["Ubuntu"]["reason"] == ""

    vm.stop("Ubuntu")
    shim.wait(lambda _: helper(shim)["helper"] == "stopped")
    before = started(windows)
    # It looks whether its user has started it, and starts nothing for that.
    poll(lambda: ["--list", "--running", "--quiet"] in windows.wsl.commands, "it looks", 20)
    assert started(windows) == before and not vm.status()["distros"]["Ubuntu"]["running"]
    # The agent asks for it: a container needs its files.
    assert windows.ask("run", command=["cat", "/w/f"], binds=[bind])["out"] == "from Ubuntu\n"
    assert helper(shim)["helper"] == "running"

    shim("distro", "disable", "Ubuntu")
    assert helper(shim)["enabled"] is False
    assert not os.path.exists(vm.root("Ubuntu") + "/var/run/docker.sock")
    with pytest.raises(ClientFailed) as refused:
        vm.stop("Ubuntu")
        windows.ask("run", command=["cat", "/w/f"], binds=[bind])
    assert refused.value.code == 400 and "Ubuntu" in refused.value.body["message"], refused.value.body
    assert not vm.status()["distros"]["Ubuntu"]["running"]
    vm.start("Ubuntu", helper=False)
