"""Fixtures of the tests that need a running simulated WSL VM, and proof that nothing of it stays.

tests/support/README.md describes the objects. CAUSEWAY_BINARY names the agent (default: the release build);
CAUSEWAY_KEEP_VM=1 leaves the session's VM running for a look at it.
"""

import os
import shutil
import signal
import time

import pytest
from repository import BINARY, support_program
from wslvm.api import Api
from wslvm.engine import EngineVm
from wslvm.folders import fresh_folder
from wslvm.leftovers import Machine
from wslvm.plain_dockerd import PlainDockerd
from wslvm.vm import VmError

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
        except VmError as error:
            shown = simulated.causeway("status", check=False)
            pytest.fail(f"{error}\ncauseway status:\n{shown.stdout}{shown.stderr}", pytrace=False)
        simulated.load_busybox()
        yield simulated
    finally:
        if KEEP:
            print(f"\nthe VM still runs: tests/wslvm status --state {_STATE} (down ends it)")
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


@pytest.fixture(scope="session")
def programs(vm):
    """Folder in Ubuntu with static programs for containers: `http_call SOCKET METHOD PATH [BODY]`, `watch_folder DIR`."""
    folder = "/opt/causeway-test"
    for name in ("http_call", "watch_folder"):
        built = support_program(name)
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
