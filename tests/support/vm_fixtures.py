"""Fixtures of the tests that need a running simulated WSL VM, and proof that nothing of it stays.

README.md describes the objects. CAUSEWAY_BINARY names the agent (default: the release
build); CAUSEWAY_KEEP_VM=1 leaves the session's VM running for a look at it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import wslvm_cgroups as cgroups
import wslvm_kernel as kernel
import wslvm_marks as marks
import wslvm_vm as wslvm
from sharing import Api, fresh_folder
from wslvm_engine import EngineVm
from wslvm_plain import PlainDockerd

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BINARY = os.environ.get("CAUSEWAY_BINARY", os.path.join(REPOSITORY, "build", "release", "agent", "causeway"))
KEEP = bool(os.environ.get("CAUSEWAY_KEEP_VM"))
_STATE = f"/var/tmp/causeway-test-{os.getpid()}"


# No test takes a quarter of it on two busy cores: what hangs fails alone, and the others still run.
_TEST_SECONDS = 400


@pytest.fixture(autouse=True)
def time_limit():
    def over(_number, _frame):
        pytest.fail(f"not done within {_TEST_SECONDS} s", pytrace=True)

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(_TEST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


class Machine:
    """What a VM must leave as it was."""

    def __init__(self):
        self.vms = []  # of this session
        self.before = self._look()

    def _look(self):
        return {
            "mounts": sorted((m["point"], m["fstype"], m["source"]) for m in kernel.mount_points()),
            "named network namespaces": sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else [],
            "network interfaces": sorted(os.listdir("/sys/class/net")),
            "packet filter": _packet_filter(),
            "sysctls": marks.read_sysctls(),
            "cgroup controllers": cgroups.enabled_at_top(),
        }

    def watch(self, vm):
        """Notes what identifies a running VM, to look for it after its end."""
        status = vm.status()
        self.vms.append({"id": status["id"], "state": vm.state_dir,
                         "net": os.readlink(f"/proc/{status['holder']}/ns/net")})

    def left_behind(self):
        """One line for each thing that is not as before, or still there of a VM of this session."""
        found = []
        after = self._look()
        if any(marks.is_alive(mark["id"]) for mark in marks.all_marks()):
            for key in ("sysctls", "cgroup controllers"):  # another VM lives: its end restores them
                after[key] = self.before[key]
        # A mount that went away is not ours to report: all of ours were made after the first look.
        after["mounts"] = sorted({*self.before["mounts"], *after["mounts"]})
        self.before["mounts"] = sorted({*self.before["mounts"]})
        for what, before in self.before.items():
            if after[what] != before:
                found.append(f"{what} changed: {_difference(before, after[what])}")
        networks = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                networks.setdefault(os.readlink(f"/proc/{pid}/ns/net"), []).append(pid)
        for vm in self.vms:
            found += [f"process {pid} of VM {vm['id']}" for pid in networks.get(vm["net"], [])]
            found += [f"cgroup {group}" for group in cgroups.existing(vm["id"])]
            found += [f"loop device {device}" for device in kernel.loops_backed_below(vm["state"])]
            found += [f"file {path}" for path in (vm["state"], f"{marks.FOLDER}/{vm['id']}.json",
                                                  f"{marks.FOLDER}/{vm['id']}.lock") if os.path.exists(path)]
        return found


@pytest.fixture(scope="session")
def machine():
    reason = _why_no_vm()
    if reason:
        pytest.skip(reason)
    state = Machine()
    yield state
    if not KEEP:
        # A dying namespace's last mounts and processes go a moment after its end.
        deadline = time.monotonic() + 5
        left = state.left_behind()
        while left and time.monotonic() < deadline:
            time.sleep(0.1)
            left = state.left_behind()
        assert not left, "left on the machine after the tests:\n" + "\n".join(left)


@pytest.fixture(scope="session")
def vm(machine):
    """docker-desktop, Ubuntu and minimal; the engine is ready; the image `busybox` is there."""
    if not os.access(BINARY, os.X_OK):
        pytest.skip(f"{BINARY} is missing: tests/run builds it")
    simulated = EngineVm(_STATE)
    try:
        simulated.up(["docker-desktop", "Ubuntu", "minimal"], causeway=BINARY)
        machine.watch(simulated)
        try:
            simulated.wait_engine()
        except wslvm.VmError as error:
            shown = simulated.causeway("status", check=False)
            pytest.fail(f"{error}\ncauseway status:\n{shown.stdout}{shown.stderr}", pytrace=False)
        simulated.load_busybox()
        yield simulated
    finally:
        if KEEP:
            print(f"\nthe VM still runs: tests/support/wslvm status --state {_STATE} (down ends it)")
        else:
            simulated.down()


@pytest.fixture
def make_vm(machine, request):
    """make_vm(distros, **options of Vm.up) → a further EngineVm, removed after the test.

    Without causeway= it runs no agent. state= gives the folder of an earlier one.
    """
    made = []

    def make(distros=("Ubuntu",), state=None, **options):
        simulated = EngineVm(state or f"{_STATE}-{request.node.name[:20].strip('[]')}-{len(made)}")
        made.append(simulated)
        simulated.up(distros, **options)
        machine.watch(simulated)
        return simulated

    yield make
    for simulated in reversed(made):
        simulated.down()


def _why_no_vm():
    if os.geteuid() != 0:
        return "the simulated VM needs root"
    if not os.path.exists("/dev/loop-control"):
        return "this machine has no loop devices"
    if not shutil.which("dockerd", path=os.environ["PATH"] + ":/usr/sbin"):
        return "dockerd is missing: packaging/install engine"
    return None


def _packet_filter():
    rules = {}
    for program in ("iptables-save", "iptables-legacy-save"):
        path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if path:
            done = subprocess.run([path], capture_output=True, text=True, check=False)
            # Comments carry the time, chains their counters.
            rules[program] = [line.split(" [")[0] for line in done.stdout.splitlines()
                              if not line.startswith("#")]
    return rules


def _difference(before, after):
    if isinstance(before, dict):
        return {key: (before.get(key), after.get(key)) for key in {*before, *after}
                if before.get(key) != after.get(key)}
    return {"new": [x for x in after if x not in before], "gone": [x for x in before if x not in after]}


@pytest.fixture(scope="session")
def programs(vm):
    """Folder in Ubuntu with static programs for containers: `http_call SOCKET METHOD PATH [BODY]`, `watch_folder DIR`."""
    folder = "/opt/causeway-test"
    for name in ("http_call", "watch_folder"):
        built = os.path.join(os.path.dirname(os.path.dirname(BINARY)), "tests", "support", "programs", name)
        if not os.access(built, os.X_OK):
            pytest.fail(f"{built} is missing: tests/run builds it")
        os.makedirs(vm.root("Ubuntu") + folder, exist_ok=True)
        shutil.copy(built, f"{vm.root('Ubuntu')}{folder}/{name}")
    return folder


@pytest.fixture(scope="session")
def plain(vm):
    """The API of a dockerd without Causeway in the distro Ubuntu: what docker itself does with Ubuntu's paths."""
    dockerd = PlainDockerd(vm, "Ubuntu")
    try:
        dockerd.load_busybox()
        yield Api(dockerd.socket_path, "plain")
    finally:
        dockerd.stop()


@pytest.fixture(params=["Ubuntu", "minimal"])
def folder(vm, request):
    """A folder below /home/dev of a full distro with a shared root, and of a minimal one; removed after the test."""
    made = fresh_folder(vm, request.param)
    yield made
    made.remove()


@pytest.fixture
def ubuntu_folder(vm):
    made = fresh_folder(vm, "Ubuntu")
    yield made
    made.remove()
